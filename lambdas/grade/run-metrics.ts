import type { GradeInput, Verdict } from '../shared/contracts.ts';
import { METRICS } from '../shared/names.ts';

/** What a run tells CloudWatch; and in the same line, for those who search the log, of which instance it speaks. */
export const runMetrics = (
  { run, instanceId, mode, policy, thawed, thawError }: GradeInput,
  { grade, reached, windowMs }: Verdict,
) => {
  const thawedBy = thawed?.receipt?.thawedBy;
  // Nobody let go of the host in time, or nobody knows: ring 3 had to do it.
  const stuck = thawError !== undefined || thawedBy === 'lease' || thawedBy === 'watchdog';
  return {
    values: {
      [METRICS.downgraded]: reached ? 0 : 1,
      [METRICS.stuckThaws]: stuck ? 1 : 0,
      ...(windowMs !== null && { [METRICS.windowMs]: windowMs }),
    },
    more: { runId: run, instanceId, mode, grade: grade ?? 'none', wanted: policy.grade },
  };
};
