import { systemClock } from '../shared/clock.ts';
import { SweepDrillsInput } from '../shared/drill-contracts.ts';
import {
  deleteVolume,
  detachVolume,
  ec2Client,
  instancesOfDrills,
  terminateInstance,
  volumesOfDrills,
} from '../shared/ec2.ts';
import { DRILL_TAG } from '../shared/names.ts';
import { sfnClient, statusOf } from '../shared/sfn.ts';
import { step } from '../shared/step.ts';
import { tearDown } from '../shared/tear-down.ts';
import { sweepDrills } from './sweep-drills.ts';

const client = ec2Client({ attempts: 8 });
const [instances, volumes] = [instancesOfDrills(client), volumesOfDrills(client)];
const ec2 = {
  instances,
  volumes,
  terminate: terminateInstance(client),
  detach: detachVolume(client),
  delete: deleteVolume(client),
};

const world = {
  drillsWithThings: async () => {
    const things = [...(await instances()).filter(({ state }) => state !== 'terminated'), ...(await volumes())];
    return [...new Set(things.map(({ tags }) => tags[DRILL_TAG] ?? ''))].filter((drill) => drill !== '');
  },
  status: statusOf(sfnClient()),
  tearDown: async (drill: string) => {
    await tearDown({ drill }, ec2, systemClock);
  },
};

export const handler = step(SweepDrillsInput, 'Sweep drills').handler((input) => sweepDrills(input, world));
