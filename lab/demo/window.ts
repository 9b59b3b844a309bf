import type { Receipt } from '../../lambdas/shared/contracts.ts';
import type { LogEntry } from '../aws/world.ts';
import { promiseOf } from '../promise.ts';
import { type Acknowledgement, longestGapMs } from '../workload.ts';

/** One bar of the timeline, in milliseconds from the moment that the first application stalled. */
export interface Span {
  label: string;
  from: number;
  to: number;
}

/** The frozen window, as the host proved it and as the writers felt it. */
export interface Window {
  spans: Span[];
  /** Longest time between two acknowledged transactions, over the run and before it. */
  longestPauseMs: number;
  usualPauseMs: number;
  /** The last transaction acknowledged before the freeze. */
  lastAcknowledged: number | null;
}

export interface WindowSources {
  readonly receipt: Receipt | undefined;
  /** Milliseconds since 1970 at the host's boot. */
  readonly clock: number;
  /** Every request to the endpoints. */
  readonly log: readonly LogEntry[];
  /** When the run began, milliseconds since 1970. */
  readonly since: number;
  readonly acknowledged: readonly Acknowledgement[];
}

export function windowOf({ receipt, clock, log, since, acknowledged }: WindowSources): Window {
  const sinceBoot = since - clock;
  const usual = longestGapMs(acknowledged.filter(({ ms }) => ms < sinceBoot));
  const felt = { longestPauseMs: longestGapMs(acknowledged, sinceBoot), usualPauseMs: usual };
  if (!receipt?.stalledAt) return { spans: [], ...felt, lastAcknowledged: null };
  const zero = receipt.stalledAt * 1000;
  const spans: Span[] = [];
  const add = (label: string, from: number | null, to: number | null) => {
    if (from !== null && to !== null) spans.push({ label, from: from * 1000 - zero, to: to * 1000 - zero });
  };
  for (const { name, lockedAt, releasedAt } of receipt.apps) add(`${name} held`, lockedAt, releasedAt);
  for (const { mount, frozenAt, thawedAt } of receipt.filesystems) add(`${mount} frozen`, frozenAt, thawedAt);
  for (const { origin, takenAt } of receipt.lvmSnapshots) add(`LVM snapshot of ${origin}`, takenAt, receipt.thawedAt);
  for (const { action, at, ms } of callsOf(log, since)) {
    spans.push({ label: action, from: at - clock - zero, to: at + ms - clock - zero });
  }
  return { spans, ...felt, lastAcknowledged: promiseOf(receipt, 'mariadb', acknowledged)?.least ?? null };
}

/** The one call that counts, without the rehearsal's dry run. */
const callsOf = (log: readonly LogEntry[], since: number): LogEntry[] =>
  log.filter(({ action, at, result }) => action === 'CreateSnapshots' && at >= since && result !== 'DryRunOperation');
