import { withDeadline } from './deadline.ts';
import type { ExecResult } from './guest-exec.ts';
import type { ExecOptions, Machine } from './machine.ts';
import type { Agent, AgentStep, StepOutcome } from './ports.ts';

interface Pending {
  resolve(outcome: StepOutcome): void;
  reject(error: Error): void;
}

/** The SSM agent in a guest, as the emulated AWS sees it. */
export class GuestHost implements Agent {
  /** A version that carries the fixes which the documents rely on (AWS's release notes). */
  readonly version = '3.3.3572.0';
  readonly machine: Machine;
  readonly #region: string;
  readonly #pending = new Map<string, Pending>();

  constructor(machine: Machine, region = 'eu-central-1') {
    this.machine = machine;
    this.#region = region;
    machine.ssm.onFrame(({ verb, id, payload }) => {
      if (verb !== 'END') return;
      this.#pending.get(id)?.resolve(JSON.parse(payload.toString()) as StepOutcome);
      this.#pending.delete(id);
    });
    machine.ssm.onClose(() => {
      for (const { reject } of this.#pending.values()) reject(new Error(`${machine.instanceId} has stopped`));
      this.#pending.clear();
    });
  }

  get online(): boolean {
    return this.machine.ssmOnline;
  }

  /**
   * Resolves when the agent has reported the step. It may never do so, as in life: a command cancelled in the agent's queue,
   * an agent that was stopped. A step sent to a stopped agent begins when the agent does.
   */
  run(step: AgentStep): Promise<StepOutcome> {
    const { commandId, parameters, script, timeoutSeconds } = step;
    const outcome = new Promise<StepOutcome>((resolve, reject) => {
      this.#pending.set(commandId, { resolve, reject });
    });
    const instance = this.machine.instanceId;
    const order = JSON.stringify({ instance, region: this.#region, parameters, timeoutSeconds });
    this.machine.ssm.send('STEP', commandId, `${order}\n${script}`);
    return outcome;
  }

  async cancel(commandId: string): Promise<void> {
    this.machine.ssm.send('CANCEL', commandId);
  }

  /** Runs bash code in the guest behind the agent's back. */
  exec(script: string, options?: ExecOptions): Promise<ExecResult> {
    return this.machine.exec(script, options);
  }

  /** `systemctl stop`, or a crash, of the agent. Its workers live on, as the real ones do. */
  async stopAgent({ crash = false } = {}): Promise<void> {
    await this.exec(
      crash ? 'systemctl kill -s KILL --kill-who=main amazon-ssm-agent' : 'systemctl stop amazon-ssm-agent',
    );
  }

  async startAgent(): Promise<void> {
    const hello = this.machine.ssm.hello();
    await this.exec('systemctl restart amazon-ssm-agent');
    await withDeadline(hello, 30_000, 'the SSM agent starts');
  }
}
