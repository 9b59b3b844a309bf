import type { HistoryEvent } from '../../lab/aws/execution.ts';
import { DEFAULT_LIMITS } from '../../lab/aws/limits.ts';
import type { LogEntry } from '../../lab/aws/world.ts';
import type { Reported } from '../../lambdas/shared/contracts.ts';
import { FLEET_STATES } from '../../lambdas/shared/names.ts';
import { drawTrouble, strike, strikeAws, type Trouble } from './fleet-troubles.ts';
import { ModelAccount, type Server, stackOf } from './model-account.ts';
import { Random } from './random.ts';

/** A guess where nothing is published (facts: an agent has a command within a second or two), in milliseconds. */
const LATENCY = {
  createSnapshotsMs: { median: 1_200, p99: 4_000 },
  snapshotCompletionMs: { median: 180_000, p99: 1_800_000 },
  describeMs: { median: 300, p99: 2_000 },
  commandStartMs: { median: 900, p99: 5_000 },
  commandResultMs: { median: 700, p99: 4_000 },
  invocationVisibleMs: { median: 200, p99: 1_000 },
} as const;

/** An account with a fleet, measured while a firing goes on. What has been counted is let go of, so that memory stays bounded. */
export class FleetAccount {
  readonly members = new Map<string, Member>();
  readonly calls = new Map<string, number>();
  /** Calls that were throttled: all, and those of an instance that was frozen just then. */
  throttles = 0;
  readonly throttledWhileFrozen: string[] = [];
  /** Transitions of each execution, by its ARN; those of the fleet's own are counted together. */
  readonly transitions = new Map<string, number>();
  events = 0;
  logBytes = 0;
  invocations = 0;
  gigabyteSeconds = 0;
  firedAt = 0;
  lastSetAt = 0;
  endedAt = 0;
  reported: Reported | undefined;
  readonly account: ModelAccount;
  readonly #random: Random;

  private constructor(account: ModelAccount, random: Random) {
    this.account = account;
    this.#random = random;
    const { world, stepFunctions, deployment } = account;
    const { lambdas } = deployment;
    world.onCall = (entry) => this.#count(entry);
    stepFunctions.onEvent = (event) => this.#observe(event);
    lambdas.onLog = ({ text }) => {
      this.logBytes += text.length;
      lambdas.logs.length = 0;
    };
    lambdas.onEnd = ({ startedAt, endedAt = startedAt }, { memoryMB = 128 }) => {
      this.invocations += 1;
      this.gigabyteSeconds += ((endedAt - startedAt) / 1_000) * (memoryMB / 1_024);
      lambdas.invocations.length = 0;
    };
    strikeAws(account, random, (id) => this.members.get(id)?.trouble);
  }

  /** `commands`: SendCommand calls a second that the account has, and a third of the looks; AWS documents neither. */
  static async open({ seed, commands }: { seed: number; commands: number | undefined }): Promise<FleetAccount> {
    const random = new Random(seed);
    // The jitter of the SDK, of Step Functions' retries and of the functions.
    Math.random = random.next;
    const { 'ssm:SendCommand': _, 'ssm:GetCommandInvocation': __, ...documented } = DEFAULT_LIMITS.rates;
    const guessed = commands && {
      'ssm:SendCommand': { burst: 4 * commands, perSecond: commands },
      'ssm:GetCommandInvocation': { burst: 12 * commands, perSecond: 3 * commands },
    };
    const account = await ModelAccount.open({
      stack: await stackOfBench(),
      limits: { rates: { ...documented, ...guessed } },
      latency: Object.fromEntries(Object.entries(LATENCY).map(([name, spread]) => [name, random.latency(spread)])),
      requestMs: random.latency({ median: 15, p99: 80 }),
      computeMs: random.latency({ median: 25, p99: 400 }),
    });
    return new FleetAccount(account, random);
  }

  /** One more instance; every other one is in the mode that stays frozen while the set is taken. */
  launch(): void {
    const server = this.account.launch(this.members.size % 2 ? { mode: 'fs-freeze' } : {});
    const trouble = drawTrouble(this.#random);
    this.members.set(server.id, { server, trouble });
    strike(this.account, server, trouble);
    // Nobody reads them, and each holds its whole script.
    server.host.steps.push = () => 0;
  }

  /** The schedule fires, and everything that comes of it ends. */
  async fire(): Promise<void> {
    const { stepFunctions, clock } = this.account;
    this.firedAt = clock.now();
    await stepFunctions.fire('Freezeframe-nightly', clock.now());
    await stepFunctions.idle();
    this.endedAt = clock.now();
  }

  #count({ service, action, result, input, at }: LogEntry): void {
    this.account.world.log.length = 0;
    const call = `${service}:${action}`;
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    if (action === 'CreateSnapshots' && result === 'ok') this.lastSetAt = at;
    if (!['RequestLimitExceeded', 'ThrottlingException'].includes(result)) return;
    this.throttles += 1;
    const [id = ''] = /i-[0-9a-f]{17}/.exec(JSON.stringify(input)) ?? [];
    if (this.members.get(id)?.server.host.frozen) this.throttledWhileFrozen.push(call);
  }

  #observe(event: HistoryEvent): void {
    const { type, execution, state, output } = event;
    this.events += 1;
    if (type === 'StateExited' && state === FLEET_STATES.report) {
      this.reported = (output as { reported: Reported }).reported;
    }
    if (type === 'StateEntered' || type === 'StateRetried') {
      this.transitions.set(execution, (this.transitions.get(execution) ?? 0) + 1);
    }
    delete event.input;
    delete event.output;
    this.account.stepFunctions.events.length = 0;
  }
}

export interface Member {
  readonly server: Server;
  readonly trouble: Trouble | undefined;
}

const stackOfBench = () => stackOf({ policies: { nightly: { schedule: 'cron(0 3 * * ? *)', retain: { last: 3 } } } });
