import { longestInterval } from '../lambdas/shared/firings.ts';
import type { Policy } from './plan.ts';

/** How old a set may grow. Where the plan says nothing, as old as two firings are apart, so that one of them may fail. */
export const rpoHours = (policy: Pick<Policy, 'rpoHours' | 'schedule' | 'timeZone'>): number =>
  policy.rpoHours ?? Math.ceil((2 * longestInterval(policy, FROM)) / 3_600_000);

/** Any instant does, but always the same: the same plan gives the same template. */
const FROM = Date.UTC(2026, 0, 1);
