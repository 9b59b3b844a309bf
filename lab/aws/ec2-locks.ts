import type {
  DescribeLockedSnapshotsCommandInput,
  DescribeLockedSnapshotsCommandOutput,
  LockSnapshotCommandInput,
  LockSnapshotCommandOutput,
  LockState,
} from '@aws-sdk/client-ec2';
import { checkPaging, page } from './ec2-filters.ts';
import { refuseDryRun } from './ec2-instance.ts';
import type { Snapshot } from './ec2-snapshots.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const LONGEST_DAYS = 36_500;

/** A snapshot's lock. Its days count from the snapshot's completion, which may still be to come. */
export interface Lock {
  mode: 'governance' | 'compliance';
  days: number;
  coolOffHours: number;
  createdAt: number;
}

/** Locks on snapshots: while one holds, nobody can delete the snapshot. */
export class Locks {
  readonly operations: Operations;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.operations = {
      LockSnapshot: (input) => this.#lock(input),
      UnlockSnapshot: (input) => this.#unlock(input),
      DescribeLockedSnapshots: (input) => this.#describe(input),
    };
  }

  stateOf(snapshot: Snapshot): LockState | undefined {
    const { lock } = snapshot;
    // A lock on a snapshot that could not be made is cancelled.
    if (!lock || snapshot.state === 'error') return undefined;
    const now = this.#world.clock.now();
    if (now >= (expiry(snapshot) ?? Number.POSITIVE_INFINITY)) return 'expired';
    if (lock.mode === 'governance') return 'governance';
    return now < lock.createdAt + lock.coolOffHours * HOUR_MS ? 'compliance-cooloff' : 'compliance';
  }

  holds(snapshot: Snapshot): boolean {
    const state = this.stateOf(snapshot);
    return state !== undefined && state !== 'expired';
  }

  #lock(input: LockSnapshotCommandInput): Partial<LockSnapshotCommandOutput> {
    const snapshot = this.#world.ec2.snapshots.find(input.SnapshotId);
    const { LockMode: mode, LockDuration: days, CoolOffPeriod: coolOff } = input;
    if (mode !== 'governance' && mode !== 'compliance') throw invalid(`LockMode ${mode} is not valid`);
    if (days === undefined) throw invalid('The lab takes a LockDuration, no ExpirationDate');
    if (days < 1 || days > LONGEST_DAYS) throw invalid(`LockDuration must be from 1 to ${LONGEST_DAYS} days`);
    if (coolOff !== undefined && (mode === 'governance' || coolOff < 1 || coolOff > 72)) {
      throw invalid('CoolOffPeriod must be from 1 to 72 hours, in compliance mode');
    }
    if (snapshot.state === 'error') {
      throw new AwsError('IncorrectState', `Snapshot ${snapshot.id} is in the state error and can't be locked`);
    }
    if (this.stateOf(snapshot) === 'compliance' && (mode !== 'compliance' || days < (snapshot.lock?.days ?? 0))) {
      throw invalid(`The lock of ${snapshot.id} is in compliance mode: its duration can only be increased`);
    }
    refuseDryRun(input.DryRun);
    snapshot.lock = { mode, days, coolOffHours: coolOff ?? 0, createdAt: this.#world.clock.now() };
    return { SnapshotId: snapshot.id, LockState: this.stateOf(snapshot), LockDuration: days, ...datesOf(snapshot) };
  }

  #unlock(input: { SnapshotId?: string; DryRun?: boolean }): object {
    const snapshot = this.#world.ec2.snapshots.find(input.SnapshotId);
    if (this.stateOf(snapshot) === 'compliance') throw invalid(`${snapshot.id} is locked in compliance mode`);
    refuseDryRun(input.DryRun);
    snapshot.lock = undefined;
    return { SnapshotId: snapshot.id };
  }

  #describe(input: DescribeLockedSnapshotsCommandInput): Partial<DescribeLockedSnapshotsCommandOutput> {
    checkPaging(input.MaxResults, input.SnapshotIds, 'snapshotSet');
    const asked = input.SnapshotIds?.map((id) => this.#world.ec2.snapshots.find(id));
    const all = asked ?? [...this.#world.ec2.snapshots.all.values()].filter(({ deleted }) => !deleted);
    const locked = all.filter((snapshot) => this.stateOf(snapshot) !== undefined);
    const { items, ...next } = page(locked, input.MaxResults, input.NextToken);
    return {
      ...next,
      Snapshots: items.map((snapshot) => ({
        OwnerId: this.#world.account,
        SnapshotId: snapshot.id,
        LockState: this.stateOf(snapshot),
        LockDuration: snapshot.lock?.days,
        CoolOffPeriod: snapshot.lock?.coolOffHours,
        ...datesOf(snapshot),
      })),
    };
  }
}

/** Undefined until the snapshot is completed. */
const expiry = ({ lock, completedAt }: Snapshot): number | undefined =>
  lock && completedAt !== undefined ? Math.max(lock.createdAt, completedAt) + lock.days * DAY_MS : undefined;

const datesOf = (snapshot: Snapshot) => {
  const expires = expiry(snapshot);
  return {
    LockCreatedOn: new Date(snapshot.lock?.createdAt ?? 0),
    ...(expires === undefined ? {} : { LockExpiresOn: new Date(expires) }),
  };
};

const invalid = (message: string) => new AwsError('InvalidParameterValue', message);
