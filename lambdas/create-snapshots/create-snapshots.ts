import type { CreateSnapshotsRequest } from '@aws-sdk/client-ec2';
import { isDefinite, isPassing, named } from '../shared/aws-errors.ts';
import { CREATE_SNAPSHOTS_MS, LAST_CALL_SECONDS, LOOKUP_MS, THAW_SECONDS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { CreateSnapshotsInput, Run, TakenSet } from '../shared/contracts.ts';
import {
  LeaseTooShortError,
  NotAnInstanceError,
  SnapshotAnswerLostError,
  SnapshotLimitError,
  SnapshotTooSoonError,
  TooManyTagsError,
} from '../shared/errors.ts';
import { isWhole, requestsOf } from '../shared/found-set.ts';
import { type Rehearsal, rehearse, type SeenSnapshot } from './rehearse.ts';
import { snapshotRequest } from './snapshot-request.ts';

/** Snapshots, as this state needs them. */
export interface Ebs {
  /** One attempt, never a second one. With `dryRun` it fails with `DryRunOperation` when it would have succeeded. */
  create(
    request: CreateSnapshotsRequest,
    how: { dryRun: boolean; timeoutMs: number },
  ): Promise<{ snapshotId: string; volumeId: string; startTime: string }[]>;
  /** What bears the run's tag. */
  ofRun(run: string): Promise<SeenSnapshot[]>;
  ofVolumes(volumeIds: readonly string[]): Promise<SeenSnapshot[]>;
  volumes(volumeIds: readonly string[]): Promise<{ volumeId: string; type: string }[]>;
}

/** *Rehearse*, *Create snapshots* and *Create snapshots unfrozen* are one function, so that what is rehearsed is what runs. */
export const createSnapshots = async (
  input: CreateSnapshotsInput,
  ebs: Ebs,
  clock: Clock,
): Promise<TakenSet | Rehearsal> => {
  switch (input.act) {
    case 'rehearse':
      return rehearse(input, ebs, clock, refusal);
    case 'frozen':
      return takeFrozen(input, ebs, clock);
    case 'unfrozen':
      return takeUnfrozen(input, ebs, clock);
  }
};

const takeFrozen = async (input: CreateSnapshotsInput, ebs: Ebs, clock: Clock): Promise<TakenSet> => {
  const { run } = input;
  // Counted from the moment Freeze was sent, which was before the host armed its lease: it can't end earlier.
  const leaseEndsAt = (run.frozen?.sentAt ?? 0) + run.policy.leaseSeconds * 1_000;
  const requestedAt = clock.now();
  const leftMs = leaseEndsAt - requestedAt;
  if (leftMs < LAST_CALL_SECONDS * 1_000) {
    throw new LeaseTooShortError(
      `${(leftMs / 1_000).toFixed(1)} s of the lease of ${run.policy.leaseSeconds} s are left, too little to take a set while frozen (${LAST_CALL_SECONDS} s); raise freeze.leaseSeconds of the policy`,
    );
  }
  try {
    return await take(input, ebs, clock, Math.min(CREATE_SNAPSHOTS_MS, leftMs - THAW_SECONDS * 1_000), true);
  } catch (error) {
    if (!(error instanceof AnswerLost)) throw error;
    // As long as the host can't have thawed by itself, a set that is found was taken while it was frozen.
    const until = Math.min(clock.now() + LOOKUP_MS, leaseEndsAt - 1_000);
    const found = await lookUp(run, ebs, clock, until).catch(() => undefined);
    if (!found) throw answerLost(run, error.cause);
    return { ...found, requestedAt, answeredAt: clock.now(), whileFrozen: clock.now() < leaseEndsAt };
  }
};

const takeUnfrozen = async (input: CreateSnapshotsInput, ebs: Ebs, clock: Clock): Promise<TakenSet> => {
  const { run } = input;
  const requestedAt = clock.now();
  const adopt = (found: Found): TakenSet => ({ ...found, requestedAt, answeredAt: clock.now(), whileFrozen: false });

  // An earlier request of this run may have been carried out though its answer was lost.
  const earlier = await lookUp(run, ebs, clock, run.frozen ? requestedAt + LOOKUP_MS : requestedAt);
  if (earlier) return adopt(earlier);
  try {
    return await take(input, ebs, clock, CREATE_SNAPSHOTS_MS, false);
  } catch (error) {
    if (!(error instanceof AnswerLost)) throw error;
    const found = await lookUp(run, ebs, clock, clock.now() + LOOKUP_MS).catch(() => undefined);
    if (!found) throw answerLost(run, error.cause);
    return adopt(found);
  }
};

/** The request was sent and what became of it is not known. */
class AnswerLost extends Error {}

const take = async (
  input: CreateSnapshotsInput,
  ebs: Ebs,
  clock: Clock,
  timeoutMs: number,
  whileFrozen: boolean,
): Promise<TakenSet> => {
  const requestedAt = clock.now();
  try {
    const created = await ebs.create(snapshotRequest(input), { dryRun: false, timeoutMs });
    return { ...asSet(created), requestedAt, answeredAt: clock.now(), whileFrozen };
  } catch (error) {
    if (isDefinite(error)) throw refusal(error, input.run);
    throw new AnswerLost('no answer', { cause: error });
  }
};

type Found = Pick<TakenSet, 'startTime' | 'snapshots'>;

const asSet = (snapshots: readonly { snapshotId: string; volumeId: string; startTime: string }[]): Found => ({
  startTime: snapshots[0]?.startTime ?? '',
  snapshots: snapshots.map(({ snapshotId, volumeId }) => ({ snapshotId, volumeId })),
});

const LOOK_EVERY_MS = 500;

/**
 * The run's set by its tag, once every volume shows in it: EC2 shows new snapshots one after another, and what VSS has
 * begun and given up may lie beside it. Not to be able to
 * look is not the same as to find nothing.
 */
const lookUp = async (run: Run, ebs: Ebs, clock: Clock, until: number): Promise<Found | undefined> => {
  for (;;) {
    let failed: unknown;
    try {
      const whole = requestsOf(await ebs.ofRun(run.run)).find((members) => isWhole(members, run.volumes));
      if (whole) return asSet(whole);
    } catch (error) {
      if (!isPassing(error)) throw error;
      failed = error;
    }
    if (clock.now() + LOOK_EVERY_MS > until) {
      if (failed) throw failed;
      return undefined;
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
};

const answerLost = (run: Run, cause: unknown): Error =>
  new SnapshotAnswerLostError(
    `no answer came to CreateSnapshots of ${run.instanceId} (${(cause as Error).name}: ${(cause as Error).message.split('\n')[0]}) and no set of run ${run.run} is to be found yet; it is not sent again blindly, and should one turn up, it bears this run's tag`,
    { cause },
  );

/** EC2's refusals by the names of the workflow. */
const refusal = (error: unknown, run: Run): unknown => {
  const { name, message } = error as Error;
  const said = `${name}: ${message}`;
  switch (name) {
    case 'SnapshotCreationPerVolumeRateExceeded':
      return new SnapshotTooSoonError(
        `EC2 takes one snapshot of a volume in 15 s, and something else has just taken one on ${run.instanceId} (${said}); find out what else makes snapshots there at this hour`,
        { cause: error },
      );
    case 'ConcurrentSnapshotLimitExceeded':
    case 'PendingSnapshotLimitExceeded':
    case 'SnapshotLimitExceeded':
    case 'ResourceLimitExceeded':
    case 'IncorrectState':
      return new SnapshotLimitError(
        `EC2 takes no more snapshots of ${run.instanceId} now (${said}); wait for those in progress, delete those in state error, or raise the quota`,
        { cause: error },
      );
    case 'TagLimitExceeded':
      return new TooManyTagsError(`a snapshot can't hold our tags (${said})`, { cause: error });
    case 'InvalidInstanceID.NotFound':
      return new NotAnInstanceError(`${run.instanceId} is gone (${said})`, { cause: error });
    default:
      return named('ec2:CreateSnapshots', error);
  }
};
