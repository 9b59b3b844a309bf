import type {
  CopySnapshotCommandInput,
  CopySnapshotCommandOutput,
  ModifySnapshotAttributeCommandInput,
} from '@aws-sdk/client-ec2';
import { refuseDryRun } from './ec2-instance.ts';
import type { Snapshot } from './ec2-snapshots.ts';
import { specified, tagged, tagList } from './ec2-tags.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Copies of snapshots into this Region, from it or from another one, of the account or of one that shares them. */
export class Copies {
  readonly operations: Operations;
  /** Keys that the copy's owner may not use: EC2 takes the call, and the copy fails later. */
  readonly deniedKeys = new Set<string>();
  readonly #world: World;
  /** Whether any was made yet. */
  made = false;
  readonly #running = new Set<Snapshot>();
  /** MiB/s that copies with a time of their own are given. */
  #moving = 0;

  constructor(world: World) {
    this.#world = world;
    this.operations = {
      CopySnapshot: (input) => this.#copy(input),
      ModifySnapshotAttribute: (input) => this.#share(input),
    };
  }

  #copy(input: CopySnapshotCommandInput): Partial<CopySnapshotCommandOutput> {
    const source = this.#source(input);
    if (source.tier !== 'standard') {
      throw new AwsError('IncorrectState', `The snapshot ${source.id} is in the archive tier`);
    }
    const minutes = input.CompletionDurationMinutes;
    if (minutes !== undefined && (minutes % 15 !== 0 || minutes < 15 || minutes > 2_880)) {
      throw new AwsError('InvalidParameterValue', 'CompletionDurationMinutes takes multiples of 15 from 15 to 2880');
    }
    if (source.state !== 'completed') {
      throw new AwsError('IncorrectState', `The snapshot ${source.id} is in the state ${source.state}, not completed`);
    }
    const tags = tagged(new Map(), specified(input.TagSpecifications, 'snapshot'));
    const encrypted = source.encrypted || input.Encrypted === true;
    if (input.KmsKeyId && !encrypted) {
      throw new AwsError('InvalidParameterCombination', 'A KMS key is for an encrypted copy');
    }
    refuseDryRun(input.DryRun);
    const { concurrentCopies } = this.#world.limits;
    if (this.#running.size >= concurrentCopies) {
      throw new AwsError(
        'ResourceLimitExceeded',
        `Too many snapshot copies in progress. The limit is ${concurrentCopies} for this destination region.`,
      );
    }
    const timeMs = this.#timeOf(source, minutes);
    const copy = this.#world.ec2.snapshots.put({
      // What a copy says of its volume is made up.
      volumeId: 'vol-ffffffff',
      sizeGiB: source.sizeGiB,
      tags,
      state: 'pending',
      progress: 0,
      visibleAt: this.#world.clock.now() + this.#world.latency.describeMs,
      completedAt: undefined,
      description: input.Description ?? '',
      image: source.image,
      encrypted,
      kmsKeyId: input.KmsKeyId,
    });
    this.made = true;
    this.#running.add(copy);
    void this.#complete(copy, source, timeMs);
    return { SnapshotId: copy.id, Tags: tagList(tags) };
  }

  /** In the Region that it lies in, the account's own or another account's where that shares it. */
  #source({ SourceRegion = '', SourceSnapshotId }: CopySnapshotCommandInput): Snapshot {
    try {
      return this.#world.inRegion(SourceRegion).ec2.snapshots.find(SourceSnapshotId);
    } catch (error) {
      for (const world of this.#world.accounts()) {
        const shared = world.inRegion(SourceRegion).ec2.snapshots.all.get(SourceSnapshotId ?? '');
        if (shared && !shared.deleted && shared.sharedWith.has(this.#world.account)) return shared;
      }
      throw error;
    }
  }

  /**
   * As long as was asked for, or longer when the copies that were given a time use up what is moved between two Regions
   * at once. Where nothing of that is left the request fails; AWS does not say by which code, so nothing may rest on this.
   */
  #timeOf({ sizeGiB }: Snapshot, minutes: number | undefined): number {
    if (minutes === undefined) return this.#world.latency.snapshotCopyMs;
    const { timedCopyMiBps } = this.#world.limits;
    const left = timedCopyMiBps.together - this.#moving;
    if (left <= 0) throw new AwsError('ResourceLimitExceeded', 'The cumulative snapshot copy throughput is used up');
    const wanted = (sizeGiB * 1_024) / (minutes * 60);
    const rate = Math.min(wanted, left, timedCopyMiBps.each);
    this.#moving += rate;
    const timeMs = ((sizeGiB * 1_024) / rate) * 1_000;
    void this.#world.clock.sleep(timeMs).then(() => {
      this.#moving -= rate;
    });
    return timeMs;
  }

  async #complete(copy: Snapshot, source: Snapshot, timeMs: number): Promise<void> {
    await this.#world.clock.sleep(timeMs / 2);
    copy.progress = 50;
    await this.#world.clock.sleep(timeMs / 2);
    this.#running.delete(copy);
    if (copy.state !== 'pending') return;
    const fault = [copy.kmsKeyId, source.kmsKeyId].some((key) => key !== undefined && this.deniedKeys.has(key))
      ? 'Given key ID is not accessible'
      : source.deleted
        ? 'The source snapshot is gone'
        : undefined;
    if (fault !== undefined) {
      copy.state = 'error';
      copy.stateMessage = fault;
      return;
    }
    copy.state = 'completed';
    copy.progress = 100;
    copy.completedAt = this.#world.clock.now();
  }

  #share(input: ModifySnapshotAttributeCommandInput): object {
    const snapshot = this.#world.ec2.snapshots.find(input.SnapshotId);
    if (input.Attribute !== 'createVolumePermission' || input.GroupNames?.length || !input.UserIds?.length) {
      throw new AwsError('InvalidParameterValue', 'The lab shares with accounts only');
    }
    if (snapshot.encrypted && snapshot.kmsKeyId === undefined) {
      throw new AwsError('OperationNotPermitted', 'Encrypted snapshots with EBS default key cannot be shared');
    }
    refuseDryRun(input.DryRun);
    for (const account of input.UserIds) {
      if (input.OperationType === 'remove') snapshot.sharedWith.delete(account);
      else snapshot.sharedWith.add(account);
    }
    return {};
  }
}
