import { isDeepStrictEqual } from 'node:util';
import type {
  Instance as InstanceAnswer,
  InstanceStateChange,
  RunInstancesCommandInput,
  RunInstancesCommandOutput,
  TerminateInstancesCommandInput,
  TerminateInstancesCommandOutput,
} from '@aws-sdk/client-ec2';
import type { Machines } from '../ports.ts';
import { findInstance, type Instance, refuseDryRun, stateOf } from './ec2-instance.ts';
import { tagged } from './ec2-tags.ts';
import type { Volumes } from './ec2-volumes.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Instances that come and go. What they run on is the lab's matter (`machines`); images and subnets are made known. */
export class Launches {
  readonly operations: Operations;
  /** Size of the root volume of each image. */
  readonly images = new Map<string, { rootGiB: number }>();
  readonly subnets = new Map<string, { availabilityZone: string }>();
  /** Undefined: EC2 has no capacity. */
  machines: Machines | undefined;
  readonly #world: World;
  readonly #instances: Map<string, Instance>;
  readonly #volumes: Volumes;
  readonly #describe: (instance: Instance) => InstanceAnswer;
  readonly #tokens = new Map<string, { input: unknown; instance: Instance }>();

  constructor(
    world: World,
    instances: Map<string, Instance>,
    volumes: Volumes,
    describe: (instance: Instance) => InstanceAnswer,
  ) {
    this.#world = world;
    this.#instances = instances;
    this.#volumes = volumes;
    this.#describe = describe;
    this.operations = {
      RunInstances: (input) => this.#run(input),
      TerminateInstances: (input) => this.#terminate(input),
    };
  }

  #run(input: RunInstancesCommandInput): Partial<RunInstancesCommandOutput> {
    const again = input.ClientToken === undefined ? undefined : this.#tokens.get(input.ClientToken);
    if (again) {
      if (!isDeepStrictEqual(again.input, input)) {
        throw new AwsError('IdempotentParameterMismatch', 'The client token was used with other parameters before');
      }
      return this.#answer(again.instance);
    }
    if (input.MinCount !== 1 || input.MaxCount !== 1) {
      throw new AwsError('InvalidParameterValue', 'The lab launches one instance at a time');
    }
    const image = this.images.get(input.ImageId ?? '');
    if (!image) throw new AwsError('InvalidAMIID.NotFound', `The image id '[${input.ImageId}]' does not exist`);
    const subnet = this.subnets.get(input.SubnetId ?? '');
    if (!subnet) {
      throw new AwsError('InvalidSubnetID.NotFound', `The subnet ID '${input.SubnetId}' does not exist`);
    }
    const tags = ofKind(input, 'instance');
    const volumeTags = ofKind(input, 'volume');
    refuseDryRun(input.DryRun);
    if (!this.machines) {
      throw new AwsError(
        'InsufficientInstanceCapacity',
        `We currently do not have sufficient ${input.InstanceType} capacity in ${subnet.availabilityZone}`,
        500,
      );
    }
    const now = this.#world.clock.now();
    const instance: Instance = {
      id: this.#world.id('i'),
      tags,
      state: 'pending',
      type: input.InstanceType ?? 'm1.small',
      platform: undefined,
      profile: undefined,
      availabilityZone: subnet.availabilityZone,
      rootDevice: '/dev/xvda',
      devices: new Map(),
      agent: undefined,
      launchedAt: now,
      visibleAt: now + this.#world.latency.describeMs,
    };
    this.#instances.set(instance.id, instance);
    const root = { id: this.#world.id('vol'), device: instance.rootDevice, sizeGiB: image.rootGiB };
    this.#volumes.adopt({ ...root, tags: Object.fromEntries(volumeTags) }, instance);
    if (input.ClientToken !== undefined) this.#tokens.set(input.ClientToken, { input, instance });
    void this.#boot(instance, root.id, this.machines);
    return this.#answer(instance);
  }

  /** It runs for EC2 long before its agent has told SSM that it is there. */
  async #boot(instance: Instance, rootVolumeId: string, machines: Machines): Promise<void> {
    const booted = machines.start({ instanceId: instance.id, rootVolumeId });
    booted.catch(() => {});
    await this.#world.clock.sleep(this.#world.latency.instanceMs);
    if (instance.state === 'pending') instance.state = 'running';
    try {
      const agent = await booted;
      if (instance.state === 'running') instance.agent = agent;
    } catch {
      // As a guest whose agent never starts: it runs, and SSM does not know it.
    }
  }

  #terminate(input: TerminateInstancesCommandInput): Partial<TerminateInstancesCommandOutput> {
    const named = (input.InstanceIds ?? []).map((id) => findInstance(this.#instances, id));
    if (named.length === 0) throw new AwsError('MissingParameter', 'The request must contain the parameter InstanceId');
    refuseDryRun(input.DryRun);
    return { TerminatingInstances: named.map((instance) => this.#shutDown(instance)) };
  }

  #shutDown(instance: Instance): InstanceStateChange {
    const previous = stateOf(instance);
    if (instance.state !== 'terminated' && instance.state !== 'shutting-down') {
      instance.state = 'shutting-down';
      instance.agent = undefined;
      void this.#end(instance);
    }
    return { InstanceId: instance.id, PreviousState: previous, CurrentState: stateOf(instance) };
  }

  /** Its root volume goes with it; what was attached later is left, and free. It shows as `terminated` for an hour. */
  async #end(instance: Instance): Promise<void> {
    await this.machines?.stop(instance.id);
    await this.#world.clock.sleep(this.#world.latency.instanceMs);
    for (const [device, volumeId] of instance.devices) {
      const volume = this.#volumes.find(volumeId);
      volume.attachment = undefined;
      volume.state = 'available';
      if (device !== instance.rootDevice) continue;
      this.#volumes.all.delete(volumeId);
    }
    instance.devices.clear();
    instance.state = 'terminated';
    void this.#world.clock.sleep(SHOWN_TERMINATED_MS).then(() => this.#instances.delete(instance.id));
  }

  #answer(instance: Instance): Partial<RunInstancesCommandOutput> {
    return {
      ReservationId: instance.id.replace(/^i-/, 'r-'),
      OwnerId: this.#world.account,
      Instances: [this.#describe(instance)],
    };
  }
}

const SHOWN_TERMINATED_MS = 3_600_000;

/** One call may tag everything that it makes. */
const ofKind = ({ TagSpecifications }: RunInstancesCommandInput, kind: string) => {
  for (const { ResourceType = '' } of TagSpecifications ?? []) {
    if (!['instance', 'volume', 'network-interface'].includes(ResourceType)) {
      throw new AwsError(
        'InvalidParameterValue',
        `'${ResourceType}' is not a valid taggable resource type for this operation.`,
      );
    }
  }
  return tagged(
    new Map(),
    TagSpecifications?.filter(({ ResourceType }) => ResourceType === kind).flatMap(({ Tags = [] }) => Tags),
  );
};
