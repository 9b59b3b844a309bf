import { clientErrorText, isPassing, isRefusal } from '../shared/aws-errors.ts';
import type { Clock } from '../shared/clock.ts';
import type { Place, PruneState } from '../shared/contracts.ts';
import { decideSets, type Facts } from '../shared/decide-sets.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { SET_TAGS } from '../shared/names.ts';
import { isOurs, placeName } from '../shared/places.ts';
import { nextOf, note } from '../shared/prune-report.ts';
import type { LiveSet } from '../shared/sets.ts';

export interface Region extends Pick<Facts, 'living' | 'locked'> {
  snapshotsOf(instanceId: string): Promise<FoundSnapshot[]>;
  /** Images that are made of any of these snapshots. */
  imagesOf(snapshotIds: readonly string[]): Promise<string[]>;
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
  delete(snapshotId: string): Promise<void>;
}

/** DeleteSnapshot refills at 5/s for the whole account and Region: somebody else may want to delete as well. */
const PACE_MS = 250;
/** Of the function's time; no set is begun after it. One of 128 members takes 32 s. */
const WORK_MS = 200_000;
/** Times in a row that nothing could be deleted: each after the SDK's own tries. */
const MOST_STALLS = 10;

/**
 * Deletes the sets of the batch, whole, at EC2's pace. Each instance is looked at and decided on once more just before
 * the act: what somebody has come to hold, lock, use or need since then stays.
 */
export const deleteSets = async (
  state: PruneState,
  regionOf: (place: Place) => Region,
  clock: Clock,
): Promise<PruneState> => {
  const report = structuredClone(state.report);
  const began = clock.now();
  const where = placeName(state.place, state.home);
  const account = regionOf(state.place);
  const queue = Object.values(Object.groupBy(state.batch, ({ instance }) => instance));
  const left: PruneState['batch'] = [];
  let deleted = 0;
  let trouble = '';
  for (const group of queue as PruneState['batch'][]) {
    const [{ instance }] = group as [PruneState['batch'][number]];
    if (clock.now() - began > WORK_MS) {
      left.push(...group);
      continue;
    }
    try {
      const wanted = new Set(group.map(({ set }) => set));
      const { decisions } = await decideSets(
        (await account.snapshotsOf(instance)).filter((each) => isOurs(each, state.place, state.home)),
        { ...account, ...state },
        clock.now(),
      );
      for (const { set } of decisions.filter(({ keep, set }) => !keep && wanted.has(set.set))) {
        if (clock.now() - began > WORK_MS) {
          left.push({ instance, set: set.set });
          continue;
        }
        deleted += await deleteSet(set, where, account, report, clock);
      }
    } catch (error) {
      // Throttled, or nobody knows what came of it: what is gone by then is not found again.
      if (isPassing(error)) {
        trouble = clientErrorText(error);
        left.push(...group);
        continue;
      }
      note(report.troubles, `${where} ${instance}: ${clientErrorText(error)}`);
      // Where the role may not delete one set, it may not delete the next.
      if (isRefusal(error)) break;
    }
  }
  report.deletedSnapshots += deleted;
  // A batch that goes no further is given up, so that the others get their turn; the next prune finds its sets again.
  const stalls = deleted > 0 || left.length === 0 ? 0 : state.stalls + 1;
  if (stalls >= MOST_STALLS) {
    note(report.troubles, `nothing could be deleted in ${stalls} tries, ${left.length} sets are left over: ${trouble}`);
    left.length = 0;
  }
  // To decide again where nothing could be deleted would bring the same batch for ever.
  const [shard, ...rest] = state.todo;
  const stuck = shard?.again === true && deleted === 0 && left.length === 0;
  if (stuck)
    note(
      report.troubles,
      `${placeName(shard.place, state.home)}, instances …${shard.suffix}: none of a whole batch could be deleted`,
    );
  const todo = stuck ? rest : state.todo;
  const next = left.length > 0 ? 'delete' : nextOf({ ...state, todo });
  return { ...state, todo, report, batch: left, decisions: [], stalls, next };
};

/** All members or none, as far as EC2 lets itself be asked beforehand. Returns how many are gone. */
const deleteSet = async (
  { set, snapshotIds }: LiveSet,
  where: string,
  account: Region,
  report: PruneState['report'],
  clock: Clock,
): Promise<number> => {
  const images = await account.imagesOf(snapshotIds);
  if (images.length > 0) {
    note(report.held, `${where} ${set}: ${images.join(', ')} is made of it`);
    return 0;
  }
  // Before the first member goes: what is left of this set, should this be cut short, is the next prune's to finish.
  await account.tag(snapshotIds, { [SET_TAGS.deleting]: new Date(clock.now()).toISOString() });
  let deleted = 0;
  for (const snapshotId of snapshotIds) {
    await account.delete(snapshotId);
    deleted += 1;
    await clock.sleep(PACE_MS);
  }
  report.deletedSets += 1;
  return deleted;
};
