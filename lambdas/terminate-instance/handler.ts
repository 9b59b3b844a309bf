import { systemClock } from '../shared/clock.ts';
import { ec2Client } from '../shared/ec2.ts';
import { deregisterImage, imagesOfRestore, instancesOfRestore, terminate } from '../shared/ec2-launch.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { Restore } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { terminateInstance } from './terminate-instance.ts';

const client = ec2Client({ attempts: 8 });

const ec2 = {
  instances: instancesOfRestore(client),
  terminate: terminate(client),
  images: imagesOfRestore(client),
  deregister: deregisterImage(client),
};

export const handler = step(Restore, RESTORE_STATES.terminateInstance).handler((restore) =>
  terminateInstance(restore, ec2, systemClock),
);
