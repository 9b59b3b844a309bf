/** Plays one case: a run on a server of its own with one thing going wrong, then the time that the rings of thaw have. */
import type { Execution } from '../../lab/aws/execution.ts';
import type { LogEntry } from '../../lab/aws/world.ts';
import { BACKUP } from '../../lambdas/shared/names.ts';
import type { ModelAccount, Server } from '../support/model-account.ts';
import { ACTS, type Fault } from './faults.ts';
import { judge, type Verdict } from './judge.ts';
import { concerns, type Detour, type Scenario } from './scenarios.ts';

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

/** What a fault can see and do of the run that it strikes. */
export interface Watch {
  readonly account: ModelAccount;
  readonly server: Server;
  /** Resolves when the state has done its act the next time. */
  acted(state: string): Promise<void>;
  onEnter(listener: (state: string) => void): void;
  /** StopExecution. */
  stop(): void;
}

/** Cases side by side in one account, each told what happens to its own server. */
export class Theatre {
  readonly account: ModelAccount;
  readonly #calls = new Set<(entry: LogEntry) => void>();
  readonly #entered = new Map<string, (state: string) => void>();

  constructor(account: ModelAccount) {
    this.account = account;
    account.world.onCall = (entry) => {
      for (const listener of this.#calls) listener(entry);
    };
    account.stepFunctions.onEnter = ({ arn }, state) => this.#entered.get(arn)?.(state);
  }

  async play(played: Case): Promise<Played> {
    const { account } = this;
    const server = account.launch({ mode: played.scenario.mode, policy: played.scenario.policy });
    if (played.watchdogAsleep) server.host.trouble.watchdogAsleep = true;
    played.detour.lead({ account, server });
    const listeners: ((state: string) => void)[] = [];
    let run: Execution | undefined;
    played.fault.plan({
      account,
      server,
      acted: (state) => this.#acted(server, state),
      onEnter: (listener) => listeners.push(listener),
      stop: () => run?.stop('Stopped', 'by the test'),
    });
    run = account.start(server);
    this.#entered.set(run.arn, (state) => {
      for (const listener of listeners) listener(state);
    });
    await run.ended;
    this.#entered.delete(run.arn);
    await this.#settled(server, run);
    return { run, server, verdict: judge(account, server, run, played) };
  }

  #acted(server: Server, state: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (entry: LogEntry) => {
        if (!ACTS[state]?.(entry) || !concerns(this.account, server, entry.input)) return;
        this.#calls.delete(listener);
        resolve();
      };
      this.#calls.add(listener);
    });
  }

  /** Until the rescue is done, no function of the run is at work any more, and the lease has had its time. */
  async #settled(server: Server, run: Execution): Promise<void> {
    const { clock, stepFunctions, deployment } = this.account;
    // Events are delivered after whoever waited for the end.
    await clock.sleep(1_000);
    const others = stepFunctions.executions.filter(({ name, machine }) => name === run.name && machine.name !== BACKUP);
    await Promise.all(others.map(({ ended }) => ended));
    const isAtWork = () =>
      deployment.lambdas.invocations.some(
        ({ event, endedAt }) => endedAt === undefined && concerns(this.account, server, event),
      );
    while (isAtWork()) await clock.sleep(500);
    const until = clock.now() + LEASE_AND_MARGIN_MS;
    while (server.host.frozen && clock.now() < until) await clock.sleep(500);
  }
}

/** The tests' policies have leases of 30 s. */
const LEASE_AND_MARGIN_MS = 32_000;

export interface Played {
  readonly run: Execution;
  readonly server: Server;
  readonly verdict: Verdict;
}
