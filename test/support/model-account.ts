import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { FastClock } from '../../lab/aws/clock.ts';
import { type Deployment, deploy } from '../../lab/aws/deploy.ts';
import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import { readAssembly, type Stack } from '../../lab/aws/template.ts';
import { World, type WorldOptions } from '../../lab/aws/world.ts';
import type { WindowsAnswer } from '../../lambdas/shared/contracts.ts';
import { BACKUP, SET_TAGS, THAW_RESCUE, USER_TAGS } from '../../lambdas/shared/names.ts';
import { putVssDocuments } from './aws-vss-documents.ts';
import { MemoryStore } from './memory-store.ts';
import { ModelHost } from './model-host.ts';
import { windowsAnswer } from './model-windows.ts';
import { ModelWindowsHost } from './model-windows-host.ts';
import { synthesised } from './synth.ts';

/** What the tests' plan promises, by policy: the wanted grade, and what becomes of a set that misses it. */
export const POLICIES = {
  nightly: { grade: 'application', onDowngrade: 'keep' },
  strict: { grade: 'application', onDowngrade: 'discard' },
  files: { grade: 'filesystem', onDowngrade: 'keep' },
  loose: { grade: 'crash', onDowngrade: 'keep' },
  vault: { grade: 'application', onDowngrade: 'keep', lock: { mode: 'compliance', days: 7 } },
  'loose-strict': { grade: 'crash', onDowngrade: 'discard' },
} as const;
export type PolicyName = keyof typeof POLICIES;

/**
 * An account with the stack as it is synthesised, the Lambdas as they ship and hosts that keep the contract, in a world
 * whose time passes `speed` times as fast. Every server is of its own, so that runs on several can go on side by side.
 */
export class ModelAccount {
  readonly world: World;
  readonly clock: FastClock;
  readonly servers = new Map<string, Server>();
  readonly windowsServers = new Map<string, WindowsServer>();
  readonly #store = new MemoryStore();
  #deployment: Deployment | undefined;
  #runs = 0;
  #closed = false;
  /** Fast time's timers keep no process alive; an account that is open does. */
  readonly #alive = setInterval(() => {}, 60_000);
  readonly #stalls: { from: number; to: number }[] = [];

  private constructor({ speed = 10, latency }: AccountOptions) {
    this.clock = new FastClock(speed);
    this.world = new World({
      store: this.#store,
      clock: this.clock,
      // The account's own rates: a test throttles what it is about.
      limits: { rates: {} },
      latency: { describeMs: 300, commandStartMs: 300, commandResultMs: 300, invocationVisibleMs: 200, ...latency },
    });
    void this.#watchTimers();
    this.#store.onSnapshot = async (id, volumeIds) => {
      await this.servers.get(id)?.disks.onSnapshot(id, volumeIds);
      await this.windowsServers.get(id)?.host.witness();
    };
  }

  static async open(options: AccountOptions = {}): Promise<ModelAccount> {
    const account = new ModelAccount(options);
    account.#deployment = await deploy(await stackOfTests(), account.world);
    putVssDocuments(account.world);
    await account.#deployment.lambdas.warm(options.warm ?? 0);
    return account;
  }

  get deployment(): Deployment {
    if (!this.#deployment) throw new Error('nothing is deployed');
    return this.#deployment;
  }

  get stepFunctions(): Deployment['stepFunctions'] {
    return this.deployment.stepFunctions;
  }

  /** A running server: a root disk, and an array of two volumes with a file system and a database on it. */
  launch({ policy = 'nightly', mode, tags = {}, database = true }: LaunchOptions = {}): Server {
    const number = (this.servers.size + 1).toString(16);
    const id = `i-0${number.padStart(16, '0')}`;
    const volume = (index: number) => `vol-${index}${number.padStart(16, '0')}`;
    const [root, ...data] = [volume(0), volume(1), volume(2)];
    const host = new ModelHost({ rootVolume: root as string, dataVolumes: data, database, clock: this.clock });
    const disks = new MemoryStore();
    host.watch(disks, id);
    // An application that lies on one volume: that it is quiet is enough there, and what mode app-only is for.
    if (mode === 'app-only') for (const app of host.topology.apps) app.mounts = ['/'];
    this.world.ec2.addInstance({
      id,
      tags: { [USER_TAGS.policy]: policy, ...(mode && { [USER_TAGS.mode]: mode }), ...tags },
      agent: host,
      volumes: [
        { id: root as string, device: '/dev/xvda', sizeGiB: 8 },
        ...data.map((volumeId, index) => ({
          id: volumeId,
          device: `/dev/sd${'fg'[index]}`,
          sizeGiB: 100,
          ...DATA_VOLUME,
        })),
      ],
    });
    host.sees = (volumeId) => this.#store.attached.get(volumeId) === id;
    const server = { id, host, volumes: [root as string, ...data], disks };
    this.servers.set(id, server);
    return server;
  }

  /** A running Windows server whose role has the policy that the stack offers, unless `role` says otherwise. */
  launchWindows({ policy = 'nightly', mode, tags = {}, type = 'm7i.large', role = true, facts }: WindowsOptions = {}) {
    const number = (this.windowsServers.size + 1).toString(16);
    const id = `i-1${number.padStart(16, '0')}`;
    const volumes = [3, 4, 5].map((index) => `vol-${index}${number.padStart(16, '0')}`);
    const arn = `arn:aws:iam::${this.world.account}:role/${role ? 'windows' : 'bare'}/${id}`;
    const { stack, server } = this.deployment;
    stack.roles.push({ name: id, arn, trust: {}, managed: [], policies: role ? stack.managedPolicies : [] });
    const host = new ModelWindowsHost({
      instanceId: id,
      facts: windowsAnswer(volumes, facts),
      clock: this.clock,
      ec2: new EC2Client({
        endpoint: server.endpoint,
        region: this.world.region,
        maxAttempts: 1,
        credentials: { accessKeyId: this.world.accessKeyFor(arn), secretAccessKey: 'lab' },
      }),
    });
    this.world.ec2.addInstance({
      id,
      type,
      platform: 'windows',
      rootDevice: '/dev/sda1',
      tags: { [USER_TAGS.policy]: policy, ...(mode && { [USER_TAGS.mode]: mode }), ...tags },
      agent: host,
      volumes: volumes.map((volumeId, index) => ({
        id: volumeId,
        device: ['/dev/sda1', 'xvdf', 'xvdg'][index] as string,
        sizeGiB: 100,
      })),
    });
    const windows: WindowsServer = { id, host, volumes };
    this.windowsServers.set(id, windows);
    return windows;
  }

  /** Starts a backup as the schedule would: named by its instance. */
  start(server: { readonly id: string } | string, input: object = {}): Execution {
    this.#runs += 1;
    const id = typeof server === 'string' ? server : server.id;
    return this.stepFunctions.start(BACKUP, { instanceId: id, ...input }, `${id}-${this.#runs}`);
  }

  async backup(server: { readonly id: string } | string, input: object = {}): Promise<Execution> {
    return await this.start(server, input).ended;
  }

  /** What bears a run's tag and is there. */
  snapshotsOf(run: string): Snapshot[] {
    return [...this.world.ec2.snapshots.all.values()].filter(
      ({ tags, deleted }) => !deleted && tags.get(SET_TAGS.run) === run,
    );
  }

  /** Every snapshot of a server that is there, whoever took it. */
  snapshotsOn(server: { readonly volumes: readonly string[] }): Snapshot[] {
    return [...this.world.ec2.snapshots.all.values()].filter(
      ({ volumeId, deleted }) => !deleted && server.volumes.includes(volumeId),
    );
  }

  /** The stored evidence of a run. */
  evidenceOf(server: { readonly id: string }, run: string): Evidence | undefined {
    const [bucket] = this.deployment.stack.buckets;
    try {
      return JSON.parse(this.world.s3.get(bucket?.name ?? '', `sets/${server.id}/${run}.json`).body.toString());
    } catch {
      return undefined;
    }
  }

  /** Has the store hold an image of a snapshot that a test puts there. */
  keepImage(image: string): void {
    this.#store.images.set(image, 0);
  }

  /** Every execution in the place of a run's thaw, by event or by the sweeper. */
  rescuesOf(run: Execution): Execution[] {
    return this.stepFunctions.executions.filter(
      ({ machine, input }) => machine.name === THAW_RESCUE && (input as { name?: string }).name === run.name,
    );
  }

  /**
   * The longest that this machine was late with a timer between two moments, in milliseconds of the account's clock: so
   * much of what happened then is not the product's, but of fast time on a busy machine.
   */
  latest(from: number, to: number): number {
    const stalls = this.#stalls.filter((stall) => stall.to >= from && stall.from <= to);
    return Math.max(0, ...stalls.map((stall) => stall.to - stall.from));
  }

  async #watchTimers(): Promise<void> {
    while (!this.#closed) {
      const due = this.clock.now() + HEARTBEAT_MS;
      await this.clock.sleep(HEARTBEAT_MS);
      const now = this.clock.now();
      if (now - due > HEARTBEAT_MS) this.#stalls.push({ from: due, to: now });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#alive);
    await this.#deployment?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Fine enough to see what counts in seconds of the account's clock. */
const HEARTBEAT_MS = 200;

/** Not what EC2 would give a volume by itself. */
const DATA_VOLUME = { type: 'gp3', iops: 4000, throughput: 250, tags: { team: 'data' } };

export interface AccountOptions {
  /** @default 10 */
  readonly speed?: number;
  readonly latency?: WorldOptions['latency'];
  /** Runs that go on side by side without a cold start. @default 0 */
  readonly warm?: number;
}

export interface LaunchOptions {
  /** @default nightly */
  readonly policy?: string;
  /** @default auto */
  readonly mode?: string;
  readonly tags?: Record<string, string>;
  /** @default true */
  readonly database?: boolean;
}

export interface Server {
  readonly id: string;
  readonly host: ModelHost;
  /** The root volume first. */
  readonly volumes: readonly string[];
  readonly disks: MemoryStore;
}

export interface WindowsOptions extends Omit<LaunchOptions, 'database'> {
  /** @default m7i.large */
  readonly type?: string;
  /** Whether its role has the policy that it needs. @default true */
  readonly role?: boolean;
  /** Other than those of the model. */
  readonly facts?: Partial<WindowsAnswer>;
}

export interface WindowsServer {
  readonly id: string;
  readonly host: ModelWindowsHost;
  /** The boot volume first. */
  readonly volumes: readonly string[];
}

/** The stored object of a run, as far as tests look into it. */
export interface Evidence {
  readonly grade: string | null;
  readonly reasons: readonly string[];
  readonly receipt: { run: string; thawedBy: string | null } | null;
  readonly snapshots: readonly { snapshotId: string; volumeId: string }[];
  readonly error: { Error: string; Cause: string } | null;
}

let stack: Promise<Stack> | undefined;

/** The stack with the tests' plan, synthesised once in this process. */
export const stackOfTests = (): Promise<Stack> => {
  stack ??= synthesise();
  return stack;
};

async function synthesise(): Promise<Stack> {
  const outdir = mkdtempSync(join(tmpdir(), 'freezeframe-synth-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const common = { schedule: 'rate(1 day)', retain: { last: 3 } };
  const policies = Object.fromEntries(
    Object.entries(POLICIES).map(([name, policy]) => [name, { ...common, ...policy }]),
  );
  await synthesised({ policies }, outdir);
  return readAssembly(outdir);
}
