import { randomUUID } from 'node:crypto';
import { Faults } from './faults.ts';
import {
  type Ending,
  type EnvironmentSpec,
  type ExecutionEnvironment,
  type HandlerEvent,
  WorkerEnvironment,
} from './lambda-runtime.ts';

/** Runs the bundles that ship, each in environments of its own, with the manners and the errors of Lambda. */
export class Lambdas {
  readonly faults = new Faults<LambdaTarget, LambdaFault>();
  /** What the functions wrote to their console. */
  readonly logs: LogLine[] = [];
  onLog: ((line: LogLine) => void) | undefined;
  /** Every invocation, in the order of its start. */
  readonly invocations: Invocation[] = [];
  onEnd: ((invocation: Invocation, spec: LambdaFunction) => void) | undefined;
  readonly #functions = new Map<string, LambdaFunction>();
  readonly #idle = new Map<string, ExecutionEnvironment[]>();
  readonly #all = new Set<ExecutionEnvironment>();
  readonly #options: LambdasOptions;
  #closed = false;

  constructor(options: LambdasOptions) {
    this.#options = options;
  }

  add(spec: LambdaFunction): void {
    this.#functions.set(spec.name, spec);
  }

  /** The function of a name, an ARN, or either with a version or alias behind it. */
  find(nameOrArn: string): LambdaFunction | undefined {
    const name = /^arn:aws:lambda:[^:]*:[^:]*:function:([^:]+)/.exec(nameOrArn)?.[1] ?? nameOrArn.split(':')[0] ?? '';
    return this.#functions.get(name);
  }

  /** Invokes a function and waits for it; every failure is a `TaskFailure`, as Step Functions would see it. */
  async invoke(nameOrArn: string, event: unknown, state = ''): Promise<unknown> {
    const spec = this.find(nameOrArn);
    if (!spec) throw new TaskFailure('Lambda.ResourceNotFoundException', `Function not found: ${nameOrArn}`);
    const text = JSON.stringify(event ?? {});
    if (Buffer.byteLength(text) > MOST_BYTES) {
      throw new TaskFailure(
        'Lambda.RequestEntityTooLargeException',
        `${Buffer.byteLength(text)} byte payload is too large`,
      );
    }
    const fault = this.faults.strike({ functionName: spec.name, state }, event);
    const invocation: Invocation = { functionName: spec.name, state, event, startedAt: Date.now(), result: 'running' };
    if (fault) invocation.fault = fault;
    this.invocations.push(invocation);
    try {
      const result = await this.#run(spec, text, fault);
      invocation.result = 'ok';
      return result;
    } catch (error) {
      invocation.result = (error as Error).name;
      throw error;
    } finally {
      invocation.endedAt = Date.now();
      this.onEnd?.(invocation, spec);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((environment) => environment.kill()));
    this.#all.clear();
    this.#idle.clear();
  }

  async #run(spec: LambdaFunction, event: string, fault: LambdaFault | undefined): Promise<unknown> {
    if (fault?.kind === 'throttle') throw new TaskFailure('Lambda.TooManyRequestsException', 'Rate Exceeded.');
    if (fault?.kind === 'error') throw new TaskFailure(fault.error, fault.cause ?? '{}');
    if (fault?.kind === 'killBefore') throw crashed('exit status 137');
    if (fault?.kind === 'stuck') {
      await sleep(this.#scaled(spec.timeoutSeconds * 1000));
      return read(spec, randomUUID(), { kind: 'timeout' });
    }
    if (fault?.kind === 'delay') await sleep(this.#scaled(fault.ms));
    if (this.#closed) throw crashed('the lab was closed');
    const requestId = randomUUID();
    const startedAt = Date.now();
    await sleep(this.#options.computeMs?.() ?? 0);
    const ending = await this.#invokeOnce(spec, event, requestId, fault);
    const answer = read(spec, requestId, ending);
    if (fault?.kind === 'hang') {
      await sleep(startedAt + this.#scaled(spec.timeoutSeconds * 1000) - Date.now());
      return read(spec, requestId, { kind: 'timeout' });
    }
    if (fault?.kind === 'lostAnswer') {
      throw new TaskFailure(
        'Lambda.Unknown',
        'The cause could not be determined because Lambda did not return an error type. Returned payload: null',
      );
    }
    return fault?.kind === 'malformed' ? (fault.payload ?? null) : answer;
  }

  async #invokeOnce(
    spec: LambdaFunction,
    event: string,
    requestId: string,
    fault: LambdaFault | undefined,
  ): Promise<Ending> {
    const environment = this.#idle.get(spec.name)?.pop() ?? this.#start(spec);
    const timeoutMs = this.#scaled(spec.timeoutSeconds * 1000);
    const timers = [setTimeout(() => void environment.kill({ kind: 'timeout' }), timeoutMs)];
    if (fault?.kind === 'killAfter') timers.push(setTimeout(() => void environment.kill(), this.#scaled(fault.ms)));
    if (fault?.kind === 'killWhen') void fault.due().then(() => environment.kill());
    const ending = await environment.invoke({
      event,
      context: context(spec, requestId, Date.now() + timeoutMs),
    });
    for (const timer of timers) clearTimeout(timer);
    const idle = this.#idle.get(spec.name) ?? [];
    if (!environment.dead && idle.length >= MOST_IDLE) await environment.kill();
    if (environment.dead) this.#all.delete(environment);
    else this.#idle.set(spec.name, [...idle, environment]);
    return ending;
  }

  #start(spec: LambdaFunction): ExecutionEnvironment {
    const [, handlerName = 'handler'] = spec.handler.split('.');
    const start = this.#options.start ?? ((each) => new WorkerEnvironment(each));
    const environment = start({
      bundle: spec.bundle,
      handlerName,
      env: {
        // PATH and HOME are there on Lambda too; nothing else of this machine is.
        PATH: process.env.PATH ?? '',
        TZ: ':UTC',
        LANG: 'en_US.UTF-8',
        AWS_SESSION_TOKEN: 'lab',
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        AWS_LAMBDA_FUNCTION_NAME: spec.name,
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMB ?? 128),
        AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
        LAMBDA_TASK_ROOT: '/var/task',
        _HANDLER: spec.handler,
        _X_AMZN_TRACE_ID: 'Root=1-00000000-000000000000000000000000;Sampled=0',
        ...this.#options.environment(spec),
        ...spec.environment,
      },
      onOutput: (text) => this.#log(spec.name, text),
    });
    this.#all.add(environment);
    return environment;
  }

  #scaled(ms: number): number {
    return ms * (this.#options.timeScale ?? 1);
  }

  #log(functionName: string, text: string): void {
    for (const raw of text.split('\n').filter((line) => line.trim() !== '')) {
      const line = { functionName, at: Date.now(), text: raw, ...parsed(raw) };
      this.logs.push(line);
      this.onLog?.(line);
    }
  }
}

export interface LambdasOptions {
  /** What every function gets beside its own variables: endpoint, region, credentials of its role. */
  environment(spec: LambdaFunction): Record<string, string>;
  /** Starts an execution environment. @default a worker thread */
  readonly start?: (spec: EnvironmentSpec) => ExecutionEnvironment;
  /** Multiplies the functions' timeouts and the times of faults, so that 90 s can be seen to end in 90 ms. @default 1 */
  readonly timeScale?: number;
  /** What an invocation takes beside its waiting. @default 0 */
  readonly computeMs?: () => number;
}

/** An error as Step Functions sees it: `name` is what Retry and Catch match, `message` is the Cause. */
export class TaskFailure extends Error {
  constructor(error: string, cause: string) {
    super(cause);
    this.name = error;
  }
}

/** A deployed function. */
export interface LambdaFunction {
  readonly name: string;
  readonly arn: string;
  /** Path of the bundle's module. */
  readonly bundle: string;
  /** `<file>.<export>` */
  readonly handler: string;
  readonly environment: Record<string, string>;
  readonly timeoutSeconds: number;
  readonly memoryMB?: number;
  /** Of an asynchronous invocation. @default 2 */
  readonly retries?: number;
  /** ARN of its role: its calls are logged, and judged, as this role's. */
  readonly role: string;
  /** Name of the group that its log goes to. */
  readonly logGroup?: string;
}

export interface LambdaTarget {
  functionName: string;
  /** Name of the state that invokes; empty outside a workflow. Leave out the one that does not matter. */
  state: string;
}

export type LambdaFault =
  /** The environment dies before the handler starts. */
  | { kind: 'killBefore' }
  /** The environment is killed while the handler runs. */
  | { kind: 'killAfter'; ms: number }
  /** The environment is killed when this has come about, if the handler still runs. */
  | { kind: 'killWhen'; due: () => Promise<void> }
  /** The environment never gets to its handler, and Lambda kills it when its time is over. */
  | { kind: 'stuck' }
  /** The handler does its work and does not end: Lambda kills it when its time is over. */
  | { kind: 'hang' }
  /** The handler does its work, the answer does not arrive. */
  | { kind: 'lostAnswer' }
  /** The handler does its work, the answer is something else (null by default). */
  | { kind: 'malformed'; payload?: unknown }
  /** An error in the handler's place. */
  | { kind: 'error'; error: string; cause?: string }
  | { kind: 'throttle' }
  /** The invocation starts late. */
  | { kind: 'delay'; ms: number };

export interface Invocation extends LambdaTarget {
  event: unknown;
  startedAt: number;
  endedAt?: number;
  /** `running`, `ok`, or the name of the error. */
  result: string;
  fault?: LambdaFault;
}

export interface LogLine {
  functionName: string;
  at: number;
  text: string;
  /** The line's content, where it is a JSON document. */
  json?: unknown;
}

/** Environments of one function that wait for work: each holds some 50 MB. */
const MOST_IDLE = 10;

/** Limit of a synchronous invocation's event and answer. */
const MOST_BYTES = 6 * 1024 * 1024;

function read(spec: LambdaFunction, requestId: string, ending: Ending): unknown {
  switch (ending.kind) {
    case 'timeout':
      throw failed(
        'Sandbox.Timedout',
        `RequestId: ${requestId} Error: Task timed out after ${spec.timeoutSeconds.toFixed(2)} seconds`,
      );
    case 'crash':
      throw crashed(ending.why);
    case 'killed':
      throw crashed('signal: killed');
    case 'answer': {
      if (ending.failure) throw new TaskFailure(ending.failure.errorType, JSON.stringify(ending.failure));
      const payload = ending.payload ?? 'null';
      if (Buffer.byteLength(payload) > MOST_BYTES) {
        throw failed(
          'Function.ResponseSizeTooLarge',
          'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
        );
      }
      return JSON.parse(payload);
    }
  }
}

const context = (spec: LambdaFunction, awsRequestId: string, deadline: number): HandlerEvent['context'] => ({
  awsRequestId,
  functionName: spec.name,
  functionVersion: '$LATEST',
  invokedFunctionArn: spec.arn,
  memoryLimitInMB: String(spec.memoryMB ?? 128),
  logGroupName: `/aws/lambda/${spec.name}`,
  logStreamName: awsRequestId,
  deadline,
});

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const failed = (errorType: string, errorMessage: string) =>
  new TaskFailure(errorType, JSON.stringify({ errorType, errorMessage }));
const crashed = (why: string) => failed('Runtime.ExitError', `RequestId: lab Error: Runtime exited with error: ${why}`);

function parsed(line: string): { json?: unknown } {
  try {
    return { json: JSON.parse(line) };
  } catch {
    return {};
  }
}
