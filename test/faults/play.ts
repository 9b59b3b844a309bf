/** Plays one case: a run on a server of its own with one thing going wrong, then the time that the rings of thaw have. */
import type { Execution } from '../../lab/aws/execution.ts';
import type { StatusEvent } from '../../lab/aws/step-functions.ts';
import type { LogEntry } from '../../lab/aws/world.ts';
import type { ModelAccount } from '../support/model-account.ts';
import { ACTS, type Fault } from './faults.ts';
import { judge, type Verdict } from './judge.ts';
import { type AnyServer, concerns, type Detour, isLinux, type Scenario, type Stage } from './scenarios.ts';

export interface Case {
  /** The state that the fault is about. */
  readonly state: string;
  readonly fault: Fault;
  readonly scenario: Scenario;
  readonly detour: Detour;
  /** The host's own lease does nothing: the workflow and the rescue are on their own. */
  readonly watchdogAsleep: boolean;
}

export const titleOf = ({ state, fault, scenario, detour, watchdogAsleep }: Case): string =>
  [
    `${state}: ${fault.name}`,
    `${scenario.mode}, ${scenario.onDowngrade}`,
    ...(detour.name ? [detour.name] : []),
    ...(watchdogAsleep ? ['watchdog asleep'] : []),
  ].join(' · ');

/** Whether the run came to the state that the case is about; a case of the whole run is there from the start. */
export const cameThere = ({ state }: Case, { entered }: Played): boolean => state === 'Backup' || entered.has(state);

/** What a fault can see and do of the run that it strikes. */
export interface Watch extends Stage {
  /** Resolves when the state has done its act the next time. */
  acted(state: string): Promise<void>;
  /** The run itself, once it has been started. */
  readonly run: Execution | undefined;
  /** StopExecution. */
  stop(): void;
  /** What EventBridge does to the events of this run: it delivers at best effort, and at least once. */
  deliver(how: 'never' | 'twice'): void;
}

/** Cases side by side in one account, each told what happens to its own server. */
export class Theatre {
  readonly account: ModelAccount;
  readonly #calls = new Set<(entry: LogEntry) => void>();
  readonly #deliveries = new Map<string, 'never' | 'twice'>();
  readonly #entered = new Map<string, (state: string) => void>();

  constructor(account: ModelAccount) {
    this.account = account;
    account.world.onCall = (entry) => {
      for (const listener of this.#calls) listener(entry);
    };
    const deliveryOf = ({ detail }: StatusEvent) => this.#deliveries.get(String(detail.name).replace(/-\d+$/, ''));
    account.stepFunctions.loseEvent = (event) => deliveryOf(event) === 'never';
    account.stepFunctions.repeatEvent = (event) => deliveryOf(event) === 'twice';
    account.stepFunctions.onEnter = ({ arn }, state) => this.#entered.get(arn)?.(state);
  }

  async play(played: Case): Promise<Played> {
    const { account } = this;
    const { mode, policy } = played.scenario;
    const server = mode === 'vss' ? account.launchWindows({ mode, policy }) : account.launch({ mode, policy });
    if (played.watchdogAsleep && isLinux(server)) server.host.trouble.watchdogAsleep = true;
    // Taken back in the end: every call would ask every fault of every case before.
    const planned: (() => void)[] = [];
    const listeners: ((state: string) => void)[] = [];
    const stage: Stage = {
      account,
      server,
      calls: (entry) => keep(planned, account.world.faults.add(entry)),
      functions: (entry) => keep(planned, account.deployment.lambdas.faults.add(entry)),
      onEnter: (listener) => listeners.push(listener),
    };
    const from = account.deployment.lambdas.invocations.length;
    played.detour.lead(stage);
    let run: Execution | undefined;
    const watch: Watch = {
      ...stage,
      get run() {
        return run;
      },
      deliver: (how) => this.#deliveries.set(server.id, how),
      acted: (state) => this.#acted(server, state),
      stop: () => run?.stop('Stopped', 'by the test'),
    };
    played.fault.plan(watch);
    run = account.start(server);
    const entered = new Set<string>();
    this.#entered.set(run.arn, (state) => {
      entered.add(state);
      for (const listener of listeners) listener(state);
    });
    await run.ended;
    this.#entered.delete(run.arn);
    await this.#settled(server, run, from);
    if (this.#deliveries.get(server.id) === 'never') {
      await this.#swept();
      await this.#settled(server, run, from);
    }
    for (const takeBack of planned) takeBack();
    return { run, server, verdict: judge(account, server, run, played), entered };
  }

  #acted(server: AnyServer, state: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (entry: LogEntry) => {
        if (!ACTS[state]?.(entry) || !concerns(this.account, server, entry.input)) return;
        this.#calls.delete(listener);
        resolve();
      };
      this.#calls.add(listener);
    });
  }

  /** The sweeper comes round, once for all that wait for it. It leaves an event its time first. */
  async #swept(): Promise<void> {
    await this.account.clock.sleep(130_000);
    this.#sweep ??= this.account.clock.sleep(60_000).then(async () => {
      this.#sweep = undefined;
      await this.account.stepFunctions.tick();
    });
    await this.#sweep;
  }
  #sweep: Promise<void> | undefined;

  /** Until the rescue is done, no function of the run is at work any more, and the lease has had its time. */
  async #settled(server: AnyServer, run: Execution, from: number): Promise<void> {
    const { clock, deployment } = this.account;
    // Events are delivered after whoever waited for the end.
    await clock.sleep(1_000);
    await Promise.all(this.account.rescuesOf(run).map(({ ended }) => ended));
    const isAtWork = () =>
      deployment.lambdas.invocations
        .slice(from)
        .some(({ event, endedAt }) => endedAt === undefined && concerns(this.account, server, event));
    while (isAtWork()) await clock.sleep(2_000);
    const until = clock.now() + LEASE_AND_MARGIN_MS;
    while (server.host.frozen && clock.now() < until) await clock.sleep(500);
  }
}

const keep = (kept: (() => void)[], takeBack: () => void): (() => void) => {
  kept.push(takeBack);
  return takeBack;
};

/** The tests' policies have leases of 30 s. */
const LEASE_AND_MARGIN_MS = 32_000;

export interface Played {
  readonly run: Execution;
  readonly server: AnyServer;
  readonly verdict: Verdict;
  /** States that the run came to; one that it was stopped on entering is not in its path. */
  readonly entered: ReadonlySet<string>;
}
