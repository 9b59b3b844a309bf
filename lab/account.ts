import { randomBytes } from 'node:crypto';
import { EC2Client } from '@aws-sdk/client-ec2';
import { type Deployment, deploy } from './aws/deploy.ts';
import type { Execution } from './aws/execution.ts';
import { World, type WorldOptions } from './aws/world.ts';
import { GuestHost } from './guest-host.ts';
import type { Machine } from './machine.ts';
import type { BlockStore } from './ports.ts';
import { startMachine } from './start.ts';
import { DRILL_PLACE, LAUNCH, type LabPolicy, synthesise } from './synthesise.ts';
import { Volumes } from './volumes.ts';
import * as workload from './workload.ts';

/** An AWS account on one machine: real guests and disks, the stack as it is synthesised, the Lambdas as they ship. */
export class Account {
  readonly volumes = new Volumes();
  readonly world: World;
  readonly instances: Instance[] = [];
  readonly #progress: (text: string) => void;
  #deployment: Deployment | undefined;
  #ec2: EC2Client | undefined;

  private constructor(options: AccountOptions) {
    this.#progress = options.progress ?? (() => {});
    this.world = new World({
      store: options.store ?? this.volumes,
      ...(options.latency && { latency: options.latency }),
    });
    this.#letLaunch();
  }

  static async open(options: AccountOptions): Promise<Account> {
    const account = new Account(options);
    const { policy, hookDocuments, timeScale, first } = options;
    const launched = first && account.launch(first);
    // Told when it is awaited.
    launched?.catch(() => {});
    try {
      account.#deployment = await deploy(await synthesise(policy, hookDocuments), account.world, {
        ...(timeScale !== undefined && { timeScale }),
      });
      await launched;
      return account;
    } catch (error) {
      await launched?.catch(() => {});
      await account.close();
      throw error;
    }
  }

  get deployment(): Deployment {
    if (!this.#deployment) throw new Error('nothing is deployed');
    return this.#deployment;
  }

  /** A client of the operator's, beside the roles of the stack. */
  get ec2(): EC2Client {
    this.#ec2 ??= new EC2Client({
      endpoint: this.deployment.server.endpoint,
      region: this.world.region,
      credentials: { accessKeyId: this.world.accessKeyFor('operator'), secretAccessKey: 'lab' },
    });
    return this.#ec2;
  }

  /** A running instance with empty data volumes attached. */
  async launch({ tags = {}, dataVolumes = 0, sizeGiB = 0.5 }: LaunchOptions = {}): Promise<Instance> {
    const id = newId('i');
    const root = newId('vol');
    const instance = await this.#boot(
      id,
      root,
      Array.from({ length: dataVolumes }, () => newId('vol')),
    );
    for (const volumeId of instance.data) {
      await this.volumes.create(volumeId, sizeGiB);
      await this.volumes.attach(id, volumeId);
    }
    this.world.ec2.addInstance({
      id,
      tags,
      agent: instance.host,
      volumes: [
        { id: root, device: '/dev/xvda', sizeGiB: 2 },
        ...instance.data.map((volumeId, index) => ({ id: volumeId, device: deviceName(index), sizeGiB: 1 })),
      ],
    });
    return instance;
  }

  /** `rootImage`: it boots from a snapshot of a root volume, its data volumes attached. */
  async #boot(id: string, root: string, data: readonly string[], rootImage?: string): Promise<Instance> {
    const known = async (machine: Machine) => {
      this.volumes.addMachine(machine, root, rootImage);
      if (rootImage !== undefined) for (const volumeId of data) await this.volumes.attach(id, volumeId);
    };
    const machine = await startMachine({
      instanceId: id,
      rootVolumeId: root,
      progress: this.#progress,
      ...(rootImage !== undefined && { rootImage, beforeBoot: known }),
    });
    const instance = { id, root, machine, host: new GuestHost(machine, this.world.region), data };
    this.instances.push(instance);
    if (rootImage === undefined) await known(machine);
    return instance;
  }

  /** What the workflows launch by themselves: guests like any other. */
  #letLaunch(): void {
    const { launches } = this.world.ec2;
    launches.images.set(DRILL_PLACE.imageId, { rootGiB: 2 });
    launches.subnets.set(DRILL_PLACE.subnetId, { availabilityZone: `${this.world.region}a` });
    const { imageId, subnetId } = DRILL_PLACE;
    launches.templates.set(LAUNCH.template, { imageId, subnetId, type: 'm7i.large', role: LAUNCH.role });
    launches.machines = {
      start: async ({ instanceId, rootVolumeId, rootImage, dataVolumes }) =>
        (await this.#boot(instanceId, rootVolumeId, dataVolumes, rootImage)).host,
      stop: async (instanceId) => {
        const instance = this.instances.find(({ id }) => id === instanceId);
        if (!instance) return;
        await this.#unplug(instance);
        await this.volumes.remove(instance.root);
      },
    };
  }

  /** Runs the Drill workflow as a person would. */
  drill(instance: Instance, input: object = {}): Execution {
    this.#runs += 1;
    const wish = { instanceId: instance.id, ...input };
    return this.deployment.stepFunctions.start('Freezeframe-Drill', wish, `drill-${this.#runs}`);
  }

  /** Runs the Backup workflow as the schedule or a person would. */
  backup(instance: Pick<Instance, 'id'>, policy?: string): Execution {
    const time = new Date()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replace(/[:]/g, '');
    this.#runs += 1;
    const name = `${instance.id}-${time}-${this.#runs}`;
    const input = { instanceId: instance.id, ...(policy !== undefined && { policy }) };
    return this.deployment.stepFunctions.start('Freezeframe-Backup', input, name);
  }
  #runs = 0;

  /** The snapshots of a run, by the volume they were taken of. */
  snapshotsOf(run: string): Map<string, { id: string; tags: Map<string, string>; image: string }> {
    const all = [...this.world.ec2.snapshots.all.values()].filter(
      ({ tags, deleted }) => !deleted && tags.get('freezeframe:run') === run,
    );
    return new Map(all.map((snapshot) => [snapshot.volumeId, snapshot]));
  }

  /** What a set is worth on another machine: restored, assembled, checked, its database started. The machine is stopped. */
  async verify(
    images: readonly string[],
    topology: workload.Topology,
    engines?: readonly workload.Engine[],
  ): Promise<workload.Verdict> {
    const second = await this.launch();
    try {
      const restored: string[] = [];
      for (const image of images) {
        const volumeId = newId('vol');
        await this.volumes.create(volumeId, 0, image);
        await this.volumes.attach(second.id, volumeId);
        restored.push(volumeId);
      }
      return await workload.verify(second.machine, topology, restored, engines);
    } finally {
      await this.terminate(second);
    }
  }

  async terminate(instance: Instance): Promise<void> {
    await this.#unplug(instance);
    this.world.ec2.instances.delete(instance.id);
  }

  async #unplug(instance: Instance): Promise<void> {
    await instance.machine.stop();
    this.volumes.removeMachine(instance.id);
    this.instances.splice(this.instances.indexOf(instance), 1);
  }

  /** Leaves no process and no file behind. */
  async close(): Promise<void> {
    this.#ec2?.destroy();
    await this.#deployment?.close();
    for (const { machine } of this.instances) await machine.stop();
    await this.volumes.dispose();
  }
}

export interface AccountOptions {
  readonly policy: LabPolicy;
  /** Documents of the user's own that instances may name. */
  readonly hookDocuments?: readonly string[];
  readonly progress?: (text: string) => void;
  readonly latency?: WorldOptions['latency'];
  /** Disks of instances that are none of the lab's guests. @default the guests' own */
  readonly store?: BlockStore;
  /** Multiplies the workflow's waits. @default 1 */
  readonly timeScale?: number;
  /** An instance that boots while the stack is synthesised: the first of `instances`. */
  readonly first?: LaunchOptions;
}

export interface LaunchOptions {
  readonly tags?: Record<string, string>;
  readonly dataVolumes?: number;
  readonly sizeGiB?: number;
}

export interface Instance {
  readonly id: string;
  readonly root: string;
  readonly data: readonly string[];
  readonly machine: Machine;
  readonly host: GuestHost;
}

/** The device names that EC2 recommends for data volumes. */
const deviceName = (index: number): string => `/dev/sd${String.fromCharCode('f'.charCodeAt(0) + index)}`;

const newId = (kind: 'i' | 'vol'): string => `${kind}-0${randomBytes(8).toString('hex')}`;
