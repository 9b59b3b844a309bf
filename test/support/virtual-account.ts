/**
 * An account in virtual time: the synthesised state machines, the shipped bundles with the unmodified SDK, endpoints with
 * the buckets that AWS documents, and hosts that keep the contract. All in one process, without a socket, so that ten
 * thousand instances fit into minutes. One for each process: it takes the process's clock.
 */
import { realClock } from '../../lab/aws/clock.ts';
import { answerInProcess, ENDPOINT, InProcessLambdas } from '../../lab/aws/in-process.ts';
import type { Latency, Limits } from '../../lab/aws/limits.ts';
import { StepFunctions } from '../../lab/aws/step-functions.ts';
import type { Stack } from '../../lab/aws/template.ts';
import { World } from '../../lab/aws/world.ts';
import { VirtualTime } from '../../lab/virtual-time.ts';
import { USER_TAGS } from '../../lambdas/shared/names.ts';
import { MemoryStore } from './memory-store.ts';
import { ModelHost } from './model-host.ts';

export class VirtualAccount {
  readonly world: World;
  readonly lambdas: InProcessLambdas;
  readonly stepFunctions: StepFunctions;
  readonly servers = new Map<string, VirtualServer>();
  readonly #time: VirtualTime;

  private constructor(stack: Stack, time: VirtualTime, options: VirtualOptions) {
    this.#time = time;
    const store = new MemoryStore();
    this.world = new World({ store, clock: realClock, ...(options.limits && { limits: options.limits }) });
    store.onSnapshot = async (id, volumeIds) => this.servers.get(id)?.disks.onSnapshot(id, volumeIds);
    draw(this.world.latency, options.latency ?? {});
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: ENDPOINT,
      AWS_REGION: this.world.region,
      AWS_ACCESS_KEY_ID: this.world.accessKeyFor('lambda'),
      AWS_SECRET_ACCESS_KEY: 'lab',
    });
    answerInProcess(this.world, options.requestMs ?? (() => 10));
    for (const { name, content } of stack.documents) this.world.ssm.documents.put(name, content);
    for (const { name } of stack.buckets) this.world.s3.addBucket(name);
    this.lambdas = new InProcessLambdas(stack.functions, options.computeMs ?? (() => 30));
    this.stepFunctions = new StepFunctions({
      stack,
      lambdas: this.lambdas,
      clock: realClock,
      sdkConfig: (role) => ({
        endpoint: ENDPOINT,
        forcePathStyle: true,
        region: this.world.region,
        credentials: { accessKeyId: this.world.accessKeyFor(role), secretAccessKey: 'lab' },
      }),
    });
    this.world.register('states', this.stepFunctions.operations);
  }

  static async open(stack: Stack, options: VirtualOptions = {}): Promise<VirtualAccount> {
    // What reads files comes first: time cannot wait for them.
    await import('@aws-sdk/client-s3');
    const time = new VirtualTime().install();
    const account = new VirtualAccount(stack, time, options);
    await account.lambdas.load();
    return account;
  }

  get now(): number {
    return this.#time.now;
  }

  /** Lets time pass until this is done. */
  run<T>(work: Promise<T>): Promise<T> {
    return this.#time.run(work);
  }

  /** A running instance with a root disk and an array of two volumes, a file system and a database on it. */
  launch({ policy = 'nightly', mode, group }: { policy?: string; mode?: string; group?: string } = {}): VirtualServer {
    const number = (this.servers.size + 1).toString(16);
    const id = `i-0${number.padStart(16, '0')}`;
    const volumes = [0, 1, 2].map((index) => `vol-${index}${number.padStart(16, '0')}`);
    const [root = '', ...data] = volumes;
    const host = new ModelHost({ rootVolume: root, dataVolumes: data, database: true, clock: realClock });
    const disks = new MemoryStore();
    host.watch(disks, id);
    this.world.ec2.addInstance({
      id,
      tags: {
        [USER_TAGS.policy]: policy,
        ...(mode !== undefined && { [USER_TAGS.mode]: mode }),
        ...(group !== undefined && { [USER_TAGS.group]: group }),
      },
      agent: host,
      volumes: [
        { id: root, device: '/dev/xvda', sizeGiB: 8 },
        ...data.map((volumeId, index) => ({ id: volumeId, device: `/dev/sd${'fg'[index]}`, sizeGiB: 100 })),
      ],
    });
    const server = { id, host, volumes, disks };
    this.servers.set(id, server);
    return server;
  }
}

export interface VirtualServer {
  readonly id: string;
  readonly host: ModelHost;
  readonly volumes: readonly string[];
  readonly disks: MemoryStore;
}

export interface VirtualOptions {
  /** Milliseconds, drawn anew at every use. */
  readonly latency?: Partial<Record<keyof Latency, () => number>>;
  readonly limits?: Partial<Limits>;
  /** On the way of every request. @default 10 ms */
  readonly requestMs?: () => number;
  /** Of an invocation, beside its waiting. @default 30 ms */
  readonly computeMs?: () => number;
}

function draw(latency: Latency, drawn: NonNullable<VirtualOptions['latency']>): void {
  for (const [name, get] of Object.entries(drawn)) Object.defineProperty(latency, name, { get });
}
