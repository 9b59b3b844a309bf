import { systemClock } from '../shared/clock.ts';
import { createVolume, ec2Client, volumesOfRestore } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { Restore } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { createVolumes } from './create-volumes.ts';

// CreateVolume refills at 5/s for the whole account, and nobody is frozen meanwhile.
const client = ec2Client({ attempts: 8 });

const volumes = { create: createVolume(client), ofRestore: volumesOfRestore(client) };

export const handler = step(Restore, RESTORE_STATES.createVolumes).handler((restore) =>
  createVolumes(restore, volumes, systemClock),
);
