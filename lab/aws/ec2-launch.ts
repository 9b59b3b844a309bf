import { isDeepStrictEqual } from 'node:util';
import type {
  DescribeLaunchTemplateVersionsCommandInput,
  DescribeLaunchTemplateVersionsCommandOutput,
  Instance as InstanceAnswer,
  InstanceStateChange,
  LaunchTemplateSpecification,
  RunInstancesCommandInput,
  RunInstancesCommandOutput,
  TerminateInstancesCommandInput,
  TerminateInstancesCommandOutput,
} from '@aws-sdk/client-ec2';
import type { Machines } from '../ports.ts';
import { Images } from './ec2-images.ts';
import { findInstance, type Instance, refuseDryRun, stateOf } from './ec2-instance.ts';
import { tagged } from './ec2-tags.ts';
import type { Volumes } from './ec2-volumes.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Instances that come and go. What they run on is the lab's matter (`machines`); images and subnets are made known. */
export class Launches {
  readonly operations: Operations;
  readonly images: Images;
  /** By name and by id. */
  readonly templates = new Map<string, LaunchTemplate>();
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
    this.images = new Images(world);
    this.#world = world;
    this.#instances = instances;
    this.#volumes = volumes;
    this.#describe = describe;
    this.operations = {
      RunInstances: (input) => this.#run(input),
      TerminateInstances: (input) => this.#terminate(input),
      DescribeLaunchTemplateVersions: (input) => this.#describeTemplate(input),
      ...this.images.operations,
    };
  }

  #describeTemplate({
    LaunchTemplateId,
    LaunchTemplateName,
    Versions = ['$Default'],
  }: DescribeLaunchTemplateVersionsCommandInput): Partial<DescribeLaunchTemplateVersionsCommandOutput> {
    const template = this.#template({ LaunchTemplateId, LaunchTemplateName, Version: Versions[0] });
    const { imageId, type, subnetId } = template;
    return {
      LaunchTemplateVersions: [
        {
          ...(LaunchTemplateId ? { LaunchTemplateId } : {}),
          ...(LaunchTemplateName ? { LaunchTemplateName } : {}),
          VersionNumber: 1,
          LaunchTemplateData: {
            ...(imageId ? { ImageId: imageId } : {}),
            InstanceType: type as NonNullable<InstanceAnswer['InstanceType']>,
            NetworkInterfaces: [{ SubnetId: subnetId }],
          },
        },
      ],
    };
  }

  /** Each template of the lab has one version. */
  #template({ LaunchTemplateId, LaunchTemplateName, Version = '$Default' }: LaunchTemplateSpecification) {
    const name = LaunchTemplateId ?? LaunchTemplateName ?? '';
    const template = this.templates.get(name);
    if (!template) {
      const code = LaunchTemplateId
        ? 'InvalidLaunchTemplateId.NotFound'
        : 'InvalidLaunchTemplateName.NotFoundException';
      throw new AwsError(code, `The specified launch template, '${name}', does not exist.`);
    }
    if (!['$Default', '$Latest', '1'].includes(Version)) {
      throw new AwsError('InvalidLaunchTemplateId.VersionNotFound', `Could not find version ${Version} of ${name}`);
    }
    return template;
  }

  #run(asked: RunInstancesCommandInput): Partial<RunInstancesCommandOutput> {
    const template = asked.LaunchTemplate && this.#template(asked.LaunchTemplate);
    const input = {
      ...asked,
      ImageId: asked.ImageId ?? template?.imageId,
      InstanceType: asked.InstanceType ?? (template?.type as RunInstancesCommandInput['InstanceType']),
      SubnetId: asked.SubnetId ?? template?.subnetId,
    };
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
    const image = this.images.find(input.ImageId);
    const subnet = this.subnets.get(input.SubnetId ?? '');
    if (!subnet) {
      throw new AwsError('InvalidSubnetID.NotFound', `The subnet ID '${input.SubnetId}' does not exist`);
    }
    const tags = ofKind(input, 'instance');
    const volumeTags = ofKind(input, 'volume');
    const disks = this.#dataDisks(input.BlockDeviceMappings, image.rootDevice);
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
      rootDevice: image.rootDevice,
      devices: new Map(),
      agent: undefined,
      launchedAt: now,
      visibleAt: now + this.#world.latency.describeMs,
    };
    this.#instances.set(instance.id, instance);
    const root = { id: this.#world.id('vol'), device: instance.rootDevice, sizeGiB: image.rootGiB };
    this.#volumes.adopt({ ...root, tags: Object.fromEntries(volumeTags) }, instance);
    const data = disks.map((disk) => ({ ...disk, id: this.#world.id('vol'), tags: Object.fromEntries(volumeTags) }));
    for (const volume of data) this.#volumes.adopt(volume, instance);
    if (input.ClientToken !== undefined) this.#tokens.set(input.ClientToken, { input, instance });
    void this.#boot(instance, { id: root.id, image: image.rootImage }, data, this.machines);
    return this.#answer(instance);
  }

  /** Data volumes that are made of snapshots with the instance. */
  #dataDisks(mappings: RunInstancesCommandInput['BlockDeviceMappings'], rootDevice: string) {
    return (mappings ?? []).flatMap(({ DeviceName = '', Ebs }) => {
      const snapshot = this.#world.ec2.snapshots.find(Ebs?.SnapshotId);
      if (snapshot.state !== 'completed') {
        throw new AwsError('IncorrectState', `Snapshot ${snapshot.id} is '${snapshot.state}', not 'completed'`);
      }
      if (DeviceName === rootDevice) return [];
      const { VolumeType: type = 'gp2', Iops, Throughput } = Ebs ?? {};
      return [
        {
          device: DeviceName,
          sizeGiB: snapshot.sizeGiB,
          image: snapshot.image,
          type,
          ...(Iops ? { iops: Iops } : {}),
          ...(Throughput ? { throughput: Throughput } : {}),
        },
      ];
    });
  }

  /** It runs for EC2 long before its agent has told SSM that it is there. */
  async #boot(
    instance: Instance,
    root: { id: string; image: string | undefined },
    data: readonly { id: string; sizeGiB: number; image: string }[],
    machines: Machines,
  ): Promise<void> {
    const booted = Promise.all(data.map(({ id, sizeGiB, image }) => this.#world.store.create(id, sizeGiB, image))).then(
      () =>
        machines.start({
          instanceId: instance.id,
          rootVolumeId: root.id,
          rootImage: root.image,
          dataVolumes: data.map(({ id }) => id),
        }),
    );
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

export interface LaunchTemplate {
  readonly imageId: string | undefined;
  readonly type: string;
  readonly subnetId: string;
  /** ARN of the role that its instances have; it has to be passed on by whoever launches. */
  readonly role?: string;
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
