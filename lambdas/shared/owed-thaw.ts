/** Whether a run has left a thaw undone, as its execution history tells. */
import { STATES } from './names.ts';

/** An event of an execution's history, in the order that it happened. */
export interface HistoryEvent {
  type: string;
  /** Name of the state that was entered or left; empty for other events. */
  state: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Name of the error, of a task's try that ended in one. */
  error?: string;
}

/**
 * `since`: when *Freeze* was entered without a *Thaw* that succeeded later; undefined when nothing was frozen, or it was
 * thawed. `ended`: the history goes on to the execution's end.
 */
export interface OwedThaw {
  since: number | undefined;
  thawed: boolean;
  ended: boolean;
}

/** Reads no further than it must: the frozen window is at the beginning of a run, and hours of waiting come after it. */
export const owedThaw = async (history: AsyncIterable<HistoryEvent>): Promise<OwedThaw> => {
  let state = '';
  let since: number | undefined;
  for await (const event of history) {
    if (event.type.endsWith('StateEntered')) state = event.state;
    if (event.type === 'TaskStateEntered' && state === STATES.freeze) since = event.at;
    // Not that the state was left: that happens after an error that was caught, too.
    if (state === STATES.thaw && SUCCEEDED.has(event.type)) return { since: undefined, thawed: true, ended: false };
    if (ENDED.has(event.type)) return { since, thawed: false, ended: true };
  }
  return { since, thawed: false, ended: false };
};

const SUCCEEDED = new Set(['LambdaFunctionSucceeded', 'TaskSucceeded']);
const ENDED = new Set(['ExecutionSucceeded', 'ExecutionFailed', 'ExecutionTimedOut', 'ExecutionAborted']);
