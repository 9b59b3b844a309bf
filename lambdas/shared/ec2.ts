/** EC2: the instance with its volumes, and snapshots. One small function for each verb, so that bundles hold no more. */
import {
  AttachVolumeCommand,
  CopySnapshotCommand,
  type CopySnapshotRequest,
  CreateSnapshotsCommand,
  type CreateSnapshotsRequest,
  CreateTagsCommand,
  CreateVolumeCommand,
  type CreateVolumeRequest,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeleteVolumeCommand,
  type Instance as DescribedInstance,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeLockedSnapshotsCommand,
  DescribeSnapshotsCommand,
  DescribeSnapshotTierStatusCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  type EC2ClientConfig,
  type Filter,
  type LockMode,
  LockSnapshotCommand,
  ModifySnapshotAttributeCommand,
  ModifySnapshotTierCommand,
  RunInstancesCommand,
  type RunInstancesRequest,
  type Snapshot,
  type Tag,
  TerminateInstancesCommand,
  type Volume,
} from '@aws-sdk/client-ec2';
import { ask } from './aws-errors.ts';
import { DRILL_TAG, RESTORE_TAGS, SET_TAGS, USER_TAGS } from './names.ts';

export type Tags = Record<string, string>;

export interface ClientOptions {
  /** 1 where an answer that was lost must not lead to a second request. */
  attempts?: number;
  region?: string;
  /** Of a role in another account. Default: the function's own. */
  credentials?: NonNullable<EC2ClientConfig['credentials']>;
}

export const ec2Client = ({ attempts, region, credentials }: ClientOptions = {}): EC2Client =>
  new EC2Client({
    ...(region ? { region } : {}),
    ...(credentials ? { credentials } : {}),
    ...(attempts ? { maxAttempts: attempts } : {}),
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });

export interface Instance {
  state: string;
  /** Why it came to this state, where EC2 says it. */
  stateReason: string;
  /** t3.large … */
  type: string;
  windows: boolean;
  tags: Tags;
  rootDevice: string;
  zone: string;
  /** EBS volumes by the device names that EC2 knows; `status`: attaching, attached, detaching, detached, busy. */
  devices: { device: string; volumeId: string; status: string }[];
}

/** Undefined when there is no such instance. */
export const instanceOf =
  (client: EC2Client) =>
  async (instanceId: string): Promise<Instance | undefined> => {
    try {
      const { Reservations } = await ask('ec2:DescribeInstances', () =>
        client.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
      );
      const found = Reservations?.[0]?.Instances?.[0];
      return (
        found && {
          state: found.State?.Name ?? '',
          stateReason: found.StateReason?.Message ?? '',
          type: found.InstanceType ?? '',
          windows: found.Platform?.toLowerCase() === 'windows',
          tags: tagsOf(found.Tags),
          rootDevice: found.RootDeviceName ?? '',
          zone: found.Placement?.AvailabilityZone ?? '',
          devices: (found.BlockDeviceMappings ?? []).map(({ DeviceName, Ebs }) => ({
            device: DeviceName ?? '',
            volumeId: Ebs?.VolumeId ?? '',
            status: Ebs?.Status ?? '',
          })),
        }
      );
    } catch (error) {
      if (['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'].includes((error as Error).name))
        return undefined;
      throw error;
    }
  };

export interface TaggedInstance {
  instanceId: string;
  state: string;
  tags: Tags;
  /** Of its EBS volumes. */
  volumes: number;
  windows: boolean;
  /** ARN of its instance profile; empty: none. */
  profile: string;
}

/** Every instance that bears the policy tag, in whatever state. */
export const taggedInstances = (client: EC2Client) => async () => {
  const found: TaggedInstance[] = [];
  let next: string | undefined;
  do {
    const page = await ask('ec2:DescribeInstances', () =>
      client.send(
        new DescribeInstancesCommand({
          Filters: [{ Name: 'tag-key', Values: [USER_TAGS.policy] }],
          MaxResults: 1_000,
          ...(next && { NextToken: next }),
        }),
      ),
    );
    for (const { Instances = [] } of page.Reservations ?? []) {
      for (const {
        InstanceId = '',
        State,
        Tags,
        BlockDeviceMappings = [],
        Platform,
        IamInstanceProfile,
      } of Instances) {
        found.push({
          instanceId: InstanceId,
          state: State?.Name ?? '',
          tags: tagsOf(Tags),
          volumes: BlockDeviceMappings.filter(({ Ebs }) => Ebs).length,
          windows: Platform?.toLowerCase() === 'windows',
          profile: IamInstanceProfile?.Arn ?? '',
        });
      }
    }
    next = page.NextToken;
  } while (next);
  return found;
};

/** Type (`gp3`, `st1` …) and tags of each volume, and what else a restore has to make again. */
export const volumesOf = (client: EC2Client) => async (volumeIds: readonly string[]) => {
  const { Volumes = [] } = await ask('ec2:DescribeVolumes', () =>
    client.send(new DescribeVolumesCommand({ VolumeIds: [...volumeIds] })),
  );
  return Volumes.map((volume) => ({
    volumeId: volume.VolumeId ?? '',
    type: volume.VolumeType as string,
    tags: tagsOf(volume.Tags),
    sizeGiB: volume.Size ?? 0,
    iops: volume.Iops ?? null,
    throughput: volume.Throughput ?? null,
    encrypted: volume.Encrypted ?? false,
    kmsKeyId: volume.KmsKeyId ?? null,
  }));
};

/** A volume of a restore. `state`: creating, available, in-use, deleting, deleted, error. */
export interface RestoredVolume {
  volumeId: string;
  state: string;
  tags: Tags;
  attachment: { instanceId: string; device: string; state: string } | undefined;
}

/** By tag, so that a volume whose answer was lost is found too. */
export const volumesOfRestore = (client: EC2Client) => (restore: string) =>
  findVolumes(client, { Name: `tag:${RESTORE_TAGS.restore}`, Values: [restore] });

/** By filter, since asking for ids fails altogether when one of them is gone. */
export const volumesById = (client: EC2Client) => (volumeIds: readonly string[]) =>
  inChunks(volumeIds, (chunk) => findVolumes(client, { Name: 'volume-id', Values: chunk }));

/** What drills have made, of one or of every drill there ever was, and how it goes. */
export const thingsOfDrills = (client: EC2Client) => ({
  instances: instancesOfDrills(client),
  volumes: (drill?: string) => findVolumes(client, ofDrills(drill)),
  terminate: terminateInstance(client),
  detach: detachVolume(client),
  delete: deleteVolume(client),
});

const ofDrills = (drill: string | undefined): Filter =>
  drill === undefined ? { Name: 'tag-key', Values: [DRILL_TAG] } : { Name: `tag:${DRILL_TAG}`, Values: [drill] };

const findVolumes = async (client: EC2Client, filter: Filter): Promise<RestoredVolume[]> => {
  const found: Volume[] = [];
  let next: string | undefined;
  do {
    const page = await ask('ec2:DescribeVolumes', () =>
      client.send(
        new DescribeVolumesCommand({ Filters: [filter], MaxResults: 500, ...(next ? { NextToken: next } : {}) }),
      ),
    );
    found.push(...(page.Volumes ?? []));
    next = page.NextToken;
  } while (next);
  return found.map((volume) => {
    const [attachment] = volume.Attachments ?? [];
    return {
      volumeId: volume.VolumeId ?? '',
      state: volume.State ?? '',
      tags: tagsOf(volume.Tags),
      attachment: attachment && {
        instanceId: attachment.InstanceId ?? '',
        device: attachment.Device ?? '',
        state: attachment.State ?? '',
      },
    };
  });
};

/** One that a drill has launched. */
export interface ScratchInstance {
  instanceId: string;
  /** pending, running, shutting-down, terminated, stopping, stopped. */
  state: string;
  tags: Tags;
}

const instancesOfDrills =
  (client: EC2Client) =>
  async (drill?: string): Promise<ScratchInstance[]> => {
    const found: DescribedInstance[] = [];
    let next: string | undefined;
    do {
      const page = await ask('ec2:DescribeInstances', () =>
        client.send(
          new DescribeInstancesCommand({
            Filters: [ofDrills(drill)],
            MaxResults: 1_000,
            ...(next && { NextToken: next }),
          }),
        ),
      );
      found.push(...(page.Reservations ?? []).flatMap(({ Instances = [] }) => Instances));
      next = page.NextToken;
    } while (next);
    return found.map(({ InstanceId = '', State, Tags }) => ({
      instanceId: InstanceId,
      state: State?.Name ?? '',
      tags: tagsOf(Tags),
    }));
  };

export const runInstance = (client: EC2Client) => async (request: RunInstancesRequest) => {
  const { Instances } = await ask('ec2:RunInstances', () => client.send(new RunInstancesCommand(request)));
  return Instances?.[0]?.InstanceId ?? '';
};

/** Gone already is as good as terminated. */
const terminateInstance = (client: EC2Client) => async (instanceId: string) => {
  try {
    await ask('ec2:TerminateInstances', () =>
      client.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] })),
    );
  } catch (error) {
    if ((error as Error).name !== 'InvalidInstanceID.NotFound') throw error;
  }
};

export const createVolume = (client: EC2Client) => async (request: CreateVolumeRequest) => {
  const { VolumeId = '' } = await ask('ec2:CreateVolume', () => client.send(new CreateVolumeCommand(request)));
  return VolumeId;
};

export const attachVolume = (client: EC2Client) => async (volumeId: string, instanceId: string, device: string) => {
  await ask('ec2:AttachVolume', () =>
    client.send(new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: device })),
  );
};

export const detachVolume = (client: EC2Client) => async (volumeId: string) => {
  await ask('ec2:DetachVolume', () => client.send(new DetachVolumeCommand({ VolumeId: volumeId })));
};

/** Gone already is as good as deleted. */
export const deleteVolume = (client: EC2Client) => async (volumeId: string) => {
  try {
    await ask('ec2:DeleteVolume', () => client.send(new DeleteVolumeCommand({ VolumeId: volumeId })));
  } catch (error) {
    if ((error as Error).name !== 'InvalidVolume.NotFound') throw error;
  }
};

/** One request for the set. DryRun and the real thing differ in nothing else. */
export const createSnapshots =
  (client: EC2Client) =>
  async (request: CreateSnapshotsRequest, { dryRun, timeoutMs }: { dryRun: boolean; timeoutMs: number }) => {
    const { Snapshots = [] } = await client.send(new CreateSnapshotsCommand({ ...request, DryRun: dryRun }), {
      abortSignal: AbortSignal.timeout(timeoutMs),
    });
    return Snapshots.map((snapshot) => ({
      snapshotId: snapshot.SnapshotId ?? '',
      volumeId: snapshot.VolumeId ?? '',
      startTime: snapshot.StartTime?.toISOString() ?? '',
    }));
  };

export interface FoundSnapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  /** pending, completed, error, recoverable, recovering. */
  state: string;
  percent: number;
  sizeGiB: number;
  /** All blocks that it can give back, where EC2 says so; what it is billed for is less. */
  fullBytes?: number;
  /** Why it failed, where EC2 says so. */
  stateMessage: string;
  /** standard, archive. */
  tier: string;
  tags: Tags;
}

export const snapshotsOfRun = (client: EC2Client) => (run: string) =>
  findSnapshots(client, [{ Name: `tag:${SET_TAGS.run}`, Values: [run] }]);

export const snapshotsOfInstance = (client: EC2Client) => (instanceId: string) =>
  findSnapshots(client, [{ Name: `tag:${SET_TAGS.instance}`, Values: [instanceId] }]);

export const snapshotsOfPolicy = (client: EC2Client) => (policy: string) =>
  findSnapshots(client, [{ Name: `tag:${SET_TAGS.policy}`, Values: [policy] }, OURS]);

/** By filter, since asking for ids fails altogether when one of them is gone. */
export const snapshotsById = (client: EC2Client) => (snapshotIds: readonly string[]) =>
  findSnapshots(client, [{ Name: 'snapshot-id', Values: [...snapshotIds] }]);

export const snapshotsOfVolumes = (client: EC2Client) => (volumeIds: readonly string[]) =>
  findSnapshots(client, [{ Name: 'volume-id', Values: [...volumeIds] }]);

/** Of all instances whose id ends so. */
export const snapshotsOfInstances = (client: EC2Client) => (suffix: string) =>
  findSnapshots(client, [{ Name: `tag:${SET_TAGS.instance}`, Values: [`i-*${suffix}`] }, OURS]);

const OURS: Filter = { Name: 'tag-key', Values: [SET_TAGS.run] };

/** Every snapshot of ours, a page at a time: there can be a hundred thousand. */
export const pagesOfOurs = (client: EC2Client) => pagesOf(client, [OURS]);

/** Copies that are here of sets that were taken in that place. */
export const pagesOfCopies = (client: EC2Client) => (from: string) =>
  pagesOf(client, [{ Name: `tag:${SET_TAGS.origin}`, Values: [from] }]);

/** A copy in the Region of the client. */
export const copySnapshot = (client: EC2Client) => async (request: CopySnapshotRequest) => {
  const { SnapshotId = '' } = await ask('ec2:CopySnapshot', () => client.send(new CopySnapshotCommand(request)));
  return SnapshotId;
};

/** Lets another account make volumes and copies of a snapshot, or no longer. */
export const shareSnapshot =
  (client: EC2Client) =>
  async (snapshotId: string, account: string, { shared }: { shared: boolean }) => {
    await ask('ec2:ModifySnapshotAttribute', () =>
      client.send(
        new ModifySnapshotAttributeCommand({
          SnapshotId: snapshotId,
          Attribute: 'createVolumePermission',
          OperationType: shared ? 'add' : 'remove',
          UserIds: [account],
        }),
      ),
    );
  };

/** Paged: retention keeps many of them. */
const findSnapshots = async (client: EC2Client, filters: Filter[]): Promise<FoundSnapshot[]> => {
  const found: FoundSnapshot[] = [];
  for await (const page of pagesOf(client, filters)) found.push(...page);
  return found;
};

async function* pagesOf(client: EC2Client, filters: Filter[]): AsyncGenerator<FoundSnapshot[]> {
  let next: string | undefined;
  do {
    const page = await ask('ec2:DescribeSnapshots', () =>
      client.send(
        new DescribeSnapshotsCommand({
          OwnerIds: ['self'],
          Filters: filters,
          MaxResults: 1_000,
          ...(next ? { NextToken: next } : {}),
        }),
      ),
    );
    yield (page.Snapshots ?? []).map(foundSnapshot);
    next = page.NextToken;
  } while (next);
}

const foundSnapshot = (snapshot: Snapshot): FoundSnapshot => ({
  snapshotId: snapshot.SnapshotId ?? '',
  volumeId: snapshot.VolumeId ?? '',
  startTime: snapshot.StartTime?.toISOString() ?? '',
  state: snapshot.State ?? '',
  percent: Number.parseInt(snapshot.Progress || '0', 10),
  sizeGiB: snapshot.VolumeSize ?? 0,
  ...(snapshot.FullSnapshotSizeInBytes !== undefined && { fullBytes: snapshot.FullSnapshotSizeInBytes }),
  stateMessage: snapshot.StateMessage ?? '',
  tier: snapshot.StorageTier ?? 'standard',
  tags: tagsOf(snapshot.Tags),
});

export const tagResources = (client: EC2Client) => async (ids: readonly string[], tags: Tags) => {
  await ask('ec2:CreateTags', () => client.send(new CreateTagsCommand({ Resources: [...ids], Tags: tagList(tags) })));
};

export const untagResources = (client: EC2Client) => async (ids: readonly string[], keys: readonly string[]) => {
  await ask('ec2:DeleteTags', () =>
    client.send(new DeleteTagsCommand({ Resources: [...ids], Tags: keys.map((Key) => ({ Key })) })),
  );
};

/** Days count from the snapshot's completion. */
export const lockSnapshot =
  (client: EC2Client) =>
  async (snapshotId: string, { mode, days }: { mode: LockMode; days: number }) => {
    await ask('ec2:LockSnapshot', () =>
      client.send(new LockSnapshotCommand({ SnapshotId: snapshotId, LockMode: mode, LockDuration: days })),
    );
  };

export const archiveSnapshot = (client: EC2Client) => async (snapshotId: string) => {
  await ask('ec2:ModifySnapshotTier', () =>
    client.send(new ModifySnapshotTierCommand({ SnapshotId: snapshotId, StorageTier: 'archive' })),
  );
};

/** Snapshots that are on their way into the archive tier, whoever sent them. */
export const beingArchived = (client: EC2Client) => async (): Promise<string[]> => {
  const found: string[] = [];
  let next: string | undefined;
  do {
    const page = await ask('ec2:DescribeSnapshotTierStatus', () =>
      client.send(
        new DescribeSnapshotTierStatusCommand({
          Filters: [{ Name: 'last-tiering-operation', Values: ['archival-in-progress'] }],
          MaxResults: 1_000,
          ...(next ? { NextToken: next } : {}),
        }),
      ),
    );
    found.push(...(page.SnapshotTierStatuses ?? []).map(({ SnapshotId = '' }) => SnapshotId));
    next = page.NextToken;
  } while (next);
  return found;
};

export interface SnapshotLock {
  snapshotId: string;
  mode: string;
  /** Empty while the snapshot is not completed. */
  until: string;
}

/** EC2 takes so many ids, and so many values of a filter, in one call. */
const IDS_AT_ONCE = 200;

const inChunks = async <Answer>(ids: readonly string[], call: (chunk: string[]) => Promise<Answer[]>) => {
  const answers: Answer[] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) answers.push(...(await call(ids.slice(at, at + IDS_AT_ONCE))));
  return answers;
};

/** Of these instances, those that are there and not terminated. */
export const livingInstances =
  (client: EC2Client) =>
  async (instanceIds: readonly string[]): Promise<ReadonlySet<string>> =>
    new Set(
      await inChunks(instanceIds, async (chunk) => {
        const { Reservations = [] } = await ask('ec2:DescribeInstances', () =>
          client.send(new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: chunk }] })),
        );
        return Reservations.flatMap(({ Instances = [] }) => Instances)
          .filter(({ State }) => State?.Name !== 'terminated' && State?.Name !== 'shutting-down')
          .map(({ InstanceId = '' }) => InstanceId);
      }),
    );

/** Images that are made of any of these snapshots. */
export const imagesOfSnapshots = (client: EC2Client) => (snapshotIds: readonly string[]) =>
  inChunks(snapshotIds, async (chunk) => {
    const { Images = [] } = await ask('ec2:DescribeImages', () =>
      client.send(
        new DescribeImagesCommand({
          Owners: ['self'],
          IncludeDisabled: true,
          Filters: [{ Name: 'block-device-mapping.snapshot-id', Values: chunk }],
        }),
      ),
    );
    return Images.map(({ ImageId = '' }) => ImageId);
  });

/** Those of the snapshots that a lock keeps from being deleted. */
export const lockedSnapshots = (client: EC2Client) => (snapshotIds: readonly string[]) =>
  inChunks(snapshotIds, async (chunk): Promise<SnapshotLock[]> => {
    const { Snapshots = [] } = await ask('ec2:DescribeLockedSnapshots', () =>
      client.send(new DescribeLockedSnapshotsCommand({ SnapshotIds: chunk })),
    );
    return Snapshots.filter(({ LockState }) => LockState !== 'expired').map((lock) => ({
      snapshotId: lock.SnapshotId ?? '',
      mode: lock.LockState ?? '',
      until: lock.LockExpiresOn?.toISOString() ?? '',
    }));
  });

/** Gone already is as good as deleted. */
export const deleteSnapshot = (client: EC2Client) => async (snapshotId: string) => {
  try {
    await ask('ec2:DeleteSnapshot', () => client.send(new DeleteSnapshotCommand({ SnapshotId: snapshotId })));
  } catch (error) {
    if ((error as Error).name !== 'InvalidSnapshot.NotFound') throw error;
  }
};

export const tagList = (tags: Tags): Tag[] => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

const tagsOf = (tags: readonly Tag[] = []): Tags =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key ?? '', Value ?? '']));
