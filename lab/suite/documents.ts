import { randomUUID } from 'node:crypto';
import {
  FreezeAnswer,
  HostFailure,
  InspectAnswer,
  type QuietMode,
  type Receipt,
  ThawAnswer,
} from '../../lambdas/shared/contracts.ts';
import { DOCUMENTS } from '../../lambdas/shared/names.ts';
import { boundParameters, script } from '../aws/ssm-parameters.ts';
import type { World } from '../aws/world.ts';
import type { GuestHost } from '../guest-host.ts';
import type { StepOutcome } from '../ports.ts';
import { shellQuote } from '../shell.ts';

export interface FreezeOptions {
  readonly run: string;
  readonly mode?: QuietMode;
  readonly apps?: string;
  /** Seconds. */
  readonly lease?: number;
  /** Seconds that freezing may take. @default all of the lease but three seconds */
  readonly within?: number;
  /** Uptime. @default none that comes soon */
  readonly notAfter?: number;
  readonly bootId?: string;
  readonly topology?: string;
  /** Seconds until the agent kills the command. */
  readonly timeoutSeconds?: number;
}

/** What became of a freeze command: a receipt, an error, or neither when it was killed. */
export interface Frozen {
  readonly status: StepOutcome['status'];
  readonly receipt: Receipt | undefined;
  readonly error: { code: string; message: string } | undefined;
}

/** A freeze command on its way. */
export interface Command {
  readonly answer: Promise<Frozen>;
  /** As SSM does it: SIGKILL to the process group. */
  cancel(): Promise<void>;
}

/** The documents as they are deployed, sent to the host's agent without the workflow around them. */
export class Documents {
  readonly #world: World;
  readonly #host: GuestHost;
  /** Hides systemd from the documents, as on a host that has none. */
  systemd = true;
  #inspected: InspectAnswer | undefined;

  constructor(world: World, host: GuestHost) {
    this.#world = world;
    this.#host = host;
  }

  async inspect(): Promise<InspectAnswer> {
    const { stdout, stderr, code } = await this.#send('inspect', { Apps: 'auto' }, 90).answer;
    if (code !== 0) throw new Error(`Inspect ended with ${code}: ${stdout}${stderr}`);
    this.#inspected = InspectAnswer.parse(JSON.parse(stdout));
    return this.#inspected;
  }

  /** The host as it was inspected last. */
  async inspected(): Promise<InspectAnswer> {
    return this.#inspected ?? (await this.inspect());
  }

  async freeze(options: FreezeOptions): Promise<Frozen> {
    const { answer } = await this.beginFreeze(options);
    return answer;
  }

  async beginFreeze(options: FreezeOptions): Promise<Command> {
    const { run, mode = 'fs-freeze', apps = 'mysql', lease = 25, within = lease - 3, timeoutSeconds = 330 } = options;
    const inspected = await this.inspected();
    const parameters = {
      Run: run,
      Mode: mode,
      Apps: apps,
      Lease: `${lease}`,
      Within: `${within}`,
      NotAfter: `${options.notAfter ?? Math.floor(inspected.uptime) + 86_400}`,
      BootId: options.bootId ?? inspected.bootId,
      Topology: options.topology ?? inspected.topologyHash,
    };
    const { answer, cancel } = this.#send('freeze', parameters, timeoutSeconds);
    return { cancel, answer: answer.then(frozenOf) };
  }

  async thaw(run: string, why: 'asked' | 'rescue' = 'asked'): Promise<ThawAnswer> {
    const { stdout, stderr, code } = await this.#send('thaw', { Run: run, Why: why }, 120).answer;
    if (code !== 0) throw new Error(`Thaw ended with ${code}: ${stdout}${stderr}`);
    return ThawAnswer.parse(JSON.parse(stdout));
  }

  #send(noun: keyof typeof DOCUMENTS, parameters: Record<string, string>, timeoutSeconds: number) {
    const commandId = randomUUID();
    const document = this.#world.ssm.documents.find(DOCUMENTS[noun]);
    const values = boundParameters(
      document,
      Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
    );
    const shipped = script(document.content, values);
    const step = { commandId, document: document.name, parameters, timeoutSeconds };
    const answer = this.#host.run({ ...step, script: this.systemd ? shipped : withoutSystemd(shipped) });
    answer.catch(() => {});
    return { answer, cancel: () => this.#host.cancel(commandId) };
  }
}

function frozenOf({ status, stdout }: StepOutcome): Frozen {
  const text: unknown = stdout.trim() ? JSON.parse(stdout) : undefined;
  const answer = FreezeAnswer.safeParse(text);
  const failure = HostFailure.safeParse(text);
  return { status, receipt: answer.data?.receipt, error: failure.data?.error };
}

/** A mount namespace in which /run/systemd is empty: systemctl and systemd-run reach nobody. */
const withoutSystemd = (script: string): string => `#!/bin/bash
exec unshare -m bash -c 'mount -t tmpfs none /run/systemd && eval "$0"' ${shellQuote(script)}
`;
