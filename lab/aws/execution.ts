import { randomUUID } from 'node:crypto';
import { ExecutionAbortedError, ExecutionError, ExecutionTimeoutError, StateMachine } from 'aws-local-stepfunctions';
import { type Adapted, FAIL, observed, WAIT } from './asl.ts';
import { type Clock, realClock } from './clock.ts';
import { TaskFailure } from './lambda.ts';
import type { StateDefinition, StateMachineResource } from './template.ts';

/** One execution of a state machine. */
export class Execution {
  readonly arn: string;
  readonly name: string;
  readonly machine: StateMachineResource;
  readonly input: unknown;
  readonly startedAt: number;
  stoppedAt: number | undefined;
  status: ExecutionStatus = 'RUNNING';
  output: unknown;
  error: string | undefined;
  cause: string | undefined;
  readonly history: HistoryEvent[] = [];
  /** Resolves when the execution has ended, however that was. */
  readonly ended: Promise<Execution>;
  readonly #options: ExecutionOptions;
  readonly #stopping = new AbortController();
  #abort: () => void = () => {};

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.startedAt = options.clock.now();
    this.machine = options.machine;
    this.name = options.name;
    this.input = options.input;
    this.arn = `${options.machine.arn.replace(':stateMachine:', ':execution:')}:${options.name}`;
    this.ended = this.#run();
  }

  /** States in the order they were entered; a retry is not a new entry. */
  get path(): string[] {
    return this.history.filter(({ type }) => type === 'StateEntered').map(({ state }) => state ?? '');
  }

  /** StopExecution: ABORTED at once; no catcher runs, and a Lambda that is at work goes on. */
  stop(error?: string, cause?: string): void {
    if (this.status !== 'RUNNING') return;
    this.error = error;
    this.cause = cause;
    this.#stopping.abort();
    this.#abort();
  }

  async #run(): Promise<Execution> {
    // After the constructor has returned, so that whoever started it holds it already.
    await Promise.resolve();
    const { adapted, machine, name, input } = this.#options;
    const state = { Name: '', EnteredTime: '', RetryCount: 0 };
    const definition = observed(adapted.definition, (entered) => {
      Object.assign(state, { Name: entered, EnteredTime: this.#now().toISOString(), RetryCount: 0 });
      this.#options.onEnter(entered);
    });
    const handlers = Object.fromEntries(
      [...adapted.tasks].map(([task, written]) => [
        task,
        async (value: unknown) => {
          try {
            return await this.#task(task, written, value);
          } finally {
            if (state.Name === task) state.RetryCount += 1;
          }
        },
      ]),
    );
    const run = new StateMachine(definition as never, { validationOptions: { noValidate: true } }).run(input as never, {
      overrides: { taskResourceLocalHandlers: handlers as never },
      context: {
        Execution: { Id: this.arn, Name: name, RoleArn: machine.roleArn, RedriveCount: 0 },
        StateMachine: { Id: machine.arn, Name: machine.name },
        State: state,
      } as never,
    });
    this.#abort = run.abort;
    if (this.#stopping.signal.aborted) run.abort();
    const told = this.#tell(run.eventLogs as AsyncIterable<RawEvent>);
    try {
      this.output = await run.result;
      this.#end('SUCCEEDED');
    } catch (error) {
      this.#endWith(error);
    }
    await told;
    this.#options.onEnd(this);
    return this;
  }

  async #task(name: string, state: StateDefinition, input: unknown): Promise<unknown> {
    // The interpreter goes on with Retry after an abort; this ends it.
    if (this.#stopping.signal.aborted || this.status !== 'RUNNING')
      throw new Uncatchable('States.Runtime', 'the execution was stopped');
    if (state.Resource === WAIT) return this.#wait(input as WaitInput);
    if (state.Resource === FAIL) throw failed(input as { error?: string; cause?: string });
    const result = await this.#options.task({
      execution: this,
      name,
      resource: String(state.Resource),
      input,
      signal: this.#stopping.signal,
    });
    const bytes = Buffer.byteLength(JSON.stringify(result ?? null));
    if (bytes > MOST_BYTES) {
      throw new Uncatchable(
        'States.DataLimitExceeded',
        `The state/task '${name}' returned a result with a size exceeding the maximum number of bytes service limit.`,
      );
    }
    return result ?? null;
  }

  async #wait({ seconds, timestamp }: WaitInput): Promise<null> {
    if (timestamp === undefined && !(Number.isInteger(seconds) && Number(seconds) >= 0)) {
      throw new Uncatchable(
        'States.Runtime',
        `SecondsPath must lead to a whole number of seconds, not ${JSON.stringify(seconds)}`,
      );
    }
    const ms =
      timestamp === undefined ? Number(seconds) * 1000 : Math.max(0, Date.parse(timestamp) - this.#options.clock.now());
    // A referenced timer: a process that has nothing but a waiting execution must wait too.
    const keepAlive = setInterval(() => {}, 60_000);
    await realClock.sleep(ms * this.#options.timeScale, this.#stopping.signal);
    clearInterval(keepAlive);
    return null;
  }

  #endWith(error: unknown): void {
    if (error instanceof ExecutionAbortedError) {
      this.#end('ABORTED');
    } else if (error instanceof ExecutionTimeoutError) {
      this.error = 'States.Timeout';
      this.#stopping.abort();
      this.#end('TIMED_OUT');
    } else {
      const cause = error instanceof ExecutionError ? (error.cause as Error) : (error as Error);
      this.error = cause.name;
      this.cause = cause.message;
      this.#end('FAILED');
    }
  }

  #end(status: ExecutionStatus): void {
    this.status = status;
    this.stoppedAt = this.#options.clock.now();
  }

  #now(): Date {
    return new Date(this.#options.clock.now());
  }

  async #tell(events: AsyncIterable<RawEvent>): Promise<void> {
    for await (const raw of events) {
      const event: HistoryEvent = { at: this.#options.clock.now(), execution: this.arn, type: raw.type };
      if (raw.state) {
        event.state = raw.state.name;
        event.stateType = this.#options.adapted.types.get(raw.state.name) ?? raw.state.type;
        event.input = raw.state.input;
        if ('output' in raw.state) event.output = raw.state.output;
      }
      if (raw.Error !== undefined) event.error = raw.Error;
      if (raw.Cause !== undefined) event.cause = typeof raw.Cause === 'string' ? raw.Cause : JSON.stringify(raw.Cause);
      if (raw.retry) event.attempt = raw.retry.attempt;
      this.history.push(event);
      this.#options.onEvent(event);
    }
  }
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface HistoryEvent {
  at: number;
  /** ARN of the execution. */
  execution: string;
  /** ExecutionStarted, StateEntered, StateExited, StateFailed, StateRetried, StateCaught, MapIterationStarted … */
  type: string;
  state?: string;
  stateType?: string;
  input?: unknown;
  output?: unknown;
  error?: string;
  cause?: string;
  attempt?: number;
}

/** A task that the interpreter has come to. */
export interface TaskCall {
  execution: Execution;
  /** Name of the state. */
  name: string;
  resource: string;
  /** The state's Parameters, worked out. */
  input: unknown;
  /** Aborts when the execution is stopped. */
  signal: AbortSignal;
}

export interface ExecutionOptions {
  machine: StateMachineResource;
  adapted: Adapted;
  name: string;
  input: unknown;
  timeScale: number;
  clock: Clock;
  task(call: TaskCall): Promise<unknown>;
  onEnter(state: string): void;
  onEvent(event: HistoryEvent): void;
  onEnd(execution: Execution): void;
}

/** Largest input or result of a state. */
export const MOST_BYTES = 256 * 1024;

export const executionName = (): string => randomUUID();

/** An error that neither Retry nor Catch sees, not even with States.ALL. */
class Uncatchable extends Error {
  readonly isRetryable = false;
  readonly isCatchable = false;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

const failed = ({ error = '', cause = '' }: { error?: string; cause?: string }) => new TaskFailure(error, cause);

interface WaitInput {
  seconds?: unknown;
  timestamp?: string;
}

/** The interpreter's own log events. */
interface RawEvent {
  type: string;
  timestamp: number;
  state?: { name: string; type: string; input: unknown; output?: unknown };
  Error?: string;
  Cause?: unknown;
  retry?: { attempt: number };
}
