/** Fakes with state: time that passes only when somebody sleeps, and an SSM that runs commands as the real one does. */
import type { Clock } from '../../lambdas/shared/clock.ts';
import type { Command, CommandChannel, Invocation } from '../../lambdas/shared/run-command.ts';
import { NOW } from './builders.ts';

export class FakeClock implements Clock {
  time = NOW;
  now = () => this.time;
  sleep = async (ms: number) => {
    this.time += ms;
  };
  chance = () => 0.5;
}

/** An error as the SDK throws it. `status` null: no answer ever came. */
export const awsError = (name: string, status: number | null = 400, message = 'said AWS'): Error =>
  Object.assign(new Error(message), { name, $metadata: status === null ? {} : { httpStatusCode: status } });

interface Ending extends Partial<Invocation> {
  /** The document's answer, on stdout. */
  answer?: unknown;
  /** Until the ending can be seen. */
  afterMs?: number;
}

/** SSM for one instance. It is eventually consistent: a command is not known in its first 300 ms. */
export class FakeSsm implements CommandChannel {
  readonly sent: (Command & { at: number; deliveryTimeoutSeconds: number })[] = [];
  readonly clock: FakeClock;
  readonly #endings: (Ending | Error)[] = [];
  readonly #running = new Map<string, Ending & { at: number }>();
  readonly #lookFaults: Error[] = [];

  /** The first command that was sent. */
  get first() {
    const [first] = this.sent;
    if (!first) throw new Error('nothing was sent');
    return first;
  }

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** What becomes of the next command; an error: it is not accepted. */
  next(ending: Ending | Error): this {
    this.#endings.push(ending);
    return this;
  }

  failLooks(...faults: Error[]): this {
    this.#lookFaults.push(...faults);
    return this;
  }

  send = async (command: Command, deliveryTimeoutSeconds: number): Promise<string> => {
    this.sent.push({ ...command, at: this.clock.now(), deliveryTimeoutSeconds });
    const ending = this.#endings.shift();
    if (!ending) throw new Error(`nobody told the fake what becomes of ${command.document}`);
    if (ending instanceof Error) throw ending;
    const id = `command-${this.sent.length}`;
    this.#running.set(id, { ...ending, at: this.clock.now() });
    return id;
  };

  look = async (commandId: string): Promise<Invocation | undefined> => {
    const fault = this.#lookFaults.shift();
    if (fault) throw fault;
    const running = this.#running.get(commandId);
    if (!running || this.clock.now() - running.at < 300) return undefined;
    const { answer, afterMs = 1_000, details = 'Success', code = 0, stdout, stderr = '' } = running;
    if (this.clock.now() - running.at < afterMs) return { details: 'InProgress', code: -1, stdout: '', stderr: '' };
    return { details, code, stdout: stdout ?? (answer === undefined ? '' : `${JSON.stringify(answer)}\n`), stderr };
  };
}

/** The error that a promise fails with. */
export const failure = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};
