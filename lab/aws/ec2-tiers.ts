import type {
  DescribeSnapshotTierStatusCommandInput,
  DescribeSnapshotTierStatusCommandOutput,
  ModifySnapshotTierCommandInput,
} from '@aws-sdk/client-ec2';
import { checkPaging, filtered, page } from './ec2-filters.ts';
import { refuseDryRun } from './ec2-instance.ts';
import type { Snapshot } from './ec2-snapshots.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** The archive tier: a snapshot that goes there becomes a full one, and comes back in days. The lab brings none back. */
export class Tiers {
  readonly operations: Operations;
  readonly #world: World;
  readonly #underway = new Set<Snapshot>();

  constructor(world: World) {
    this.#world = world;
    this.operations = {
      ModifySnapshotTier: (input) => this.#archive(input),
      DescribeSnapshotTierStatus: (input) => this.#describe(input),
    };
  }

  #archive(input: ModifySnapshotTierCommandInput): object {
    const snapshot = this.#world.ec2.snapshots.find(input.SnapshotId);
    const { archivesInProgress, archivedPerVolume } = this.#world.limits;
    if (snapshot.state !== 'completed' || snapshot.tier !== 'standard' || this.#underway.has(snapshot)) {
      throw new AwsError(
        'IncorrectState',
        `The snapshot ${snapshot.id} is ${snapshot.state}, in the tier ${snapshot.tier}`,
      );
    }
    if (snapshot.inUseBy) {
      throw new AwsError('InvalidSnapshot.InUse', `The snapshot ${snapshot.id} is in use by ${snapshot.inUseBy}`);
    }
    refuseDryRun(input.DryRun);
    const ofVolume = [...this.#world.ec2.snapshots.all.values()].filter(
      (each) =>
        !each.deleted && each.volumeId === snapshot.volumeId && (each.tier === 'archive' || this.#underway.has(each)),
    );
    // EC2 names no code for either limit: nothing may rest on this one.
    if (this.#underway.size >= archivesInProgress || ofVolume.length >= archivedPerVolume) {
      throw new AwsError('ResourceLimitExceeded', 'Too many archives in progress, or of this volume');
    }
    this.#underway.add(snapshot);
    void this.#world.clock.sleep(this.#world.latency.snapshotArchiveMs).then(() => {
      this.#underway.delete(snapshot);
      snapshot.tier = 'archive';
    });
    return { SnapshotId: snapshot.id, TieringStartTime: new Date(this.#world.clock.now()) };
  }

  #describe(input: DescribeSnapshotTierStatusCommandInput): Partial<DescribeSnapshotTierStatusCommandOutput> {
    checkPaging(input.MaxResults, undefined, 'snapshotSet');
    const statusOf = (snapshot: Snapshot) =>
      this.#underway.has(snapshot)
        ? 'archival-in-progress'
        : snapshot.tier === 'archive'
          ? 'archival-completed'
          : undefined;
    const tiered = [...this.#world.ec2.snapshots.all.values()].filter((each) => !each.deleted && statusOf(each));
    const found = filtered(tiered, input.Filters, {
      'snapshot-id': ({ id }) => [id],
      'last-tiering-operation': (snapshot) => [statusOf(snapshot) ?? ''],
    });
    const { items, ...next } = page(found, input.MaxResults, input.NextToken);
    return {
      ...next,
      SnapshotTierStatuses: items.map((snapshot) => ({
        SnapshotId: snapshot.id,
        VolumeId: snapshot.volumeId,
        Status: snapshot.state,
        StorageTier: snapshot.tier,
        LastTieringOperationStatus: statusOf(snapshot),
      })),
    };
  }
}
