import type { Graded } from '../shared/contracts.ts';
import { ForeignSnapshotError } from '../shared/errors.ts';
import { SET_TAGS } from '../shared/names.ts';

interface TaggedSnapshot {
  snapshotId: string;
  tags: Record<string, string>;
}

export interface Sets {
  ofRun(run: string): Promise<TaggedSnapshot[]>;
  byId(snapshotIds: readonly string[]): Promise<TaggedSnapshot[]>;
  delete(snapshotId: string): Promise<void>;
}

/** Deletes whatever this run has made, and nothing else. */
export const discard = async (
  { run, snapshotIds }: Pick<Graded, 'run' | 'snapshotIds'>,
  sets: Sets,
): Promise<{ deleted: string[] }> => {
  // By tag for what nobody noted down, by id for what EC2 does not show by its tag yet.
  const found = [...(await sets.ofRun(run)), ...(snapshotIds.length ? await sets.byId(snapshotIds) : [])];
  const snapshots = [...new Map(found.map((snapshot) => [snapshot.snapshotId, snapshot])).values()];
  const foreign = snapshots.filter(({ tags }) => tags[SET_TAGS.run] !== run);

  const deleted: string[] = [];
  for (const snapshot of snapshots) {
    if (foreign.includes(snapshot)) continue;
    await sets.delete(snapshot.snapshotId);
    deleted.push(snapshot.snapshotId);
  }
  if (foreign.length) {
    throw new ForeignSnapshotError(
      `${foreign.map(({ snapshotId }) => snapshotId).join(', ')} does not bear the tag ${SET_TAGS.run} = ${run} and was left alone; look at who removed the tag, and delete it by hand if it is this run's`,
    );
  }
  return { deleted };
};
