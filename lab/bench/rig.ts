import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteSnapshotCommand } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import type * as z from 'zod/mini';
import { systemClock } from '../../lambdas/shared/clock.ts';
import { USER_TAGS } from '../../lambdas/shared/names.ts';
import { type Answered, type CommandChannel, runCommand } from '../../lambdas/shared/run-command.ts';
import { commandChannel } from '../../lambdas/shared/ssm.ts';
import { Account, type Instance } from '../account.ts';
import type { Latency } from '../aws/limits.ts';
import type { Invocation } from '../aws/ssm-delivery.ts';
import { Documents } from '../suite/documents.ts';
import * as workload from '../workload.ts';

export const TOPOLOGY = 'raid0-lvm-xfs';
/** The document that Freezeframe is measured against. */
export const PRE_AND_POST = 'Bench-PreAndPost';

/** What is injected: milliseconds of each hop of Run Command, and of CreateSnapshots. */
export const INJECTED = { hopMs: 300, createSnapshotsMs: 1_000 };
/** An emulated processor takes seconds for what a real one does in fractions. */
const LEASE_SECONDS = 120;
/** EC2 takes no two snapshots of a volume within 15 s. */
const INTERVAL_MS = 15_200;

/** One host under load on four disks, and a desk from which its sets are taken in one way or another. */
export class Rig {
  readonly account: Account;
  readonly source: Instance;
  readonly documents: Documents;
  readonly #ssm: SSMClient;
  readonly #channel: CommandChannel;
  injected = INJECTED;
  #lastSetAt = 0;

  private constructor(account: Account, source: Instance) {
    this.account = account;
    this.source = source;
    this.documents = new Documents(account.world, source.host);
    const credentials = { accessKeyId: account.world.accessKeyFor('operator'), secretAccessKey: 'lab' };
    const { endpoint } = account.deployment.server;
    this.#ssm = new SSMClient({ endpoint, region: account.world.region, credentials });
    this.#channel = commandChannel(this.#ssm);
  }

  static async open(progress: (text: string) => void): Promise<Rig> {
    const account = await Account.open({
      policy: { grade: 'application', onDowngrade: 'keep', leaseSeconds: LEASE_SECONDS },
      progress,
      timeScale: 0.1,
    });
    try {
      account.world.ssm.documents.put(PRE_AND_POST, preAndPost());
      const tags = { [USER_TAGS.policy]: 'lab' };
      const source = await account.launch({ tags, dataVolumes: workload.TOPOLOGIES[TOPOLOGY] });
      await workload.provision(source.machine, TOPOLOGY, source.data);
      await workload.startWriters(source.machine, TOPOLOGY);
      return new Rig(account, source);
    } catch (error) {
      await account.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#ssm.destroy();
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

  /** Milliseconds of the guest's clock. */
  now(): Promise<number> {
    return workload.guestMonotonicMs(this.source.machine);
  }

  acknowledgements(): Promise<workload.Acknowledgement[]> {
    return workload.acknowledgements(this.source.machine, 'mariadb');
  }

  async exec(script: string): Promise<string> {
    return (await this.source.machine.exec(script, { timeoutMs: 120_000 })).stdout.trim();
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
