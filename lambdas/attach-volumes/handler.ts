import { systemClock } from '../shared/clock.ts';
import { attachVolume, ec2Client, instanceOf, volumesOfRestore } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { Restore } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { attachVolumes } from './attach-volumes.ts';

const client = ec2Client({ attempts: 8 });

const ec2 = { ofRestore: volumesOfRestore(client), instance: instanceOf(client), attach: attachVolume(client) };

export const handler = step(Restore, RESTORE_STATES.attachVolumes).handler((restore) =>
  attachVolumes(restore, ec2, systemClock),
);
