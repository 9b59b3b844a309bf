import { systemClock } from '../shared/clock.ts';
import { TearDownInput } from '../shared/drill-contracts.ts';
import {
  deleteVolume,
  detachVolume,
  ec2Client,
  instancesOfDrills,
  terminateInstance,
  volumesOfDrills,
} from '../shared/ec2.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { tearDown } from '../shared/tear-down.ts';

const client = ec2Client({ attempts: 8 });

const ec2 = {
  instances: instancesOfDrills(client),
  volumes: volumesOfDrills(client),
  terminate: terminateInstance(client),
  detach: detachVolume(client),
  delete: deleteVolume(client),
};

export const handler = step(TearDownInput, DRILL_STATES.tearDown).handler((input) => tearDown(input, ec2, systemClock));
