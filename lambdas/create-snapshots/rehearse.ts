import { CREATE_SNAPSHOTS_MS, REHEARSE_WAIT_MS, SNAPSHOT_INTERVAL_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { CreateSnapshotsInput, Run } from '../shared/contracts.ts';
import { SnapshotLimitError, SnapshotTooSoonError, VolumesMismatchError } from '../shared/errors.ts';
import type { Ebs } from './create-snapshots.ts';
import { snapshotRequest } from './snapshot-request.ts';

export interface SeenSnapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
}

/** Output of *Rehearse*. */
export interface Rehearsal {
  /** For the volumes' last snapshots to grow old enough. */
  waitedMs: number;
}

/** Snapshots in flight that EC2 allows for one volume; those in state error count until they are deleted. */
const inFlightLimit = (volumeType: string): number => (['st1', 'sc1'].includes(volumeType) ? 1 : 5);

/** Whatever would refuse the set is to refuse it now, while nothing is frozen. */
export const rehearse = async (
  input: CreateSnapshotsInput,
  ebs: Ebs,
  clock: Clock,
  refusal: (error: unknown, run: Run) => unknown,
): Promise<Rehearsal> => {
  const { run } = input;
  const volumeIds = run.volumes.map(({ volumeId }) => volumeId);
  const [volumes, snapshots] = [await ebs.volumes(volumeIds), await ebs.ofVolumes(volumeIds)];
  for (const volumeId of volumeIds) {
    const volume = volumes.find((each) => each.volumeId === volumeId);
    if (!volume)
      throw new VolumesMismatchError(`${volumeId} is gone since the host was inspected; start the run again`);
    refuseCrowd(volumeId, volume.type, snapshots);
  }

  const waitedMs = await waitForInterval(snapshots, clock);
  // It costs a token of the bucket that a fleet is paced by, so there only the first few ask: all have one permission.
  if (run.turn?.dryRun !== false) await dryRun(input, ebs, refusal);
  return { waitedMs };
};

const refuseCrowd = (volumeId: string, type: string, snapshots: readonly SeenSnapshot[]): void => {
  const inFlight = snapshots.filter(
    (snapshot) => snapshot.volumeId === volumeId && ['pending', 'error'].includes(snapshot.state),
  );
  if (inFlight.length < inFlightLimit(type)) return;
  throw new SnapshotLimitError(
    `${volumeId} (${type}) has ${inFlight.length} snapshots in progress or in state error, and EC2 allows ${inFlightLimit(type)}; wait for them or delete them: ${inFlight.map((each) => `${each.snapshotId} ${each.state}`).join(', ')}`,
  );
};

const waitForInterval = async (snapshots: readonly SeenSnapshot[], clock: Clock): Promise<number> => {
  const latest = snapshots.reduce<SeenSnapshot | undefined>(
    (last, each) => (last === undefined || each.startTime > last.startTime ? each : last),
    undefined,
  );
  if (!latest) return 0;
  const waitMs = Date.parse(latest.startTime) + SNAPSHOT_INTERVAL_MS - clock.now();
  if (waitMs <= 0) return 0;
  if (waitMs > REHEARSE_WAIT_MS) {
    throw new SnapshotTooSoonError(
      `the last snapshot of ${latest.volumeId}, ${latest.snapshotId}, was started at ${latest.startTime}, and another can be taken only 15 s later; start the run again then`,
    );
  }
  await clock.sleep(waitMs);
  return waitMs;
};

const dryRun = async (
  input: CreateSnapshotsInput,
  ebs: Ebs,
  refusal: (error: unknown, run: Run) => unknown,
): Promise<void> => {
  try {
    await ebs.create(snapshotRequest(input), { dryRun: true, timeoutMs: CREATE_SNAPSHOTS_MS });
  } catch (error) {
    // EC2's way of saying that it would have worked.
    if ((error as Error).name !== 'DryRunOperation') throw refusal(error, input.run);
  }
};
