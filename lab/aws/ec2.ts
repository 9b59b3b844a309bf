import type {
  CreateTagsCommandInput,
  DeleteTagsCommandInput,
  DescribeInstancesCommandInput,
  DescribeInstancesCommandOutput,
  Instance as InstanceAnswer,
} from '@aws-sdk/client-ec2';
import { Copies } from './ec2-copies.ts';
import { checkPaging, filtered, page, type Tags } from './ec2-filters.ts';
import { findInstance, type Instance, refuseDryRun, stateOf } from './ec2-instance.ts';
import { Launches } from './ec2-launch.ts';
import { Locks } from './ec2-locks.ts';
import { Snapshots } from './ec2-snapshots.ts';
import { tagged, tagList } from './ec2-tags.ts';
import { Tiers } from './ec2-tiers.ts';
import { Volumes } from './ec2-volumes.ts';
import { AwsError } from './errors.ts';
import type { InstanceSpec, Operations, World } from './world.ts';

/** The instances, and what hangs on them. */
export class Ec2 {
  readonly instances = new Map<string, Instance>();
  readonly volumes: Volumes;
  readonly snapshots: Snapshots;
  readonly locks: Locks;
  readonly copies: Copies;
  readonly launches: Launches;
  readonly tiers: Tiers;
  readonly operations: Operations;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.volumes = new Volumes(world, this.instances);
    this.snapshots = new Snapshots(world, this.instances, this.volumes);
    this.locks = new Locks(world);
    this.copies = new Copies(world);
    this.launches = new Launches(world, this.instances, this.volumes, (instance) => this.#answer(instance));
    this.tiers = new Tiers(world);
    this.operations = {
      DescribeInstances: (input) => this.#describe(input),
      CreateTags: (input) => this.#createTags(input),
      DeleteTags: (input) => this.#deleteTags(input),
      ...this.volumes.operations,
      ...this.snapshots.operations,
      ...this.locks.operations,
      ...this.copies.operations,
      ...this.launches.operations,
      ...this.tiers.operations,
    };
  }

  addInstance(spec: InstanceSpec): Instance {
    const availabilityZone = spec.availabilityZone ?? `${this.#world.region}a`;
    const instance: Instance = {
      id: spec.id,
      tags: new Map(Object.entries(spec.tags ?? {})),
      state: spec.state ?? 'running',
      type: spec.type ?? 'm7g.large',
      platform: spec.platform,
      profile: spec.profile,
      availabilityZone,
      rootDevice: spec.rootDevice ?? '/dev/xvda',
      devices: new Map(),
      agent: spec.agent,
      launchedAt: this.#world.clock.now(),
    };
    this.instances.set(spec.id, instance);
    for (const volume of spec.volumes) this.volumes.adopt(volume, instance);
    return instance;
  }

  #describe(input: DescribeInstancesCommandInput): Partial<DescribeInstancesCommandOutput> {
    checkPaging(input.MaxResults, input.InstanceIds, 'instancesSet');
    const now = this.#world.clock.now();
    const named = input.InstanceIds?.map((id) => findInstance(this.instances, id, now));
    const asked = named ?? [...this.instances.values()].filter(({ visibleAt = 0 }) => visibleAt <= now);
    const found = filtered(asked, input.Filters, {
      'instance-id': ({ id }) => [id],
      'instance-state-name': ({ state }) => [state],
      'instance-type': ({ type }) => [type],
      'availability-zone': ({ availabilityZone }) => [availabilityZone],
      platform: ({ platform }) => (platform ? [platform] : []),
      'block-device-mapping.volume-id': ({ devices }) => [...devices.values()],
    });
    const { items, ...next } = page(found, input.MaxResults, input.NextToken);
    // Each instance in a reservation of its own, as instances that were launched one by one are.
    return {
      ...next,
      Reservations: items.map((instance) => ({
        ReservationId: instance.id.replace(/^i-/, 'r-'),
        OwnerId: this.#world.account,
        Instances: [this.#answer(instance)],
      })),
    };
  }

  #answer(instance: Instance): InstanceAnswer {
    return {
      InstanceId: instance.id,
      InstanceType: instance.type as NonNullable<InstanceAnswer['InstanceType']>,
      State: stateOf(instance),
      Placement: { AvailabilityZone: instance.availabilityZone },
      LaunchTime: new Date(instance.launchedAt),
      RootDeviceName: instance.rootDevice,
      RootDeviceType: 'ebs',
      ...(instance.platform ? { Platform: 'Windows' as const } : {}),
      ...(instance.profile
        ? { IamInstanceProfile: { Arn: `arn:aws:iam::${this.#world.account}:instance-profile/${instance.profile}` } }
        : {}),
      PlatformDetails: instance.platform ? 'Windows' : 'Linux/UNIX',
      BlockDeviceMappings: [...instance.devices].map(([DeviceName, VolumeId]) => ({
        DeviceName,
        Ebs: {
          VolumeId,
          Status: 'attached' as const,
          AttachTime: new Date(instance.launchedAt),
          DeleteOnTermination: DeviceName === instance.rootDevice,
        },
      })),
      Tags: tagList(instance.tags),
    };
  }

  #createTags(input: CreateTagsCommandInput): object {
    const resources = this.#resources(input.Resources);
    refuseDryRun(input.DryRun);
    // All resources or none: every new set of tags is made before the first is put in place.
    const changes = resources.map((resource) => ({ resource, tags: tagged(resource.tags, input.Tags) }));
    for (const { resource, tags } of changes) resource.tags = tags;
    for (const id of input.Resources ?? [])
      if (id.startsWith('snap-')) this.snapshots.noteTags(this.snapshots.find(id));
    return {};
  }

  #deleteTags(input: DeleteTagsCommandInput): object {
    const resources = this.#resources(input.Resources);
    refuseDryRun(input.DryRun);
    for (const resource of resources) {
      if (!input.Tags) resource.tags.clear();
      for (const { Key = '', Value } of input.Tags ?? []) {
        if (Value === undefined || resource.tags.get(Key) === Value) resource.tags.delete(Key);
      }
    }
    return {};
  }

  #resources(ids: readonly string[] | undefined): { tags: Tags }[] {
    if (!ids?.length) throw new AwsError('MissingParameter', 'The request must contain the parameter resourceIdSet');
    if (ids.length > 1000) throw new AwsError('InvalidParameterValue', 'At most 1000 resources in one call');
    return ids.map((id) => {
      if (id.startsWith('snap-')) return this.snapshots.find(id);
      if (id.startsWith('vol-')) return this.volumes.find(id);
      if (id.startsWith('i-')) return findInstance(this.instances, id);
      throw new AwsError('InvalidID', `The ID '${id}' is not valid`);
    });
  }
}
