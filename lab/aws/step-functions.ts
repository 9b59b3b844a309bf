import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Adapted, adapt, MAP } from './asl.ts';
import { type Clock, realClock } from './clock.ts';
import { AwsError } from './errors.ts';
import { matches, targetInput } from './event-pattern.ts';
import { Execution, executionName, type HistoryEvent, MOST_BYTES, type TaskCall } from './execution.ts';
import { type Lambdas, TaskFailure } from './lambda.ts';
import { type Child, type ChildEnd, type MapSpec, runMap } from './map-run.ts';
import { SdkTasks } from './sdk-task.ts';
import { statesOperations } from './states-operations.ts';
import type { RuleResource, RuleTarget, Stack, StateMachineResource } from './template.ts';
import { validate } from './validate.ts';
import type { Operations } from './world.ts';

/**
 * Runs a stack's state machines as they were synthesised: Lambda tasks in their shipped bundles, SDK tasks against the
 * endpoint, and the EventBridge rules that wait for an execution's end. The gaps of the interpreter stand in asl.ts.
 */
export class StepFunctions {
  readonly executions: Execution[] = [];
  /** EventBridge events that were sent, whether a rule wanted them or not. */
  readonly events: StatusEvent[] = [];
  /** Deliveries to a rule's target that failed for good. */
  readonly deadLetters: { target: RuleTarget; input: unknown; error: string }[] = [];
  /** What was published to SNS. */
  readonly published: unknown[] = [];
  /** What was put on an event bus by a workflow. */
  readonly putEvents: unknown[] = [];
  /** As the `states` service of the endpoint. */
  readonly operations: Operations = statesOperations(this);
  onEvent: ((event: HistoryEvent) => void) | undefined;
  /** Called when an execution is about to do a state: one that is stopped here does not begin it. */
  onEnter: ((execution: Execution, state: string) => void) | undefined;
  /** EventBridge delivers at best effort: a test may lose events here. */
  loseEvent: ((event: StatusEvent) => boolean) | undefined;
  /** It tries for its time to hand an event to a target, and leaves it in the dead letter queue: a test may have that at once. */
  undeliverable: ((target: RuleTarget, input: unknown) => boolean) | undefined;
  /** It delivers at least once: a test may have events delivered again. */
  repeatEvent: ((event: StatusEvent) => boolean) | undefined;
  readonly #options: StepFunctionsOptions;
  readonly #sdk: SdkTasks;
  readonly #adapted = new Map<string, Adapted>();
  readonly #byArn = new Map<string, Execution>();
  readonly #pending = new Set<Promise<unknown>>();

  constructor(options: StepFunctionsOptions) {
    this.#options = options;
    this.#sdk = new SdkTasks((roleArn) => options.sdkConfig(roleArn));
  }

  /** Starts an execution; a name that is open with the same input gives that execution, any other use of it is an error. */
  start(machine: string, input: unknown = {}, name: string = executionName()): Execution {
    const resource = this.machine(machine);
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(name)) throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
    if (Buffer.byteLength(JSON.stringify(input)) > MOST_BYTES) {
      throw new AwsError('InvalidExecutionInput', 'The input exceeds 256 KiB');
    }
    const known = this.find(arnOf(resource, name));
    if (known) {
      if (known.status === 'RUNNING' && isDeepStrictEqual(known.input, input)) return known;
      throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${known.arn}'`);
    }
    const execution = this.#execute(resource, this.#adapt(resource), name, input, (ended) => this.#announce(ended));
    this.#announce(execution);
    return execution;
  }

  #execute(
    machine: StateMachineResource,
    adapted: Adapted,
    name: string,
    input: unknown,
    onEnd: (execution: Execution) => void,
  ): Execution {
    const execution: Execution = new Execution({
      machine,
      adapted,
      name,
      input,
      timeScale: this.#options.timeScale ?? 1,
      clock: this.#options.clock ?? realClock,
      task: (call) => this.#task(call),
      onEnter: (state) => this.onEnter?.(execution, state),
      onEvent: (event) => this.onEvent?.(event),
      onEnd,
    });
    this.executions.push(execution);
    this.#byArn.set(execution.arn, execution);
    this.#track(execution.ended);
    return execution;
  }

  find(arn: string): Execution | undefined {
    return this.#byArn.get(arn);
  }

  /** Starts an execution and waits for its end. */
  async run(machine: string, input: unknown = {}, name?: string): Promise<Execution> {
    return await this.start(machine, input, name).ended;
  }

  /** Waits until no execution runs and no event is on its way: the rescue's work is done then, too. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled([...this.#pending]);
  }

  get machines(): readonly StateMachineResource[] {
    return this.#options.stack.stateMachines;
  }

  machine(nameOrArn: string): StateMachineResource {
    const found = this.#options.stack.stateMachines.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn);
    if (!found) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${nameOrArn}'`);
    return found;
  }

  close(): void {
    for (const execution of this.executions) execution.stop();
    this.#sdk.close();
  }

  #adapt(machine: StateMachineResource): Adapted {
    const known = this.#adapted.get(machine.arn);
    if (known) return known;
    // As it was synthesised; what is adapted later is not valid any more (fractions of seconds).
    validate(machine.definition);
    const { timeScale = 1, timeoutScale = 1 } = this.#options;
    const adapted = adapt(machine.definition, { time: timeScale, timeout: timeoutScale });
    this.#adapted.set(machine.arn, adapted);
    return adapted;
  }

  async #task(call: TaskCall): Promise<unknown> {
    const { resource, input, name, execution } = call;
    if (resource === MAP) return await this.#mapRun(call);
    const own = this.#options.integrations?.[resource];
    if (own) return await own(input, call);
    if (resource.startsWith('arn:aws:lambda:')) return await this.#options.lambdas.invoke(resource, input, name);
    const service = resource.replace(/^arn:aws:states:[^:]*:[^:]*:/, '');
    if (service === 'lambda:invoke') {
      const { FunctionName = '', Payload } = input as { FunctionName?: string; Payload?: unknown };
      const payload = await this.#options.lambdas.invoke(FunctionName, Payload, name);
      return { ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 };
    }
    if (service.startsWith('states:startExecution')) return await this.#child(call, service);
    if (service === 'sns:publish') {
      this.published.push(input);
      return { MessageId: randomUUID() };
    }
    if (service === 'events:putEvents') {
      this.putEvents.push(...(input as { Entries: unknown[] }).Entries);
      return { FailedEntryCount: 0, Entries: [{ EventId: randomUUID() }] };
    }
    const [kind, sdk = '', action = ''] = service.split(':');
    if (kind === 'aws-sdk') return await this.#sdk.call(sdk, action, input, execution.machine.roleArn);
    throw new Error(`state '${name}': the lab does not play ${resource}`);
  }

  /** The children have definition and role of their parent, and no event tells of their end. */
  async #mapRun({ name, input, execution, signal }: TaskCall): Promise<unknown> {
    const { machine } = execution;
    const spec = this.#adapt(machine).maps.get(name) as MapSpec;
    const own = { ...machine, name: `${machine.name}/${spec.label}`, arn: `${machine.arn}/${spec.label}` };
    const { timeScale = 1, timeoutScale = 1 } = this.#options;
    const adapted = adapt(spec.processor, { time: timeScale, timeout: timeoutScale });
    const mapRunArn = `${own.arn.replace(':stateMachine:', ':mapRun:')}:${randomUUID()}`;
    return await runMap(spec, input as object, mapRunArn, {
      signal,
      start: (item) => childOf(this.#execute(own, adapted, randomUUID(), item, () => {})),
      read: async (parameters) => {
        const { Body } = (await this.#sdk.call('s3', 'getObject', parameters, machine.roleArn)) as { Body: string };
        return Body;
      },
      write: async (Bucket, Key, Body) => {
        await this.#sdk.call('s3', 'putObject', { Bucket, Key, Body }, machine.roleArn);
      },
    });
  }

  /** Another machine's execution; with `.sync` its end is waited for, and it is stopped when the parent is. */
  async #child(call: TaskCall, service: string): Promise<unknown> {
    const {
      StateMachineArn = '',
      Input = {},
      Name,
    } = call.input as { StateMachineArn?: string; Input?: unknown; Name?: string };
    const input: unknown = typeof Input === 'string' ? JSON.parse(Input) : Input;
    let child: Execution;
    try {
      child = this.start(StateMachineArn, input, Name);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      throw new TaskFailure(`StepFunctions.${error.code}Exception`, error.message);
    }
    if (!service.includes('.sync'))
      return { ExecutionArn: child.arn, StartDate: new Date(child.startedAt).toISOString() };
    const stop = () => child.stop();
    call.signal.addEventListener('abort', stop, { once: true });
    await child.ended;
    call.signal.removeEventListener('abort', stop);
    const parsed = service.endsWith(':2');
    const text = (value: unknown) => (parsed ? value : JSON.stringify(value));
    const description = {
      ExecutionArn: child.arn,
      StateMachineArn: child.machine.arn,
      Name: child.name,
      Status: child.status,
      StartDate: child.startedAt,
      StopDate: child.stoppedAt,
      Input: child.status === 'SUCCEEDED' ? text(child.input) : JSON.stringify(child.input),
    };
    if (child.status === 'SUCCEEDED') return { ...description, Output: text(child.output) };
    // Whatever the child died of, its parent sees a failed task; the child's own error is in the cause.
    throw new TaskFailure(
      'States.TaskFailed',
      JSON.stringify({ ...description, Error: child.error, Cause: child.cause }),
    );
  }

  /** The event of a status change, to every rule that wants it. */
  #announce(execution: Execution): void {
    const { stack } = this.#options;
    const event: StatusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Step Functions Execution Status Change',
      source: 'aws.states',
      account: stack.account,
      time: new Date((this.#options.clock ?? realClock).now()).toISOString(),
      region: stack.region,
      resources: [execution.arn],
      detail: {
        executionArn: execution.arn,
        stateMachineArn: execution.machine.arn,
        name: execution.name,
        status: execution.status,
        startDate: execution.startedAt,
        stopDate: execution.stoppedAt ?? null,
        input: JSON.stringify(execution.input),
        output: execution.status === 'SUCCEEDED' ? JSON.stringify(execution.output) : null,
        error: execution.error ?? null,
        cause: execution.cause ?? null,
      },
    };
    this.events.push(event);
    if (this.loseEvent?.(event)) return;
    const times = this.repeatEvent?.(event) ? 2 : 1;
    for (const rule of stack.rules) {
      if (!rule.enabled || rule.schedule !== undefined || !matches(rule.pattern, event)) continue;
      for (let time = 0; time < times; time += 1) this.#fire(rule, { ...event });
    }
  }

  /** EventBridge Scheduler delivers a firing, at least once. Resolves when its target was started, or could not be. */
  async fire(schedule: string, at: number): Promise<void> {
    const found = this.#options.stack.schedules.find(({ name }) => name === schedule);
    if (!found) throw new Error(`there is no schedule ${schedule}`);
    const time = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
    const input = (found.target.input ?? '{}').replaceAll('<aws.scheduler.scheduled-time>', time);
    await this.#deliver(found.target, JSON.parse(input));
  }

  /** Time comes round for the rules with this schedule: here no clock does that. Resolves when their targets are done. */
  async tick(expression = 'rate(5 minutes)'): Promise<void> {
    const { stack, clock = realClock } = this.#options;
    const event = {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: stack.account,
      time: new Date(clock.now()).toISOString(),
      region: stack.region,
      resources: [],
      detail: {},
    };
    const due = stack.rules.filter(({ enabled, schedule }) => enabled && schedule === expression);
    await Promise.all(due.flatMap((rule) => this.#fire(rule, event)));
  }

  #fire(rule: RuleResource, event: Record<string, unknown>): Promise<void>[] {
    return rule.targets.map((target) => {
      const delivery = this.#deliver(target, targetInput(event, target));
      this.#track(delivery);
      return delivery;
    });
  }

  async #deliver(target: RuleTarget, input: unknown): Promise<void> {
    // After whoever waited for the execution's end has gone on: delivery is never at once.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      if (this.undeliverable?.(target, input)) throw new AwsError('ThrottlingException', 'Rate exceeded');
      if (target.arn.includes(':stateMachine:')) {
        this.start(target.arn, input);
      } else if (this.#options.lambdas.find(target.arn)) {
        // Lambda has the event now: a function that fails with it makes no dead letter.
        await this.#invokeLater(target.arn, input).catch(() => {});
      } else {
        throw new Error(`the lab does not deliver to ${target.arn}`);
      }
    } catch (error) {
      this.deadLetters.push({ target, input, error: `${(error as Error).name}: ${(error as Error).message}` });
    }
  }

  /** An asynchronous invocation: unless told otherwise, Lambda tries it again after one and after two minutes. */
  async #invokeLater(arn: string, input: unknown): Promise<void> {
    const { lambdas, timeScale = 1 } = this.#options;
    const retries = lambdas.find(arn)?.retries ?? 2;
    for (let retry = 0; ; retry += 1) {
      try {
        await lambdas.invoke(arn, input);
        return;
      } catch (error) {
        if (retry === retries) throw error;
        await realClock.sleep((retry + 1) * 60_000 * timeScale);
      }
    }
  }

  #track(work: Promise<unknown>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }
}

const arnOf = (machine: StateMachineResource, name: string) =>
  `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;

const childOf = (execution: Execution): Child => ({
  stop: () => execution.stop(),
  ended: execution.ended.then(
    ({ arn, name, status, input, output, error, cause, startedAt, stoppedAt = startedAt }): ChildEnd => ({
      ExecutionArn: arn,
      Name: name,
      Status: status,
      Input: JSON.stringify(input),
      ...(status === 'SUCCEEDED' && { Output: JSON.stringify(output) }),
      ...(error !== undefined && { Error: error }),
      ...(cause !== undefined && { Cause: cause }),
      StartDate: new Date(startedAt).toISOString(),
      StopDate: new Date(stoppedAt).toISOString(),
    }),
  ),
});

export interface StepFunctionsOptions {
  readonly stack: Stack;
  readonly lambdas: Pick<Lambdas, 'invoke' | 'find'>;
  /** Configuration of an SDK client that acts in the name of a role. */
  readonly sdkConfig: (roleArn: string) => object;
  /** Of executions and their events. @default the machine's own time */
  readonly clock?: Clock;
  /** Multiplies waits and retry intervals. @default 1 */
  readonly timeScale?: number;
  /** Multiplies the timeouts of tasks and machines. @default 1 */
  readonly timeoutScale?: number;
  /** Resources that the lab does not know itself, by their whole name. */
  readonly integrations?: Record<string, (input: unknown, call: TaskCall) => Promise<unknown>>;
}

export interface StatusEvent {
  version: string;
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: Record<string, unknown>;
}
