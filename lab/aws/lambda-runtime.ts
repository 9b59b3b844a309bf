import { Worker } from 'node:worker_threads';

/** One execution environment of a function: a worker thread that stays warm until it is killed or dies. */
export class ExecutionEnvironment {
  readonly #worker: Worker;
  #settle: ((ending: Ending) => void) | undefined;
  #dead = false;

  constructor(spec: {
    bundle: string;
    handlerName: string;
    env: Record<string, string>;
    /** Time in the function, where it is not the machine's own. */
    time: FastTime | undefined;
    onOutput(text: string): void;
  }) {
    this.#worker = new Worker(new URL('./lambda-worker.ts', import.meta.url), {
      workerData: { bundle: spec.bundle, handlerName: spec.handlerName, time: spec.time },
      env: spec.env,
      // Not the flags of the process around it: a test runner's would start tests in here.
      execArgv: [],
      stdout: true,
      stderr: true,
    });
    this.#worker.stdout.setEncoding('utf8').on('data', spec.onOutput);
    this.#worker.stderr.setEncoding('utf8').on('data', spec.onOutput);
    this.#worker.on('message', (answer: FromWorker) => this.#end({ kind: 'answer', ...answer }));
    this.#worker.on('error', (error: Error) => this.#die({ kind: 'crash', why: `${error.name}: ${error.message}` }));
    this.#worker.on('exit', (code) => this.#die({ kind: 'crash', why: `exit status ${code}` }));
    this.#worker.unref();
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Handles one event; ends with its answer, or with whatever ended the environment before that. */
  invoke(message: ToWorker): Promise<Ending> {
    if (this.#dead) return Promise.resolve({ kind: 'crash', why: 'the environment is gone' });
    // A thread that works keeps the process alive, an idle one does not.
    this.#worker.ref();
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#worker.postMessage(message);
    });
  }

  /** Kills it at once, as Lambda does at a timeout: nothing in it gets to clean up. */
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

/** Milliseconds since the epoch from which on time passes `speed` times as fast. */
export interface FastTime {
  origin: number;
  speed: number;
}

export interface ToWorker {
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

export interface FromWorker {
  /** JSON text of the handler's result. */
  payload?: string;
  failure?: { errorType: string; errorMessage: string; trace: string[] };
}

export type Ending =
  | ({ kind: 'answer' } & FromWorker)
  | { kind: 'crash'; why: string }
  | { kind: 'timeout' }
  | { kind: 'killed' };
