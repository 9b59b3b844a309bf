import { systemClock } from '../shared/clock.ts';
import { TearDownInput } from '../shared/drill-contracts.ts';
import { ec2Client, thingsOfDrills } from '../shared/ec2.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { tearDown } from '../shared/tear-down.ts';

const things = thingsOfDrills(ec2Client({ attempts: 8 }));

export const handler = step(TearDownInput, DRILL_STATES.tearDown).handler((input) =>
  tearDown(input, things, systemClock),
);
