/** Retention's decisions on the sets that are there: the same for *Decide* and, just before the act, for *Delete*. */
import type { FoundSnapshot, SnapshotLock } from './ec2.ts';
import { type Decision, decide, type RetentionPolicy } from './retention.ts';
import { type LiveSet, setsOf } from './sets.ts';

export interface Facts {
  policies: Readonly<Record<string, RetentionPolicy>>;
  /** Of these instances, those that are not terminated. */
  living(instanceIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Of these snapshots, those that a lock holds. */
  locked(snapshotIds: readonly string[]): Promise<SnapshotLock[]>;
}

export interface Decided {
  decisions: Decision<LiveSet>[];
  orphans: string[];
}

/** Decides on all sets of the instances that these snapshots are of. Locks are only asked for where they matter. */
export const decideSets = async (
  snapshots: readonly FoundSnapshot[],
  { policies, living, locked }: Facts,
  now: number,
): Promise<Decided> => {
  const first = setsOf(snapshots, now);
  const alive = await living([...new Set(first.sets.map(({ instance }) => instance))]);
  const decideAll = (sets: readonly LiveSet[]) =>
    Object.entries(Object.groupBy(sets, ({ instance }) => instance)).flatMap(([instance, own = []]) =>
      decide(own, { policies, now, gone: !alive.has(instance) }),
    );
  const candidates = decideAll(first.sets).filter(({ keep }) => !keep);
  const locks = await locked(candidates.flatMap(({ set }) => set.snapshotIds));
  // A lock changes nothing but the fate of the set that it holds: the others' decisions stand.
  return { decisions: decideAll(setsOf(snapshots, now, locks).sets), orphans: first.orphans };
};
