import { systemClock } from '../shared/clock.ts';
import { CreateSnapshotsInput } from '../shared/contracts.ts';
import { createSnapshots as create, ec2Client, snapshotsOfRun, snapshotsOfVolumes, volumesOf } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { createSnapshots, type Ebs } from './create-snapshots.ts';

// CreateSnapshots knows no client token: the SDK must not send it twice. The search for a lost set repeats itself.
const once = ec2Client({ attempts: 1 });
const often = ec2Client();

const ebs: Ebs = {
  create: create(once),
  ofRun: snapshotsOfRun(once),
  ofVolumes: snapshotsOfVolumes(often),
  volumes: volumesOf(often),
};

const STATE_OF = {
  rehearse: STATES.rehearse,
  frozen: STATES.createSnapshots,
  unfrozen: STATES.createUnfrozen,
} as const;

export const handler = step(CreateSnapshotsInput, ({ act }) => STATE_OF[act]).handler((input) =>
  createSnapshots(input, ebs, systemClock),
);
