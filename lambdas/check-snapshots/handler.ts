import { systemClock } from '../shared/clock.ts';
import { Graded } from '../shared/contracts.ts';
import { ec2Client, snapshotsById, snapshotsOfRun } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { checkSnapshots } from './check-snapshots.ts';

const client = ec2Client();
const [byId, ofRun] = [snapshotsById(client), snapshotsOfRun(client)];

export const handler = step(Graded, STATES.checkSnapshots).handler(async (graded) =>
  checkSnapshots(graded, await known(graded), systemClock.now()),
);

/** By tag, which shows what turned up as well; by id what EC2 does not show by its tag yet. */
const known = async ({ run, snapshotIds }: Graded) => {
  const tagged = await ofRun(run);
  const untagged = snapshotIds.filter((id) => !tagged.some(({ snapshotId }) => snapshotId === id));
  return untagged.length > 0 ? [...tagged, ...(await byId(untagged))] : tagged;
};
