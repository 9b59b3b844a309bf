import { Worker } from 'node:worker_threads';

/** One execution environment of a function: loads the bundle once, then handles one event after the other. */
export interface ExecutionEnvironment {
  readonly dead: boolean;
  /** Handles one event; ends with its answer, or with whatever ended the environment before that. */
  invoke(event: HandlerEvent): Promise<Ending>;
  /** Kills it at once, as Lambda does at a timeout: nothing in it gets to clean up. */
  kill(ending?: Ending): Promise<void>;
}

export interface EnvironmentSpec {
  /** Path of the bundle's module. */
  readonly bundle: string;
  readonly handlerName: string;
  readonly env: Record<string, string>;
  onOutput(text: string): void;
}

/** A worker thread that stays warm until it is killed or dies. */
export class WorkerEnvironment implements ExecutionEnvironment {
  readonly #worker: Worker;
  #settle: ((ending: Ending) => void) | undefined;
  #dead = false;

  constructor({ bundle, handlerName, env, onOutput }: EnvironmentSpec) {
    this.#worker = new Worker(new URL('./lambda-worker.ts', import.meta.url), {
      workerData: { bundle, handlerName },
      env,
      // Not the flags of the process around it: a test runner's would start tests in here.
      execArgv: [],
      stdout: true,
      stderr: true,
    });
    this.#worker.stdout.setEncoding('utf8').on('data', onOutput);
    this.#worker.stderr.setEncoding('utf8').on('data', onOutput);
    this.#worker.on('message', (answer: HandlerAnswer) => this.#end({ kind: 'answer', ...answer }));
    this.#worker.on('error', (error: Error) => this.#die({ kind: 'crash', why: `${error.name}: ${error.message}` }));
    this.#worker.on('exit', (code) => this.#die({ kind: 'crash', why: `exit status ${code}` }));
    this.#worker.unref();
  }

  get dead(): boolean {
    return this.#dead;
  }

  invoke(event: HandlerEvent): Promise<Ending> {
    if (this.#dead) return Promise.resolve({ kind: 'crash', why: 'the environment is gone' });
    // A thread that works keeps the process alive, an idle one does not.
    this.#worker.ref();
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#worker.postMessage(event);
    });
  }

  async kill(ending: Ending = { kind: 'killed' }): Promise<void> {
    this.#die(ending);
    await this.#worker.terminate();
  }

  #die(ending: Ending): void {
    this.#dead = true;
    this.#end(ending);
  }

  #end(ending: Ending): void {
    this.#worker.unref();
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(ending);
  }
}

export interface HandlerEvent {
  /** JSON text. */
  event: string;
  context: {
    awsRequestId: string;
    functionName: string;
    functionVersion: string;
    invokedFunctionArn: string;
    memoryLimitInMB: string;
    logGroupName: string;
    logStreamName: string;
    /** Milliseconds since the epoch. */
    deadline: number;
  };
}

export interface HandlerAnswer {
  /** JSON text of the handler's result. */
  payload?: string;
  failure?: { errorType: string; errorMessage: string; trace: string[] };
}

export type Ending =
  | ({ kind: 'answer' } & HandlerAnswer)
  | { kind: 'crash'; why: string }
  | { kind: 'timeout' }
  | { kind: 'killed' };
