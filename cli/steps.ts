/** What an execution has done so far, as its history tells: one step for each state that does work. */
import type { HistoryEvent } from '../lambdas/shared/owed-thaw.ts';

export interface Step {
  state: string;
  startedAt: number;
  ms: number;
  /** A loop goes through a state several times: one step, from its first entry to its last end. */
  times: number;
  /** Of its last try, when it ended in one. */
  error?: string;
}

export interface Course {
  steps: Step[];
  /** The state that it is in, and since when. */
  current: { state: string; since: number; waits: boolean } | undefined;
}

export const stepsOf = async (history: AsyncIterable<HistoryEvent>): Promise<Course> => {
  const steps = new Map<string, Step>();
  let current: Course['current'];
  let error: string | undefined;
  let open: { state: string; at: number } | undefined;
  const close = (at: number) => {
    if (!open) return;
    const before = steps.get(open.state);
    const startedAt = before?.startedAt ?? open.at;
    steps.set(open.state, {
      state: open.state,
      startedAt,
      ms: at - startedAt,
      times: (before?.times ?? 0) + 1,
      ...(error !== undefined && { error }),
    });
    open = undefined;
    error = undefined;
  };
  for await (const event of history) {
    if (event.type.endsWith('StateEntered')) {
      current = { state: event.state, since: event.at, waits: event.type === 'WaitStateEntered' };
      if (event.type === 'TaskStateEntered' || event.type === 'MapStateEntered')
        open = { state: event.state, at: event.at };
    } else if (SUCCEEDED.has(event.type)) error = undefined;
    else if (event.error !== undefined && open) error = event.error;
    else if (event.type.endsWith('StateExited') && event.state === open?.state) close(event.at);
    else if (event.type.startsWith('Execution') && event.type !== 'ExecutionStarted') {
      close(event.at);
      current = undefined;
    }
  }
  return { steps: [...steps.values()], current };
};

/** Those that are over for good. A run that waits comes back to the state before, which is told once, at its end. */
export const settledSteps = ({ steps, current }: Course): Step[] =>
  steps.filter((step, at) => !current || !(step.state === current.state || (current.waits && at === steps.length - 1)));

const SUCCEEDED = new Set(['LambdaFunctionSucceeded', 'TaskSucceeded']);
