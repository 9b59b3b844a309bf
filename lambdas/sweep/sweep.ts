import { LONGEST_LEASE_SECONDS } from '../shared/budget.ts';
import type { CheckThawInput, SweepInput } from '../shared/contracts.ts';
import { type HistoryEvent, owedThaw } from '../shared/owed-thaw.ts';
import type { ListedExecution } from '../shared/sfn.ts';

export interface Runs {
  list(
    stateMachineArn: string,
    status: 'RUNNING' | 'FAILED' | 'TIMED_OUT' | 'ABORTED',
    since: number,
  ): Promise<ListedExecution[]>;
  history(executionArn: string): AsyncIterable<HistoryEvent>;
  inputOf(executionArn: string): Promise<string>;
  startOnce(stateMachineArn: string, name: string, input: CheckThawInput): Promise<boolean>;
}

const MINUTES = 60_000;
/** A run that goes on is left alone until every lease is over, and its own thaw has been tried for a while. */
const OVERDUE_MS = LONGEST_LEASE_SECONDS * 1_000 + 2 * MINUTES;
/** The event of a run's end has so long to bring its rescue about. */
const EVENT_MS = 2 * MINUTES;
/** Ended runs are looked at for so long: six sweeps. */
const LOOK_BACK_MS = 30 * MINUTES;
/** Histories read at once: Step Functions gives 20 a second and account. */
const AT_ONCE = 5;
/** The longest that a run can wait for its snapshots is two days. */
const LONGEST_RUN_MS = 72 * 60 * MINUTES;

/**
 * The last resort in the account, for an event that got lost (EventBridge delivers at best effort) and a run that hangs:
 * starts the rescue of every run that owes a thaw, once, since a rescue of the sweeper's has the name of its run.
 */
export const sweep = async ({ backup, rescue }: SweepInput, runs: Runs, now: number): Promise<Swept> => {
  const going = await runs.list(backup, 'RUNNING', now - LONGEST_RUN_MS);
  const ended = [
    ...(await runs.list(backup, 'FAILED', now - LONGEST_RUN_MS)),
    ...(await runs.list(backup, 'TIMED_OUT', now - LONGEST_RUN_MS)),
    ...(await runs.list(backup, 'ABORTED', now - LONGEST_RUN_MS)),
  ].filter(({ stoppedAt = now }) => stoppedAt < now - EVENT_MS && stoppedAt > now - LOOK_BACK_MS);

  const swept: Swept = { looked: 0, rescued: [], unread: [] };
  const look = async (run: ListedExecution): Promise<void> => {
    swept.looked += 1;
    try {
      const { since } = await owedThaw(runs.history(run.arn));
      if (since === undefined || (run.stoppedAt === undefined && since > now - OVERDUE_MS)) return;
      const input = { executionArn: run.arn, name: run.name, input: await runs.inputOf(run.arn) };
      if (await runs.startOnce(rescue, run.name, input)) swept.rescued.push(run.name);
    } catch (error) {
      // One run that can't be seen to must not keep the others waiting; the sweep fails after the last.
      swept.unread.push(`${run.name}: ${(error as Error).name}`);
    }
  };
  const waiting = [...ended, ...going.filter(({ startedAt }) => startedAt < now - OVERDUE_MS)];
  const lane = async () => {
    for (let run = waiting.shift(); run; run = waiting.shift()) await look(run);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (swept.unread.length > 0) {
    throw new AggregateError(
      [],
      `${swept.unread.length} of ${swept.looked} runs could not be looked at: ${swept.unread.slice(0, 5).join(', ')}`,
    );
  }
  return swept;
};

/** Output of the sweep, for its log. */
export interface Swept {
  looked: number;
  /** Runs whose rescue this sweep has started. */
  rescued: string[];
  unread: string[];
}
