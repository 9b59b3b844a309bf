import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteSnapshotCommand } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import type * as z from 'zod/mini';
import { systemClock } from '../../lambdas/shared/clock.ts';
import { type Answered, type CommandChannel, runCommand } from '../../lambdas/shared/run-command.ts';
import { commandChannel } from '../../lambdas/shared/ssm.ts';
import type { Account } from '../account.ts';
import type { Latency } from '../aws/limits.ts';
import type { Invocation } from '../aws/ssm-delivery.ts';
import { bootTime } from '../evidence.ts';
import type { Acknowledgement } from '../workload.ts';

/** The document that Freezeframe is measured against. */
export const PRE_AND_POST = 'Bench-PreAndPost';

/** What is injected: milliseconds of each hop of Run Command, and of CreateSnapshots. */
export const INJECTED = { hopMs: 300, createSnapshotsMs: 1_000 };
/** EC2 takes no two snapshots of a volume within 15 s. */
const INTERVAL_MS = 15_200;

/** A host with MariaDB under load. */
export interface Server {
  readonly id: string;
  /** Its data volumes. */
  readonly data: readonly string[];
  /** Milliseconds of its boot clock: the one of the acknowledgements and of receipts. */
  now(): Promise<number>;
  /** What the database's writer was promised so far. */
  acknowledgements(): Promise<Acknowledgement[]>;
  close?(): Promise<void>;
}

/** One host under load, and a desk from which its sets are taken in one way or another. */
export class Rig<Source extends Server = Server> {
  readonly account: Account;
  readonly source: Source;
  readonly #ssm: SSMClient;
  readonly #channel: CommandChannel;
  injected = INJECTED;
  #lastSetAt = 0;

  constructor(account: Account, source: Source) {
    this.account = account;
    this.source = source;
    account.world.ssm.documents.put(PRE_AND_POST, preAndPost());
    const credentials = { accessKeyId: account.world.accessKeyFor('operator'), secretAccessKey: 'lab' };
    const { endpoint } = account.deployment.server;
    this.#ssm = new SSMClient({ endpoint, region: account.world.region, credentials });
    this.#channel = commandChannel(this.#ssm);
  }

  async close(): Promise<void> {
    this.#ssm.destroy();
    await this.source.close?.();
    await this.account.close();
  }

  /** From now on AWS is `times` as slow as usual. */
  inject(times: number): void {
    this.injected = { hopMs: INJECTED.hopMs * times, createSnapshotsMs: INJECTED.createSnapshotsMs * times };
    Object.assign(this.account.world.latency, {
      commandStartMs: this.injected.hopMs,
      commandResultMs: this.injected.hopMs,
      createSnapshotsMs: this.injected.createSnapshotsMs,
    } satisfies Partial<Latency>);
  }

  /** Runs a document through Run Command, with its hops, as the functions do. */
  async send<Schema extends z.ZodMiniType>(
    document: string,
    parameters: Record<string, string>,
    answer: Schema,
  ): Promise<Answered<z.output<Schema>> & { invocation: Invocation }> {
    const command = { document, pinned: undefined, instanceId: this.source.id, parameters, comment: 'bench' };
    const answered = await runCommand(this.#channel, systemClock, command, answer, 110_000);
    return { ...answered, invocation: this.invocationOf(document, answered.sentAt) };
  }

  /** The first command of a document that was sent at that moment or later. */
  invocationOf(document: string, sinceMs: number): Invocation {
    const found = this.account.world.ssm.invocations.find(
      (each) => each.document.name === document && each.sentAt >= sinceMs,
    );
    if (!found) throw new Error(`${document} was not sent`);
    return found;
  }

  /** EC2 takes another set. */
  async interval(): Promise<void> {
    await sleep(Math.max(0, this.#lastSetAt + INTERVAL_MS - Date.now()));
  }

  /** A set was taken just now. */
  noteSet(): void {
    this.#lastSetAt = Date.now();
  }

  async forget(snapshotIds: readonly string[]): Promise<void> {
    for (const SnapshotId of snapshotIds) await this.account.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
  }

  /** Milliseconds since 1970 at the host's boot. */
  bootTime(): Promise<number> {
    return bootTime(() => this.source.now());
  }
}

const preAndPost = () => ({
  schemaVersion: '2.2',
  parameters: { command: { type: 'String' as const, allowedValues: ['pre-script', 'post-script'] } },
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: 'runShellScript',
      inputs: {
        timeoutSeconds: 120,
        runCommand: [
          '#!/bin/bash',
          "set -- '{{ command }}'",
          readFileSync(join(import.meta.dirname, 'pre-and-post.sh'), 'utf8'),
        ],
      },
    },
  ],
});
