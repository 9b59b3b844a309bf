import type { Clock } from '../shared/clock.ts';
import type { Graded, GradeInput } from '../shared/contracts.ts';
import { errorOf, grade } from './grade.ts';
import { type Catalogue, findSet, labelSet } from './label-set.ts';

/** Finds the run's set, grades it, labels it, and says how the run is to end. */
export const gradeRun = async (input: GradeInput, catalogue: Catalogue, clock: Clock): Promise<Graded> => {
  const found = await findSet(input, catalogue, clock);
  const verdict = grade(input, found.set);
  // What is deleted next needs no label.
  if (verdict.keep) await labelSet(input, found, verdict, catalogue);

  const members = found.set?.snapshots.map(({ snapshotId }) => snapshotId) ?? [];
  const error = errorOf(input, verdict);
  return {
    run: input.run,
    instanceId: input.instanceId,
    verdict,
    snapshotIds: verdict.keep ? members : [...members, ...found.strays],
    evidence: {
      run: input.run,
      instance: input.instanceId,
      policy: input.policy,
      mode: input.mode,
      why: input.why,
      grade: verdict.grade,
      reasons: verdict.reasons,
      topology: input.topology,
      volumes: input.volumes,
      receipt: input.thawed?.receipt ?? input.frozen?.receipt ?? null,
      snapshots: found.set?.snapshots ?? [],
      strays: found.strays,
      times: {
        inspected: input.clock.sentAt,
        freezeSent: input.frozen?.sentAt ?? null,
        freezeAnswered: input.frozen?.answeredAt ?? null,
        snapshotsRequested: found.set?.requestedAt ?? null,
        snapshotsStarted: found.set?.startTime ?? null,
        snapshotsAnswered: found.set?.answeredAt ?? null,
        thawSent: input.thawed?.sentAt ?? null,
      },
      windowMs: verdict.windowMs,
      error: error ?? null,
    },
    ...(error && { error }),
    progress: { checks: 0, waitSeconds: FIRST_WAIT_SECONDS, completed: false, percent: 0 },
  };
};

/** A small incremental snapshot is there in less. */
const FIRST_WAIT_SECONDS = 15;
