import { HOLD_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { SetDeletedError } from '../shared/errors.ts';
import { IN_RESTORE, SET_TAGS } from '../shared/names.ts';
import type { HoldSetInput } from '../shared/restore-contracts.ts';

export interface Snapshots {
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
  untag(snapshotIds: readonly string[], keys: readonly string[]): Promise<void>;
  /** Those of the ids that there are. */
  ofIds(snapshotIds: readonly string[]): Promise<{ snapshotId: string; tags: Record<string, string> }[]>;
}

/**
 * Keeps retention from deleting the set while volumes are made of it, or lets go of it again. A hold that nobody takes
 * off, since its execution was stopped, ends by itself.
 */
export const holdSet = async ({ act, restore }: HoldSetInput, snapshots: Snapshots, clock: Clock): Promise<void> => {
  const key = `${IN_RESTORE}${restore.restore}`;
  const ids = restore.set.snapshotIds;
  const seen = await snapshots.ofIds(ids);
  const there = seen.map(({ snapshotId }) => snapshotId);
  if (act === 'letGo') {
    // A member may have been deleted by hand meanwhile: that is no matter of this restore's any more.
    if (there.length > 0) await snapshots.untag(there, [key]);
    return;
  }
  refuse(restore.set.id, ids, seen);
  await snapshots.tag(ids, { [key]: new Date(clock.now() + HOLD_MS).toISOString() });
  // Retention may have begun with it just before it saw the hold.
  refuse(restore.set.id, ids, await snapshots.ofIds(ids));
};

const refuse = (set: string, ids: readonly string[], seen: Awaited<ReturnType<Snapshots['ofIds']>>): void => {
  const gone = ids.filter((id) => !seen.some(({ snapshotId }) => snapshotId === id));
  const deleting = seen.filter(({ tags }) => tags[SET_TAGS.deleting] !== undefined);
  if (gone.length + deleting.length === 0) return;
  throw new SetDeletedError(
    `set ${set} is being deleted: ${[...gone.map((id) => `${id} is gone`), ...deleting.map(({ snapshotId }) => `${snapshotId} is next`)].join(', ')}; name another one`,
  );
};
