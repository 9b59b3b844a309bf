import { EC2Client } from '@aws-sdk/client-ec2';
import { assemblyOf, destinationAssembly } from '../../lab/assembly.ts';
import { type Clock, realClock } from '../../lab/aws/clock.ts';
import { type Deployment, deploy } from '../../lab/aws/deploy.ts';
import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import { isOver } from '../../lab/aws/in-process.ts';
import type { Latency } from '../../lab/aws/limits.ts';
import { readAssembly, type Stack } from '../../lab/aws/template.ts';
import { World, type WorldOptions } from '../../lab/aws/world.ts';
import { DRILL_PLACE } from '../../lab/synthesise.ts';
import { VirtualTime } from '../../lab/virtual-time.ts';
import type { WindowsAnswer } from '../../lambdas/shared/contracts.ts';
import { BACKUP, DRILL_TAG, SET_TAGS, THAW_RESCUE, USER_TAGS } from '../../lambdas/shared/names.ts';
import { putVssDocuments } from './aws-vss-documents.ts';
import { MemoryStore } from './memory-store.ts';
import { ModelHost } from './model-host.ts';
import { windowsAnswer } from './model-windows.ts';
import { ModelWindowsHost } from './model-windows-host.ts';

/** What the tests' plan promises, by policy: the wanted grade, and what becomes of a set that misses it. */
export const POLICIES = {
  nightly: { grade: 'application', onDowngrade: 'keep' },
  strict: { grade: 'application', onDowngrade: 'discard' },
  files: { grade: 'filesystem', onDowngrade: 'keep' },
  loose: { grade: 'crash', onDowngrade: 'keep' },
  vault: { grade: 'application', onDowngrade: 'keep', lock: { mode: 'compliance', days: 7 } },
  'loose-strict': { grade: 'crash', onDowngrade: 'discard' },
  cold: { grade: 'application', onDowngrade: 'keep', retain: { last: 9 }, archive: { afterDays: 30 } },
  drilled: { grade: 'application', onDowngrade: 'keep', drill: DRILL_PLACE },
  rotated: { grade: 'application', onDowngrade: 'keep', drill: DRILL_PLACE },
} as const;
export type PolicyName = keyof typeof POLICIES;

/**
 * An account with the stack as it is synthesised, the Lambdas as they ship, the unmodified SDK, and hosts that keep the
 * contract, in virtual time: the first account of a process takes the process's clock. Every server is of its own, so
 * that runs on several can go on side by side.
 */
export class ModelAccount {
  readonly world: World;
  /** Virtual. */
  readonly clock: Clock = realClock;
  readonly servers = new Map<string, Server>();
  readonly windowsServers = new Map<string, WindowsServer>();
  /** Hosts of instances that drills have launched, the terminated ones too. */
  readonly scratchHosts = new Map<string, ModelHost>();
  /** By drill: called with its host before that starts; where it throws, its agent never does. */
  readonly onScratch = new Map<string, (host: ModelHost) => void>();
  readonly #store = new MemoryStore();
  /** The account's own, then those beside it. */
  readonly #deployments: Deployment[] = [];
  #runs = 0;

  private constructor({ latency, limits }: AccountOptions) {
    this.world = new World({
      store: this.#store,
      clock: this.clock,
      // The account's own rates: a test throttles what it is about.
      limits: { rates: {}, ...limits },
    });
    draw(this.world.latency, { ...SOME_LATENCY, ...latency });
    this.#store.isInUse = (id, volumeId) => this.servers.get(id)?.host.used.has(volumeId) ?? false;
    this.#letLaunch(this.world);
    this.#store.onSnapshot = async (id, volumeIds) => {
      await this.servers.get(id)?.disks.onSnapshot(id, volumeIds);
      await this.windowsServers.get(id)?.host.witness(volumeIds);
    };
  }

  static async open(options: AccountOptions = {}): Promise<ModelAccount> {
    // What reads files comes first.
    const stack = options.stack ?? (await stackOfTests());
    letTimePass();
    const account = new ModelAccount(options);
    await account.#deploy(stack, account.world, options);
    putVssDocuments(account.world);
    return account;
  }

  get deployment(): Deployment {
    const [deployment] = this.#deployments;
    if (!deployment) throw new Error('nothing is deployed');
    return deployment;
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
    for (const volumeId of host.used) this.#store.attached.set(volumeId, id);
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
      profile: id,
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

  /** Scratch instances of drills: hosts without an array of their own. */
  #letLaunch({ ec2, region }: World): void {
    const { launches } = ec2;
    launches.images.set(DRILL_PLACE.imageId, { rootGiB: 8 });
    launches.subnets.set(DRILL_PLACE.subnetId, { availabilityZone: `${region}b` });
    launches.machines = {
      start: async ({ instanceId, rootVolumeId }) => {
        const host = new ModelHost({ rootVolume: rootVolumeId, dataVolumes: [], database: false, clock: this.clock });
        host.sees = (volumeId) => this.#store.attached.get(volumeId) === instanceId;
        this.scratchHosts.set(instanceId, host);
        this.onScratch.get(ec2.instances.get(instanceId)?.tags.get(DRILL_TAG) ?? '')?.(host);
        return host;
      },
      stop: async (instanceId) => {
        for (const [volumeId, at] of this.#store.attached) if (at === instanceId) this.#store.attached.delete(volumeId);
      },
    };
  }

  /** Another deployment, in its own account or Region of this world. */
  async alsoDeploy(stack: Stack): Promise<Deployment> {
    const world = this.world.inAccount(stack.account).inRegion(stack.region);
    this.#letLaunch(world);
    return await this.#deploy(stack, world, {});
  }

  async #deploy(stack: Stack, world: World, { requestMs = () => 10, computeMs = () => 30 }: AccountOptions) {
    const deployment = await deploy(stack, world, { inProcess: { requestMs, computeMs } });
    this.#deployments.push(deployment);
    return deployment;
  }

  async close(): Promise<void> {
    for (const deployment of this.#deployments) await deployment.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

let isVirtual = false;
function letTimePass(): void {
  if (!isVirtual) VirtualTime.begin(isOver);
  isVirtual = true;
}

const SOME_LATENCY = {
  describeMs: 300,
  instanceMs: 20_000,
  commandStartMs: 300,
  commandResultMs: 300,
  invocationVisibleMs: 200,
};

function draw(latency: Latency, drawn: Partial<Record<keyof Latency, number | (() => number)>>): void {
  for (const [name, value] of Object.entries(drawn)) {
    Object.defineProperty(latency, name, typeof value === 'function' ? { get: value } : { value });
  }
}

/** Not what EC2 would give a volume by itself. */
const DATA_VOLUME = { type: 'gp3', iops: 4000, throughput: 250, tags: { team: 'data' } };

export interface AccountOptions {
  /** @default that of the tests' plan */
  readonly stack?: Stack;
  /** Milliseconds, or how to draw them anew at every use. */
  readonly latency?: Partial<Record<keyof Latency, number | (() => number)>>;
  /** Beside no limit of any rate. */
  readonly limits?: WorldOptions['limits'];
  /** On the way of every request. @default 10 ms */
  readonly requestMs?: () => number;
  /** Of an invocation, beside its waiting. @default 30 ms */
  readonly computeMs?: () => number;
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

/** What instances that a restore launches may have. */
export const LAUNCH_ROLE = 'arn:aws:iam::111122223333:role/app';

let stack: Promise<Stack> | undefined;

/** The stack with the tests' plan, synthesised once in this process. */
export const stackOfTests = (): Promise<Stack> => {
  stack ??= synthesise();
  return stack;
};

async function synthesise(): Promise<Stack> {
  const common = { schedule: 'rate(1 day)', retain: { last: 3 } };
  const policies = Object.fromEntries(
    Object.entries(POLICIES).map(([name, policy]) => [name, { ...common, ...policy }]),
  );
  return await stackOf({ policies, restore: { roles: [LAUNCH_ROLE] } });
}

/** The role that an account has for copies of another one's sets. */
export async function destinationIn(account: string, homeAccount: string): Promise<Stack> {
  return readAssembly(await destinationAssembly(), { account, parameters: { HomeAccount: homeAccount } });
}

/** The stack as another plan makes it, or in another place. */
export async function stackOf(plan: object, place: { account?: string; region?: string } = {}): Promise<Stack> {
  return readAssembly(await assemblyOf(plan), place);
}
