import type { ListSetsInput, Place, PruneState, Shard } from '../shared/contracts.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { SET_TAGS } from '../shared/names.ts';
import { isHome, isOurs, placeName, placeOf } from '../shared/places.ts';
import { emptyReport, note } from '../shared/prune-report.ts';

/** All snapshots of ours in a place, a page at a time. */
export type Pages = (place: Place) => AsyncIterable<readonly FoundSnapshot[]>;

/** What *Decide* holds in memory at once, in snapshots; an instance that has more is taken whole all the same. */
export const SHARD_SNAPSHOTS = 4_000;

/** The last digits of an instance's id: random enough to share the instances out evenly. */
const DIGITS = 3;

/** Counts what there is, page by page, and shares it out into parts that fit into memory. */
export const listSets = async (
  { input, policies, home, destinations }: ListSetsInput,
  pages: Pages,
  most = SHARD_SNAPSHOTS,
): Promise<PruneState> => {
  const report = emptyReport();
  const todo: Shard[] = [];
  const places = [home, ...destinations.map((each) => placeOf(each, home)).filter((place) => !isHome(place, home))];
  for (const place of places) {
    const where = placeName(place, home);
    try {
      const counts = new Map<string, number>();
      for await (const page of pages(place)) {
        for (const snapshot of page) {
          if (!isOurs(snapshot, place, home)) continue;
          const { snapshotId, tags } = snapshot;
          const instance = tags[SET_TAGS.instance];
          if (!instance || !tags[SET_TAGS.set]) note(report.orphans, `${where} ${snapshotId}`);
          if (!instance) continue;
          const suffix = instance.slice(-DIGITS);
          counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
          report.snapshots += 1;
        }
      }
      todo.push(...shardsOf(counts, most).map((suffix) => ({ place, suffix })));
    } catch (error) {
      // One place that can't be reached must not keep the others from being pruned; the run ends red all the same.
      note(report.troubles, `${where} can't be listed: ${(error as Error).name}: ${(error as Error).message}`);
    }
  }
  return {
    dryRun: input.dryRun,
    policies,
    home,
    todo,
    decisions: [],
    batch: [],
    place: home,
    stalls: 0,
    archive: [],
    report,
    next: todo.length > 0 ? 'decide' : 'end',
  };
};

/** Endings of instance ids that together mean all of them, none with more than `most` snapshots where that can be had. */
export const shardsOf = (counts: ReadonlyMap<string, number>, most: number, suffix = ''): string[] => {
  const own = [...counts].filter(([ending]) => ending.endsWith(suffix));
  const sum = own.reduce((total, [, count]) => total + count, 0);
  if (sum === 0) return [];
  if (sum <= most || suffix.length === DIGITS) return [suffix];
  return [...'0123456789abcdef'].flatMap((digit) => shardsOf(counts, most, `${digit}${suffix}`));
};
