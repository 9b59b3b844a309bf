import { systemClock } from '../shared/clock.ts';
import { SweepDrillsInput } from '../shared/drill-contracts.ts';
import { ec2Client, thingsOfDrills } from '../shared/ec2.ts';
import { DRILL_TAG } from '../shared/names.ts';
import { sfnClient, statusOf } from '../shared/sfn.ts';
import { step } from '../shared/step.ts';
import { tearDown } from '../shared/tear-down.ts';
import { sweepDrills } from './sweep-drills.ts';

const things = thingsOfDrills(ec2Client({ attempts: 8 }));

const world = {
  drillsWithThings: async () => {
    const instances = (await things.instances()).filter(({ state }) => state !== 'terminated');
    const drills = [...instances, ...(await things.volumes())].map(({ tags }) => tags[DRILL_TAG] ?? '');
    return [...new Set(drills)].filter((drill) => drill !== '');
  },
  status: statusOf(sfnClient()),
  tearDown: async (drill: string) => {
    await tearDown({ drill }, things, systemClock);
  },
};

export const handler = step(SweepDrillsInput, 'Sweep drills').handler((input) => sweepDrills(input, world));
