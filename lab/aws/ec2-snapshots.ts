import type {
  CreateSnapshotsCommandInput,
  DeleteSnapshotCommandInput,
  DescribeSnapshotsCommandInput,
  DescribeSnapshotsCommandOutput,
  Snapshot as SnapshotAnswer,
  SnapshotInfo,
} from '@aws-sdk/client-ec2';
import type { TakenSnapshot } from '../ports.ts';
import { checkPaging, filtered, page, type Tags } from './ec2-filters.ts';
import { findInstance, type Instance, refuseDryRun } from './ec2-instance.ts';
import type { Lock } from './ec2-locks.ts';
import { copied, specified, tagged, tagList } from './ec2-tags.ts';
import type { Volume, Volumes } from './ec2-volumes.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Snapshots, and the sets that they are taken in. */
export class Snapshots {
  readonly all = new Map<string, Snapshot>();
  readonly operations: Operations;
  /** Snapshots by their volume, and by each tag that they have or had: where to look before anything is compared. */
  readonly #byVolume = new Map<string, Set<Snapshot>>();
  readonly #byTag = new Map<string, Set<Snapshot>>();
  readonly #world: World;
  readonly #instances: ReadonlyMap<string, Instance>;
  readonly #volumes: Volumes;
  /** Start of the last snapshot of each volume: the interval holds whether or not that snapshot still exists. */
  readonly #lastStart = new Map<string, number>();

  constructor(world: World, instances: ReadonlyMap<string, Instance>, volumes: Volumes) {
    this.#world = world;
    this.#instances = instances;
    this.#volumes = volumes;
    this.operations = {
      CreateSnapshots: (input) => this.#createSet(input),
      DescribeSnapshots: (input) => this.#describe(input),
      DeleteSnapshot: (input) => this.#delete(input),
    };
  }

  find(id: string | undefined): Snapshot {
    if (!/^snap-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id ?? '')) {
      throw new AwsError('InvalidSnapshotID.Malformed', `Value (${id}) for parameter snapshotId is invalid.`);
    }
    const snapshot = this.all.get(id as string);
    if (!snapshot || snapshot.deleted)
      throw new AwsError('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
    return snapshot;
  }

  /** Puts a snapshot there that some earlier run left behind: an old set, one that hangs, one of somebody else's. */
  put(snapshot: Pick<Snapshot, 'volumeId'> & Partial<Snapshot>): Snapshot {
    const now = this.#world.clock.now();
    const full: Snapshot = {
      id: this.#world.id('snap'),
      sizeGiB: this.#volumes.all.get(snapshot.volumeId)?.sizeGiB ?? 1,
      tags: new Map(),
      state: 'completed',
      stateMessage: undefined,
      progress: 100,
      startedAt: now,
      visibleAt: now,
      description: '',
      image: `image-of-${snapshot.volumeId}`,
      encrypted: false,
      kmsKeyId: undefined,
      completedAt: now,
      lock: undefined,
      inUseBy: undefined,
      sharedWith: new Set(),
      tier: 'standard',
      deleted: false,
      ...snapshot,
    };
    this.all.set(full.id, full);
    add(this.#byVolume, full.volumeId, full);
    this.noteTags(full);
    return full;
  }

  /** As if there had never been any. */
  clear(): void {
    for (const index of [this.all, this.#byVolume, this.#byTag]) index.clear();
  }

  /** To be called when tags were added. */
  noteTags(snapshot: Snapshot): void {
    for (const [key, value] of snapshot.tags) add(this.#byTag, `${key} ${value}`, snapshot);
  }

  /** Whatever a filter could find, and more. */
  #candidates(filters: DescribeSnapshotsCommandInput['Filters'] = []): Iterable<Snapshot> {
    for (const { Name = '', Values = [] } of filters) {
      if (Values.some((value) => /[*?]/.test(value))) continue;
      const of = (index: ReadonlyMap<string, Set<Snapshot>>, key: (value: string) => string) =>
        new Set(Values.flatMap((value) => [...(index.get(key(value)) ?? [])]));
      if (Name === 'volume-id') return of(this.#byVolume, (value) => value);
      if (Name.startsWith('tag:')) return of(this.#byTag, (value) => `${Name.slice(4)} ${value}`);
    }
    return this.all.values();
  }

  async #createSet(input: CreateSnapshotsCommandInput): Promise<{ Snapshots: SnapshotInfo[] }> {
    const instance = findInstance(this.#instances, input.InstanceSpecification?.InstanceId);
    const members = this.#members(instance, input.InstanceSpecification);
    const tags = specified(input.TagSpecifications, 'snapshot');
    const tagsOf = (volume: Volume) =>
      tagged(input.CopyTagsFromSource === 'volume' ? copied(volume.tags) : new Map(), tags);
    for (const volume of members) tagsOf(volume);
    refuseDryRun(input.DryRun);
    const startedAt = this.#world.clock.now();
    for (const volume of members) this.#admit(volume, startedAt);
    for (const volume of members) this.#lastStart.set(volume.id, startedAt);

    const taken = await this.#world.store.snapshot(
      instance.id,
      members.map(({ id }) => id),
    );
    const snapshots = members.map((volume) => {
      const image = taken.find(({ volumeId }) => volumeId === volume.id)?.image;
      if (image === undefined) throw new AwsError('InternalError', `the store took no image of ${volume.id}`, 500);
      return this.put({
        volumeId: volume.id,
        tags: tagsOf(volume),
        state: 'pending',
        progress: 0,
        startedAt,
        visibleAt: startedAt + this.#world.latency.describeMs,
        completedAt: undefined,
        description: input.Description ?? '',
        image,
        encrypted: volume.encrypted,
        kmsKeyId: volume.kmsKeyId,
      });
    });
    const answer = { Snapshots: snapshots.map((snapshot) => this.#info(snapshot)) };
    void this.#complete(snapshots, taken);
    // What the lab's own disks took for it is a part of that, as EC2's are.
    const { clock, latency } = this.#world;
    await clock.sleep(Math.max(0, startedAt + latency.createSnapshotsMs - clock.now()));
    return answer;
  }

  /** Every volume of the instance that the request does not leave out. */
  #members(instance: Instance, specification: CreateSnapshotsCommandInput['InstanceSpecification']): Volume[] {
    const excluded = specification?.ExcludeDataVolumeIds ?? [];
    if (excluded.length > 40) {
      throw new AwsError(
        'InvalidParameterValue',
        `ExcludeDataVolumeIds takes at most 40 volumes, got ${excluded.length}`,
      );
    }
    const root = instance.devices.get(instance.rootDevice);
    const attached = [...instance.devices.values()];
    for (const id of excluded) {
      if (id === root) throw new AwsError('InvalidParameterValue', `${id} is the root volume: use ExcludeBootVolume`);
      if (!attached.includes(id))
        throw new AwsError('InvalidParameterValue', `${id} is not attached to ${instance.id}`);
    }
    const members = attached
      .filter((id) => !excluded.includes(id) && !(specification?.ExcludeBootVolume && id === root))
      .map((id) => this.#volumes.find(id));
    if (members.length === 0) throw new AwsError('InvalidParameterValue', 'No volume is left to take a snapshot of');
    if (members.length > 128) throw new AwsError('InvalidParameterValue', 'A set has at most 128 volumes');
    return members;
  }

  /** The limits of one volume. */
  #admit(volume: Volume, now: number): void {
    const { snapshotIntervalMs, concurrentSnapshots } = this.#world.limits;
    // Snapshots in error count until they are deleted, deleted ones until they are done.
    const open = [...(this.#byVolume.get(volume.id) ?? [])].filter(
      ({ state, deleted }) => state === 'pending' || (state === 'error' && !deleted),
    );
    if (open.length >= concurrentSnapshots(volume.type)) {
      throw new AwsError(
        'ConcurrentSnapshotLimitExceeded',
        `You have exceeded the concurrent snapshots allowed for ${volume.id}`,
      );
    }
    if (now - (this.#lastStart.get(volume.id) ?? Number.NEGATIVE_INFINITY) < snapshotIntervalMs) {
      throw new AwsError(
        'SnapshotCreationPerVolumeRateExceeded',
        'The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.',
      );
    }
  }

  /** All complete, or all are in error. */
  async #complete(snapshots: readonly Snapshot[], taken: readonly TakenSnapshot[]): Promise<void> {
    try {
      await Promise.all(taken.map(({ completed }) => completed));
      for (const snapshot of snapshots) snapshot.progress = 50;
      await this.#world.clock.sleep(this.#world.latency.snapshotCompletionMs);
      for (const snapshot of snapshots) {
        if (snapshot.state !== 'pending') continue;
        snapshot.state = 'completed';
        snapshot.progress = 100;
        snapshot.completedAt = this.#world.clock.now();
      }
    } catch (error) {
      for (const snapshot of snapshots) {
        snapshot.state = 'error';
        snapshot.stateMessage = `A snapshot of the set failed: ${(error as Error).message}`;
      }
    }
  }

  #describe(input: DescribeSnapshotsCommandInput): Partial<DescribeSnapshotsCommandOutput> {
    checkPaging(input.MaxResults, input.SnapshotIds, 'snapshotSet');
    const now = this.#world.clock.now();
    for (const id of input.SnapshotIds ?? []) {
      if (this.find(id).visibleAt > now) {
        throw new AwsError('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
      }
    }
    const mine = (input.OwnerIds ?? ['self']).some((owner) => owner === 'self' || owner === this.#world.account);
    const visible = [...this.#candidates(input.Filters)].filter(
      ({ visibleAt, deleted }) => mine && !deleted && visibleAt <= now,
    );
    const asked = visible.filter(({ id }) => input.SnapshotIds?.includes(id) ?? true);
    const found = filtered(asked, input.Filters, {
      'snapshot-id': ({ id }) => [id],
      'volume-id': ({ volumeId }) => [volumeId],
      'volume-size': ({ sizeGiB }) => [String(sizeGiB)],
      status: ({ state }) => [state],
      description: ({ description }) => [description],
      'owner-id': () => [this.#world.account],
      'start-time': ({ startedAt }) => [new Date(startedAt).toISOString()],
    });
    const { items, ...next } = page(found, input.MaxResults, input.NextToken);
    return { ...next, Snapshots: items.map((snapshot) => this.#answer(snapshot)) };
  }

  async #delete(input: DeleteSnapshotCommandInput): Promise<object> {
    const snapshot = this.find(input.SnapshotId);
    if (snapshot.inUseBy) {
      throw new AwsError(
        'InvalidSnapshot.InUse',
        `The snapshot ${snapshot.id} is currently in use by ${snapshot.inUseBy}`,
      );
    }
    // The code that EC2 answers with is not documented: nothing may rest on this one.
    if (this.#world.ec2.locks.holds(snapshot)) {
      throw new AwsError('OperationNotPermitted', `The snapshot ${snapshot.id} is locked and can't be deleted`);
    }
    refuseDryRun(input.DryRun);
    snapshot.deleted = true;
    if (!this.#world.isImageInUse(snapshot.image)) await this.#world.store.deleteImage(snapshot.image);
    return {};
  }

  #info(snapshot: Snapshot): SnapshotInfo {
    return {
      SnapshotId: snapshot.id,
      VolumeId: snapshot.volumeId,
      State: snapshot.state,
      VolumeSize: snapshot.sizeGiB,
      StartTime: new Date(snapshot.startedAt),
      Progress: `${snapshot.progress}%`,
      OwnerId: this.#world.account,
      Description: snapshot.description,
      Encrypted: snapshot.encrypted,
      Tags: tagList(snapshot.tags),
    };
  }

  #answer(snapshot: Snapshot): SnapshotAnswer {
    return {
      ...this.#info(snapshot),
      ...(snapshot.stateMessage ? { StateMessage: snapshot.stateMessage } : {}),
      StorageTier: snapshot.tier,
    };
  }
}

function add(index: Map<string, Set<Snapshot>>, key: string, snapshot: Snapshot): void {
  const known = index.get(key);
  if (known) known.add(snapshot);
  else index.set(key, new Set([snapshot]));
}

export interface Snapshot {
  readonly id: string;
  readonly volumeId: string;
  readonly sizeGiB: number;
  tags: Tags;
  state: 'pending' | 'completed' | 'error';
  stateMessage: string | undefined;
  /** Percent. */
  progress: number;
  readonly startedAt: number;
  readonly visibleAt: number;
  readonly description: string;
  readonly image: string;
  readonly encrypted: boolean;
  /** Key that it is encrypted with; undefined while encrypted: EBS's own. */
  readonly kmsKeyId: string | undefined;
  completedAt: number | undefined;
  lock: Lock | undefined;
  /** AMI that is made of it: EC2 refuses to delete it then. */
  inUseBy: string | undefined;
  /** Accounts that may make volumes and copies of it. */
  readonly sharedWith: Set<string>;
  tier: 'standard' | 'archive';
  /** Deleted snapshots in flight still count against the volume's limit. */
  deleted: boolean;
}
