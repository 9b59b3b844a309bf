import { systemClock } from '../shared/clock.ts';
import { deleteVolume, detachVolume, ec2Client, volumesOfRestore } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { Restore } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { removeVolumes } from './remove-volumes.ts';

const client = ec2Client({ attempts: 8 });

const ec2 = { ofRestore: volumesOfRestore(client), detach: detachVolume(client), delete: deleteVolume(client) };

export const handler = step(Restore, RESTORE_STATES.removeVolumes).handler((restore) =>
  removeVolumes(restore, ec2, systemClock),
);
