import type { Graded } from '../shared/contracts.ts';
import { SnapshotFailedError, SnapshotGoneError, SnapshotsStuckError, StraySnapshotsError } from '../shared/errors.ts';
import { SET_TAGS } from '../shared/names.ts';

export interface SnapshotProgress {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
  percent: number;
  stateMessage: string;
  tags: Record<string, string>;
}

/** A set that has taken so long will hardly be there in the next moment: looks come at ages that grow by half. */
const LEAST_WAIT_SECONDS = 15;
const LONGEST_WAIT_SECONDS = 1_800;
/** Checks in which a snapshot may be missing because EC2 does not show it yet. */
const CHECKS_TO_APPEAR = 3;
/** A first full snapshot of 64 TiB takes about a day. */
const STUCK_HOURS = 48;

/** How far the set is, and when to look again. */
export const checkSnapshots = (
  { run, snapshotIds, progress }: Pick<Graded, 'run' | 'snapshotIds' | 'progress'>,
  all: readonly SnapshotProgress[],
  now: number,
): Graded['progress'] => {
  refuseStrays(run, snapshotIds, all);
  const found = all.filter(({ snapshotId }) => snapshotIds.includes(snapshotId));
  for (const snapshot of found) refuseFailed(run, snapshot);
  const missing = snapshotIds.filter((id) => !found.some((snapshot) => snapshot.snapshotId === id));
  if (missing.length > 0 && progress.checks >= CHECKS_TO_APPEAR) {
    throw new SnapshotGoneError(
      `${missing.join(', ')} of run ${run} is gone: somebody deleted it (DeleteSnapshot in CloudTrail); the set is no longer whole`,
    );
  }
  const late = found.find(
    ({ state, startTime }) => state !== 'completed' && now - Date.parse(startTime) > STUCK_HOURS * 3_600_000,
  );
  if (late) {
    throw new SnapshotsStuckError(
      `${late.snapshotId} of ${late.volumeId} is at ${late.percent} % ${STUCK_HOURS} h after its start; the set stays tagged and may still complete; ask AWS Support about this snapshot`,
    );
  }
  const sum = found.reduce((total, { state, percent }) => total + (state === 'completed' ? 100 : percent), 0);
  return {
    checks: progress.checks + 1,
    waitSeconds: nextWait(found, now),
    completed: missing.length === 0 && found.every(({ state }) => state === 'completed'),
    percent: snapshotIds.length ? Math.floor(sum / snapshotIds.length) : 0,
  };
};

const nextWait = (found: readonly SnapshotProgress[], now: number): number => {
  const startedAt = Math.min(now, ...found.map(({ startTime }) => Date.parse(startTime)));
  const halfOfAge = Math.ceil((now - startedAt) / 2_000);
  return Math.min(Math.max(halfOfAge, LEAST_WAIT_SECONDS), LONGEST_WAIT_SECONDS);
};

/** Nobody is to restore from two sets at once, nor to pay for one that nobody knows of. */
const refuseStrays = (run: string, snapshotIds: readonly string[], all: readonly SnapshotProgress[]): void => {
  const strays = all
    .filter(({ snapshotId, tags }) => !snapshotIds.includes(snapshotId) && tags[SET_TAGS.set] === run)
    .map(({ snapshotId }) => snapshotId);
  if (strays.length === 0) return;
  throw new StraySnapshotsError(
    `${strays.join(', ')} turned up after run ${run} was graded and is no part of its set, which is ${snapshotIds.join(', ')}: EC2 has carried out a request whose answer was lost; delete what turned up`,
  );
};

const refuseFailed = (run: string, { snapshotId, volumeId, state, stateMessage }: SnapshotProgress): void => {
  if (state !== 'error') return;
  throw new SnapshotFailedError(
    `${snapshotId} of ${volumeId} failed, and with it the whole set of run ${run}: ${stateMessage || 'EC2 gives no reason; look at the volume and at its KMS key'}`,
  );
};
