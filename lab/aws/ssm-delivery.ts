import type { Agent, AgentStep, StepOutcome } from '../ports.ts';
import type { World } from './world.ts';

/** Commands on their way to agents: delivery to one that is offline, the agent's five slots, the step's run. */
export class Delivery {
  readonly #world: World;
  readonly #slots = new Map<string, Slots>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Brings a command to its instance and its result back; reports on the way through the invocation's status. */
  async run(invocation: Invocation, step: AgentStep): Promise<void> {
    const { clock, latency } = this.#world;
    await clock.sleep(latency.commandStartMs);
    const agent = await this.#reach(invocation);
    if (!agent) return this.#notDelivered(invocation, step);
    if (invocation.cancelled) return;
    // The agent answers InProgress when it queues a command, not when it starts it.
    invocation.status = 'InProgress';
    invocation.details = 'InProgress';
    const slots = this.#slots.get(invocation.instanceId) ?? new Slots(AGENT_SLOTS);
    this.#slots.set(invocation.instanceId, slots);
    await slots.acquire();
    let outcome: StepOutcome;
    try {
      // Cancelled while it was queued in the agent: it is never run, and no final answer ever comes.
      if (invocation.cancelled) return;
      invocation.startedAt = clock.now();
      invocation.running = true;
      outcome = await agent.run(step);
    } finally {
      invocation.running = false;
      slots.release();
    }
    invocation.endedAt = clock.now();
    await clock.sleep(latency.commandResultMs);
    report(invocation, outcome);
  }

  /** The agent, once it is online; nothing when the time for delivery has passed first. */
  async #reach(invocation: Invocation): Promise<Agent | undefined> {
    const { clock, latency, ec2 } = this.#world;
    for (;;) {
      const instance = ec2.instances.get(invocation.instanceId);
      if (invocation.cancelled) return undefined;
      if (clock.now() >= invocation.sentAt + invocation.deliverySeconds * 1000) return undefined;
      if (instance?.state === 'running' && instance.agent?.online) return instance.agent;
      await clock.sleep(latency.deliveryRetryMs);
    }
  }

  /** The service says DeliveryTimedOut only after the delivery's and the step's time together. */
  async #notDelivered(invocation: Invocation, step: AgentStep): Promise<void> {
    if (invocation.cancelled) return;
    await this.#world.clock.sleep(step.timeoutSeconds * 1000);
    if (invocation.cancelled) return;
    invocation.status = 'TimedOut';
    invocation.details = 'DeliveryTimedOut';
  }
}

/** One command on one instance. */
export interface Invocation {
  readonly commandId: string;
  readonly instanceId: string;
  readonly document: { name: string; version: string };
  readonly pluginName: string;
  readonly comment: string;
  readonly sentAt: number;
  readonly visibleAt: number;
  readonly deliverySeconds: number;
  status: 'Pending' | 'InProgress' | 'Success' | 'Failed' | 'TimedOut' | 'Cancelled';
  details: string;
  /** −1 until there is a result. */
  code: number;
  stdout: string;
  stderr: string;
  startedAt: number | undefined;
  endedAt: number | undefined;
  running: boolean;
  cancelled: boolean;
}

/** Commands that an agent runs at once (Mds.CommandWorkersLimit). */
const AGENT_SLOTS = 5;
/** What one stream of a step may bring, in the agent. */
const MOST_CHARACTERS = 24_000;
/** A reply beyond this is never sent (amazon-ssm-agent, mgsinteractor/utils): the command stays InProgress for ever. */
const MOST_REPLY_BYTES = 120_000;

function report(invocation: Invocation, outcome: StepOutcome): void {
  const stdout = cut(outcome.stdout);
  const note = outcome.status === 'Failed' ? `failed to run commands: exit status ${outcome.code}` : '';
  const stderr = cut(outcome.stderr + note);
  if (goJsonBytes(stdout) + goJsonBytes(stderr) > MOST_REPLY_BYTES) return;
  invocation.status = outcome.status;
  invocation.details = outcome.status === 'TimedOut' ? 'ExecutionTimedOut' : outcome.status;
  invocation.code = outcome.code;
  invocation.stdout = stdout;
  invocation.stderr = stderr;
}

const TRUNCATED = '\n---Output truncated---';
const cut = (text: string) =>
  text.length <= MOST_CHARACTERS ? text : text.slice(0, MOST_CHARACTERS - TRUNCATED.length) + TRUNCATED;

/** Go writes `<`, `>` and `&` as six bytes in JSON. */
const goJsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text)) + 5 * (text.match(/[<>&]/g)?.length ?? 0);

/** Counts what runs at once; the rest waits in the order of coming. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
