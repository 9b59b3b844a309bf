import type { Agent, BlockStore } from '../ports.ts';
import { type Clock, realClock } from './clock.ts';
import { Ec2 } from './ec2.ts';
import { type CallFault, type CallTarget, Faults } from './faults.ts';
import { DEFAULT_LATENCY, DEFAULT_LIMITS, type Latency, type Limits } from './limits.ts';
import { S3 } from './s3.ts';
import { Ssm } from './ssm.ts';

/** One account in one Region: everything that the endpoints answer from, open to the tests that look into it. */
export class World {
  readonly account: string;
  readonly region: string;
  readonly clock: Clock;
  readonly store: BlockStore;
  readonly limits: Limits;
  readonly latency: Latency;
  readonly ec2: Ec2;
  readonly ssm: Ssm;
  readonly s3: S3;
  readonly faults = new Faults<CallTarget, CallFault>();
  /** Every request in the order of its answer: tests hold the synthesised policies against it. */
  readonly log: LogEntry[] = [];
  /** Called with every entry of the log, as it is made. */
  onCall: ((entry: LogEntry) => void) | undefined;
  /** Decides whether a principal may make a call. Without it everything is allowed. */
  authorize: ((call: AuthorizedCall) => boolean | Promise<boolean>) | undefined;
  readonly #services = new Map<string, Operations>();
  readonly #principals = new Map<string, string>();
  readonly #options: WorldOptions;
  /** The account's Regions by name, this one among them. */
  readonly #regions: Map<string, World>;
  /** By account, a world of each in some Region. */
  readonly #accounts: Map<string, World>;
  #ids = 0;

  constructor(options: WorldOptions, regions = new Map<string, World>(), accounts = new Map<string, World>()) {
    this.#options = options;
    this.#regions = regions;
    this.#accounts = accounts;
    this.account = options.account ?? '111122223333';
    this.region = options.region ?? 'eu-central-1';
    regions.set(this.region, this);
    if (!accounts.has(this.account)) accounts.set(this.account, this);
    this.clock = options.clock ?? realClock;
    this.store = options.store;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.latency = { ...DEFAULT_LATENCY, ...options.latency };
    this.ec2 = new Ec2(this);
    this.ssm = new Ssm(this);
    this.s3 = new S3(this);
    this.#services.set('ec2', this.ec2.operations);
    this.#services.set('ssm', this.ssm.operations);
  }

  /** The same account in another Region: its own EC2 and limits, the same disks, clock, roles and rights. */
  inRegion(region: string): World {
    const known = this.#regions.get(region);
    return known ?? this.#beside({ region }, this.#regions);
  }

  /** Another account in this Region. */
  inAccount(account: string): World {
    const known = this.#accounts.get(account);
    return known?.inRegion(this.region) ?? this.#beside({ account }, new Map());
  }

  /** A world of each account that there is. */
  accounts(): Iterable<World> {
    return this.#accounts.values();
  }

  #beside(place: { region?: string; account?: string }, regions: Map<string, World>): World {
    const { account, region, clock } = this;
    const world = new World({ ...this.#options, account, region, clock, ...place }, regions, this.#accounts);
    world.authorize = (call) => this.authorize?.(call) ?? true;
    // Ids are unique everywhere.
    world.id = (prefix) => this.id(prefix);
    return world;
  }

  /** Whether a snapshot of any Region is made of it: a copy shares the image of its source. */
  isImageInUse(image: string): boolean {
    const regions = [...this.#accounts.values()].flatMap((world) => [...world.#regions.values()]);
    if (!regions.some(({ ec2 }) => ec2.copies.made)) return false;
    return regions.some(({ ec2 }) =>
      [...ec2.snapshots.all.values()].some((snapshot) => snapshot.image === image && !snapshot.deleted),
    );
  }

  /** Adds or replaces a service: the workflow engine puts itself here as `states`. */
  register(service: string, operations: Operations): void {
    this.#services.set(service, operations);
  }

  operations(service: string): Operations | undefined {
    return this.#services.get(service);
  }

  /** Access key for a role: a request signed with it is logged, and judged, as that role's. */
  accessKeyFor(principal: string): string {
    for (const [key, known] of this.#principals) if (known === principal) return key;
    const key = `ASIA${String(this.#principals.size + 1).padStart(16, '0')}`;
    this.#principals.set(key, principal);
    return key;
  }

  principalOf(accessKey: string): string {
    return this.#principals.get(accessKey) ?? `arn:aws:iam::${this.account}:user/${accessKey}`;
  }

  /** The account that a principal's ARN names. */
  accountOf(principal: string): string {
    return /^arn:aws:(iam|sts)::(\d{12}):/.exec(principal)?.[2] ?? this.account;
  }

  /** A fresh id such as `snap-00000000000000001`: in order of making, so that a failed test reads well. */
  id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}-${this.#ids.toString(16).padStart(17, '0')}`;
  }
}

export interface WorldOptions {
  readonly store: BlockStore;
  /** @default 111122223333 */
  readonly account?: string;
  /** @default eu-central-1 */
  readonly region?: string;
  /** @default the machine's own time */
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
  readonly latency?: Partial<Latency>;
}

/** What an operation knows of its call, beside the input. */
export interface Call {
  service: string;
  action: string;
  principal: string;
}

/** Operations of one service by name. Inputs have been checked against the SDK's schema before. */
export type Operations = Record<string, Operation>;
// biome-ignore lint/suspicious/noExplicitAny: each operation takes its own input type; the schema check stands before it
export type Operation = (input: any, call: Call) => object | Promise<object>;

export interface AuthorizedCall extends Call {
  account: string;
  region: string;
  input: unknown;
}

export interface LogEntry {
  /** When the request arrived. */
  at: number;
  ms: number;
  service: string;
  action: string;
  principal: string;
  region: string;
  input: unknown;
  /** `ok`, or the code of the error. */
  result: string;
  /** The planned fault that struck this call. */
  fault?: CallFault;
}

/** What an instance is made of. Its volumes are taken to exist in the block store already. */
export interface InstanceSpec {
  id: string;
  tags?: Record<string, string>;
  /** @default running */
  state?: 'running' | 'stopped';
  /** @default m7g.large */
  type?: string;
  /** Name of its instance profile, which is that of its role. @default none */
  readonly profile?: string;
  platform?: 'windows';
  availabilityZone?: string;
  rootDevice?: string;
  volumes: readonly VolumeSpec[];
  /** The SSM agent; an instance without one is unmanaged. */
  agent?: Agent;
}

export interface VolumeSpec {
  id: string;
  /** Name of the device as EC2 knows it, for example `/dev/sdf`. */
  device: string;
  sizeGiB: number;
  /** @default gp3 */
  type?: string;
  iops?: number;
  /** MiB/s. */
  throughput?: number;
  kmsKeyId?: string;
  tags?: Record<string, string>;
  encrypted?: boolean;
}
