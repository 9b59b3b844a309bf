import { FIRST_LOOK_SECONDS, FLEET_FIRST_LOOK_SECONDS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { CaughtError, Graded, GradeInput, Hook, Verdict } from '../shared/contracts.ts';
import { errorOf, grade } from './grade.ts';
import { type Catalogue, type FoundSet, findSet, labelSet } from './label-set.ts';

/** Finds the run's set, grades it, labels it, and says how the run is to end. */
export const gradeRun = async (input: GradeInput, catalogue: Catalogue, clock: Clock): Promise<Graded> => {
  const found = await findSet(input, catalogue, clock);
  const verdict = grade(input, found.set, found.consistent);
  const members = found.set?.snapshots.map(({ snapshotId }) => snapshotId) ?? [];
  const error = errorOf(input, verdict);
  const evidence = evidenceOf(input, found, verdict, error);
  // What is deleted next needs no label.
  if (verdict.keep) await labelSet(input, found, verdict, evidence, catalogue);

  return {
    run: input.run,
    instanceId: input.instanceId,
    verdict,
    snapshotIds: verdict.keep ? members : [...members, ...found.strays],
    evidence,
    ...(error && { error }),
    ...(verdict.keep && members.length > 0 && input.policy.lock && { lock: input.policy.lock }),
    progress: {
      checks: 0,
      waitSeconds: input.turn ? FLEET_FIRST_LOOK_SECONDS : FIRST_LOOK_SECONDS,
      completed: false,
      percent: 0,
    },
  };
};

/** What is stored beside the set, whatever becomes of it. */
const evidenceOf = (
  input: GradeInput,
  { set, strays }: FoundSet,
  verdict: Verdict,
  error: CaughtError | undefined,
) => ({
  run: input.run,
  instance: input.instanceId,
  policy: input.policy,
  mode: input.mode,
  why: input.why,
  grade: verdict.grade,
  reasons: verdict.reasons,
  topology: input.topology,
  volumes: input.volumes,
  // What of the user's own ran there as root; SSM keeps the script under that version.
  ...(input.hook && { hook: hookWithoutScript(input.hook) }),
  receipt: input.thawed?.receipt ?? input.frozen?.receipt ?? null,
  snapshots: set?.snapshots ?? [],
  strays,
  times: {
    inspected: input.clock.sentAt,
    freezeSent: input.frozen?.sentAt ?? null,
    freezeAnswered: input.frozen?.answeredAt ?? null,
    snapshotsRequested: set?.requestedAt ?? null,
    snapshotsStarted: set?.startTime ?? null,
    snapshotsAnswered: set?.answeredAt ?? null,
    thawSent: input.thawed?.sentAt ?? null,
  },
  windowMs: verdict.windowMs,
  error: error ?? null,
  ...(input.vssCommand && { vss: input.vssCommand }),
});

const hookWithoutScript = ({ document, version, hash }: Hook) => ({ document, version, hash });
