import { systemClock } from '../shared/clock.ts';
import { Graded } from '../shared/contracts.ts';
import { ec2Client, snapshotsById } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { checkSnapshots } from './check-snapshots.ts';

const snapshots = snapshotsById(ec2Client());

export const handler = step(Graded, STATES.checkSnapshots).handler(async (graded) =>
  checkSnapshots(graded, await snapshots(graded.snapshotIds), systemClock.now()),
);
