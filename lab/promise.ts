import type { Receipt } from '../lambdas/shared/contracts.ts';
import type { Acknowledgement, Engine } from './workload.ts';

const DRIVERS: Record<Engine, string> = { mariadb: 'mysql', postgresql: 'postgresql', redis: 'redis' };

/** What a set has to hold of a database: at least and at most so many transactions. */
export interface Promised {
  readonly least: number;
  readonly most: number;
}

/**
 * What a set promises of one database. A lock that stops writers promises the last transaction acknowledged before it,
 * and not one more. PostgreSQL has none: its set is the instant that the file systems, the LVM snapshots or the one disk
 * make, and one transaction may have been on its way. Undefined: the database was not quieted.
 */
export function promiseOf(
  receipt: Receipt,
  engine: Engine,
  acknowledged: readonly Acknowledgement[],
): Promised | undefined {
  const app = receipt.apps.find(({ driver }) => driver === DRIVERS[engine]);
  if (app?.lockedAt == null || app.releasedAt === null) return undefined;
  const lastAt = (seconds: number) => acknowledged.findLast(({ ms }) => ms <= seconds * 1000)?.id ?? 0;
  if (engine !== 'postgresql') {
    // Nothing is acknowledged between lock and release: any moment in between tells before from after.
    const last = lastAt((app.lockedAt + app.releasedAt) / 2);
    return { least: last, most: last };
  }
  const [from, to] = instantOf(receipt) ?? [app.lockedAt, app.releasedAt];
  return { least: lastAt(from), most: lastAt(to) + 1 };
}

/** What restored databases lack, or have beyond what was promised. `lastOf`: the last transaction that an engine's has. */
export const promisesBroken = (
  promised: readonly (readonly [Engine, Promised | undefined])[],
  lastOf: (engine: Engine) => number,
): string[] =>
  promised
    .filter(([engine, what]) => !(what && lastOf(engine) >= what.least && lastOf(engine) <= what.most))
    .map(
      ([engine, what]) =>
        `${engine}: the last transaction restored is ${lastOf(engine)}, promised were ${what?.least} to ${what?.most}`,
    );

/** Between when and when the set's instant lies, on the host's clock; undefined where the host can't tell. */
function instantOf({ mode, filesystems, lvmSnapshots, frozenAt }: Receipt): [from: number, to: number] | undefined {
  const times = (all: readonly (number | null)[]) => all.filter((at) => at !== null);
  if (mode === 'fs-freeze' && frozenAt !== null) {
    return [frozenAt, Math.min(...times(filesystems.map(({ thawedAt }) => thawedAt)))];
  }
  const taken = times(lvmSnapshots.map(({ takenAt }) => takenAt));
  // The tool says when it had made the snapshot; on an emulated processor it takes up to some seconds.
  if (mode === 'lvm-snapshot' && taken.length > 0) return [Math.min(...taken) - 5, Math.max(...taken)];
  return undefined;
}
