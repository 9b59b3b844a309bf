import { isDeepStrictEqual } from 'node:util';
import type {
  AttachVolumeCommandInput,
  CreateVolumeCommandInput,
  DeleteVolumeCommandInput,
  DescribeVolumesCommandInput,
  DescribeVolumesCommandOutput,
  DetachVolumeCommandInput,
  Volume as VolumeAnswer,
  VolumeAttachment,
} from '@aws-sdk/client-ec2';
import { checkPaging, filtered, page, type Tags } from './ec2-filters.ts';
import { findInstance, type Instance, refuseDryRun } from './ec2-instance.ts';
import { specified, tagged, tagList } from './ec2-tags.ts';
import { AwsError } from './errors.ts';
import type { Operations, VolumeSpec, World } from './world.ts';

/** The EBS volumes; their bytes lie in the block store. */
export class Volumes {
  readonly all = new Map<string, Volume>();
  readonly operations: Operations;
  /** Volumes that EC2 can't make of their snapshots, and attachments that never finish: tests say which. */
  fails: (volume: Volume) => boolean = () => false;
  hangs: (volume: Volume) => boolean = () => false;
  readonly #world: World;
  readonly #instances: ReadonlyMap<string, Instance>;
  readonly #tokens = new Map<string, { input: unknown; volumeId: string }>();

  constructor(world: World, instances: ReadonlyMap<string, Instance>) {
    this.#world = world;
    this.#instances = instances;
    this.operations = {
      DescribeVolumes: (input) => this.#describe(input),
      CreateVolume: (input) => this.#create(input),
      AttachVolume: (input) => this.#attach(input),
      DetachVolume: (input) => this.#detach(input),
      DeleteVolume: (input) => this.#delete(input),
    };
  }

  find(id: string | undefined): Volume {
    const volume = this.all.get(id ?? '');
    if (!volume) throw new AwsError('InvalidVolume.NotFound', `The volume '${id}' does not exist.`);
    return volume;
  }

  /** Takes in a volume that exists in the store and is attached already. */
  adopt(spec: VolumeSpec, instance: Instance): void {
    const now = this.#world.clock.now();
    this.all.set(spec.id, {
      id: spec.id,
      sizeGiB: spec.sizeGiB,
      type: spec.type ?? 'gp3',
      availabilityZone: instance.availabilityZone,
      tags: new Map(Object.entries(spec.tags ?? {})),
      state: 'in-use',
      iops: spec.iops ?? (spec.type === undefined || spec.type === 'gp3' ? 3000 : undefined),
      throughput: spec.throughput ?? (spec.type === undefined || spec.type === 'gp3' ? 125 : undefined),
      encrypted: spec.encrypted ?? false,
      kmsKeyId: spec.kmsKeyId,
      snapshotId: undefined,
      createdAt: now,
      visibleAt: now,
      attachment: { instanceId: instance.id, device: spec.device, state: 'attached', at: now },
    });
    instance.devices.set(spec.device, spec.id);
  }

  #describe(input: DescribeVolumesCommandInput): Partial<DescribeVolumesCommandOutput> {
    checkPaging(input.MaxResults, input.VolumeIds, 'volumeSet');
    const now = this.#world.clock.now();
    for (const id of input.VolumeIds ?? []) {
      if (this.find(id).visibleAt > now)
        throw new AwsError('InvalidVolume.NotFound', `The volume '${id}' does not exist.`);
    }
    const named = input.VolumeIds?.map((id) => this.find(id));
    const asked = (named ?? [...this.all.values()]).filter(({ visibleAt }) => visibleAt <= now);
    const found = filtered(asked, input.Filters, {
      'volume-id': ({ id }) => [id],
      status: ({ state }) => [state],
      'snapshot-id': ({ snapshotId }) => (snapshotId ? [snapshotId] : []),
      'volume-type': ({ type }) => [type],
      'availability-zone': ({ availabilityZone }) => [availabilityZone],
      'attachment.instance-id': ({ attachment }) => (attachment ? [attachment.instanceId] : []),
      'attachment.device': ({ attachment }) => (attachment ? [attachment.device] : []),
      'attachment.status': ({ attachment }) => (attachment ? [attachment.state] : []),
    });
    const { items, ...next } = page(found, input.MaxResults, input.NextToken);
    return { ...next, Volumes: items.map(answer) };
  }

  async #create(input: CreateVolumeCommandInput): Promise<VolumeAnswer> {
    const again = input.ClientToken === undefined ? undefined : this.#tokens.get(input.ClientToken);
    if (again) {
      if (!isDeepStrictEqual(again.input, input)) {
        throw new AwsError('IdempotentParameterMismatch', 'The client token was used with other parameters before');
      }
      return answer(this.find(again.volumeId));
    }
    const snapshot = input.SnapshotId === undefined ? undefined : this.#world.ec2.snapshots.find(input.SnapshotId);
    if (snapshot && snapshot.state !== 'completed') {
      throw new AwsError('IncorrectState', `Snapshot ${snapshot.id} is '${snapshot.state}', not 'completed'`);
    }
    const sizeGiB = input.Size ?? snapshot?.sizeGiB;
    if (sizeGiB === undefined)
      throw new AwsError('MissingParameter', 'The request must contain the parameter size/snapshot');
    if (snapshot && sizeGiB < snapshot.sizeGiB) {
      throw new AwsError(
        'InvalidParameterValue',
        `The volume (${sizeGiB} GiB) is smaller than the snapshot (${snapshot.sizeGiB} GiB)`,
      );
    }
    const type = input.VolumeType ?? 'gp2';
    checkPerformance(type, input);
    if (!input.AvailabilityZone) throw new AwsError('MissingParameter', 'The request must contain the parameter zone');
    const tags = tagged(new Map(), specified(input.TagSpecifications, 'volume'));
    refuseDryRun(input.DryRun);
    const now = this.#world.clock.now();
    const volume: Volume = {
      id: this.#world.id('vol'),
      sizeGiB,
      type,
      iops: input.Iops ?? (type === 'gp3' ? 3000 : undefined),
      throughput: input.Throughput ?? (type === 'gp3' ? 125 : undefined),
      availabilityZone: input.AvailabilityZone,
      tags,
      state: 'creating',
      encrypted: input.Encrypted ?? snapshot?.encrypted ?? false,
      kmsKeyId: input.KmsKeyId,
      snapshotId: snapshot?.id,
      createdAt: now,
      visibleAt: now + this.#world.latency.describeMs,
      attachment: undefined,
    };
    this.all.set(volume.id, volume);
    if (input.ClientToken !== undefined) this.#tokens.set(input.ClientToken, { input, volumeId: volume.id });
    void this.#fill(volume, snapshot?.image);
    return answer(volume);
  }

  async #fill(volume: Volume, image: string | undefined): Promise<void> {
    try {
      await this.#world.store.create(volume.id, volume.sizeGiB, image);
      await this.#world.clock.sleep(this.#world.latency.volumeMs);
      if (volume.state === 'creating') volume.state = this.fails(volume) ? 'error' : 'available';
    } catch {
      volume.state = 'error';
    }
  }

  async #attach(input: AttachVolumeCommandInput): Promise<VolumeAttachment> {
    const volume = this.find(input.VolumeId);
    const instance = findInstance(this.#instances, input.InstanceId);
    const device = input.Device ?? '';
    if (volume.attachment) throw new AwsError('VolumeInUse', `${volume.id} is already attached to an instance`);
    if (volume.state !== 'available')
      throw new AwsError('IncorrectState', `The volume ${volume.id} is '${volume.state}'`);
    if (volume.availabilityZone !== instance.availabilityZone) {
      throw new AwsError(
        'InvalidVolume.ZoneMismatch',
        `The volume ${volume.id} is not in the same availability zone as instance ${instance.id}`,
      );
    }
    if (instance.devices.has(device)) {
      throw new AwsError(
        'InvalidParameterValue',
        `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
      );
    }
    refuseDryRun(input.DryRun);
    const attachment: Attachment = { instanceId: instance.id, device, state: 'attaching', at: this.#world.clock.now() };
    volume.attachment = attachment;
    volume.state = 'in-use';
    instance.devices.set(device, volume.id);
    if (this.hangs(volume)) return attachmentAnswer(volume.id, attachment);
    void this.#world.store.attach(instance.id, volume.id).then(
      async () => {
        await this.#world.clock.sleep(this.#world.latency.volumeMs);
        attachment.state = 'attached';
      },
      () => {
        // The guest refused the disk: it stays `attaching`, which is what such a volume does on EC2.
      },
    );
    return attachmentAnswer(volume.id, attachment);
  }

  async #detach(input: DetachVolumeCommandInput): Promise<VolumeAttachment> {
    const volume = this.find(input.VolumeId);
    const attachment = volume.attachment;
    if (!attachment || (input.InstanceId !== undefined && attachment.instanceId !== input.InstanceId)) {
      throw new AwsError('IncorrectState', `Volume '${volume.id}' is in the 'available' state.`);
    }
    refuseDryRun(input.DryRun);
    // One that never got to the guest is not to be had from it either.
    const there = attachment.state !== 'attaching' || !this.hangs(volume);
    attachment.state = 'detaching';
    const gone = there ? this.#world.store.detach(attachment.instanceId, volume.id) : Promise.resolve();
    void gone.then(
      async () => {
        await this.#world.clock.sleep(this.#world.latency.volumeMs);
        this.#instances.get(attachment.instanceId)?.devices.delete(attachment.device);
        volume.attachment = undefined;
        volume.state = 'available';
      },
      () => {
        // The guest still uses the disk: it stays `detaching`, until somebody unmounts it and asks again.
      },
    );
    return attachmentAnswer(volume.id, attachment);
  }

  async #delete(input: DeleteVolumeCommandInput): Promise<object> {
    const volume = this.find(input.VolumeId);
    if (volume.attachment) {
      throw new AwsError('VolumeInUse', `Volume ${volume.id} is currently attached to ${volume.attachment.instanceId}`);
    }
    refuseDryRun(input.DryRun);
    this.all.delete(volume.id);
    await this.#world.store.remove(volume.id);
    return {};
  }
}

/** Which numbers a volume may have depends on its type. */
function checkPerformance(type: string, { Iops, Throughput }: CreateVolumeCommandInput): void {
  const refuse = (name: string) =>
    new AwsError('InvalidParameterCombination', `The parameter ${name} is not supported for ${type} volumes.`);
  if (Iops !== undefined && !['gp3', 'io1', 'io2'].includes(type)) throw refuse('iops');
  if (Throughput !== undefined && type !== 'gp3') throw refuse('throughput');
}

export interface Volume {
  readonly id: string;
  readonly sizeGiB: number;
  readonly type: string;
  readonly iops: number | undefined;
  /** MiB/s. */
  readonly throughput: number | undefined;
  readonly kmsKeyId: string | undefined;
  readonly availabilityZone: string;
  tags: Tags;
  state: 'creating' | 'available' | 'in-use' | 'error';
  readonly encrypted: boolean;
  readonly snapshotId: string | undefined;
  readonly createdAt: number;
  readonly visibleAt: number;
  attachment: Attachment | undefined;
}

interface Attachment {
  readonly instanceId: string;
  readonly device: string;
  state: 'attaching' | 'attached' | 'detaching';
  readonly at: number;
}

const attachmentAnswer = (VolumeId: string, { instanceId, device, state, at }: Attachment): VolumeAttachment => ({
  VolumeId,
  InstanceId: instanceId,
  Device: device,
  State: state,
  AttachTime: new Date(at),
});

const answer = (volume: Volume): VolumeAnswer => ({
  VolumeId: volume.id,
  Size: volume.sizeGiB,
  VolumeType: volume.type as NonNullable<VolumeAnswer['VolumeType']>,
  AvailabilityZone: volume.availabilityZone,
  State: volume.state,
  Encrypted: volume.encrypted,
  ...(volume.iops ? { Iops: volume.iops } : {}),
  ...(volume.throughput ? { Throughput: volume.throughput } : {}),
  ...(volume.kmsKeyId ? { KmsKeyId: volume.kmsKeyId } : {}),
  ...(volume.snapshotId ? { SnapshotId: volume.snapshotId } : {}),
  CreateTime: new Date(volume.createdAt),
  Attachments: volume.attachment ? [attachmentAnswer(volume.id, volume.attachment)] : [],
  Tags: tagList(volume.tags),
});
