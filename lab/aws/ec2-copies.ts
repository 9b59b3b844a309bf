import type { CopySnapshotCommandInput, CopySnapshotCommandOutput } from '@aws-sdk/client-ec2';
import { refuseDryRun } from './ec2-instance.ts';
import type { Snapshot } from './ec2-snapshots.ts';
import { specified, tagged, tagList } from './ec2-tags.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Copies of snapshots into this Region, from it or from another one of the account. */
export class Copies {
  readonly operations: Operations;
  /** Keys that the copy's owner may not use: EC2 takes the call, and the copy fails later. */
  readonly deniedKeys = new Set<string>();
  readonly #world: World;
  /** Whether any was made yet. */
  made = false;
  readonly #running = new Set<Snapshot>();

  constructor(world: World) {
    this.#world = world;
    this.operations = { CopySnapshot: (input) => this.#copy(input) };
  }

  #copy(input: CopySnapshotCommandInput): Partial<CopySnapshotCommandOutput> {
    const source = this.#world.inRegion(input.SourceRegion ?? '').ec2.snapshots.find(input.SourceSnapshotId);
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
    void this.#complete(copy, input.KmsKeyId);
    return { SnapshotId: copy.id, Tags: tagList(tags) };
  }

  async #complete(copy: Snapshot, key: string | undefined): Promise<void> {
    await this.#world.clock.sleep(this.#world.latency.snapshotCopyMs);
    this.#running.delete(copy);
    if (copy.state !== 'pending') return;
    if (key && this.deniedKeys.has(key)) {
      copy.state = 'error';
      copy.stateMessage = 'Given key ID is not accessible';
      return;
    }
    copy.state = 'completed';
    copy.progress = 100;
    copy.completedAt = this.#world.clock.now();
  }
}
