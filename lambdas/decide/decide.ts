import { clientErrorText } from '../shared/aws-errors.ts';
import type { Place, PruneState } from '../shared/contracts.ts';
import { decideSets, type Facts } from '../shared/decide-sets.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { UNPROVEN } from '../shared/names.ts';
import { isHome, isOurs, placeName } from '../shared/places.ts';
import { nextOf, note } from '../shared/prune-report.ts';
import { archivable, type Decision, UNFINISHED_MS } from '../shared/retention.ts';
import type { LiveSet } from '../shared/sets.ts';

export interface Region extends Pick<Facts, 'living' | 'locked'> {
  /** Every snapshot of ours whose instance's id ends so. */
  snapshots(suffix: string): Promise<FoundSnapshot[]>;
}

/** Sets that one *Delete* gets at once. */
const MOST_SETS = 400;
/** Sets that one prune hands to *Archive*: EC2 archives so many snapshots at once. */
const MOST_ARCHIVED = 25;
/** Of the decisions' text, so that an execution's state stays below 256 KiB with everything else in it. */
const MOST_CHARACTERS = 120_000;

/** Decides on the first part that is still to do. With a dry run nothing comes of it but its words. */
export const decidePart = async (
  state: PruneState,
  regionOf: (place: Place) => Region,
  now: number,
): Promise<PruneState> => {
  const [shard, ...rest] = state.todo;
  if (!shard) return { ...state, next: nextOf(state) };
  const report = structuredClone(state.report);
  const done = { ...state, todo: rest, report, decisions: [], batch: [] };
  const where = placeName(shard.place, state.home);
  const region = regionOf(shard.place);
  try {
    const found = await region.snapshots(shard.suffix);
    const snapshots = found.filter((each) => isOurs(each, shard.place, state.home));
    const { decisions } = await decideSets(snapshots, { ...region, policies: state.policies }, now);
    const letGo = decisions.filter(({ keep }) => !keep);
    // What does not fit into this batch is decided on again when it is deleted.
    const batch = state.dryRun ? [] : letGo.slice(0, MOST_SETS);
    const again = batch.length < letGo.length && !state.dryRun;
    if (!again) tell(report, where, decisions, now);
    const cold = again || !isHome(shard.place, state.home) ? [] : coldOf(decisions, state, now);
    if (state.dryRun) for (const { set } of cold) note(report.archived, set);
    const archive = state.dryRun ? [] : [...state.archive, ...cold].slice(0, MOST_ARCHIVED);
    return {
      ...done,
      archive,
      todo: again ? [{ ...shard, again }, ...rest] : rest,
      decisions: told(decisions),
      batch: batch.map(({ set }) => ({ instance: set.instance, set: set.set })),
      place: shard.place,
      next: batch.length > 0 ? 'delete' : nextOf({ todo: rest, archive }),
    };
  } catch (error) {
    note(report.troubles, `${where}, instances …${shard.suffix}, can't be decided on: ${clientErrorText(error)}`);
    return { ...done, next: nextOf(done) };
  }
};

/** Sets of this part that belong into the archive tier and are not there; those that are there in part first. */
const coldOf = (
  decisions: readonly Decision<LiveSet>[],
  { policies }: PruneState,
  now: number,
): PruneState['archive'] =>
  Object.values(Object.groupBy(decisions, ({ set }) => set.instance))
    .flatMap((own = []) => archivable(own, { policies, now }))
    .filter(({ standardIds }) => standardIds.length > 0)
    .sort((a, b) => Number(isBegun(b)) - Number(isBegun(a)))
    .map(({ instance, set }) => ({ instance, set }));

const isBegun = ({ standardIds, snapshotIds }: LiveSet): boolean => standardIds.length < snapshotIds.length;

/** One line a set, those that go first. */
const told = (decisions: readonly Decision<LiveSet>[]): string[] => {
  const lines: string[] = [];
  let left = MOST_CHARACTERS;
  for (const { set, keep, reasons } of decisions.toSorted((a, b) => Number(a.keep) - Number(b.keep))) {
    const line = `${keep ? 'keep' : 'delete'} ${set.set}: ${reasons.join('; ')}`;
    left -= line.length + 4;
    if (left < 0) return [...lines, `and ${decisions.length - lines.length} more`];
    lines.push(line);
  }
  return lines;
};

/** What a person may want to look at. */
const tell = (report: PruneState['report'], where: string, decisions: readonly Decision<LiveSet>[], now: number) => {
  report.sets += decisions.length;
  for (const { set, keep, due, reasons } of decisions) {
    const name = `${where} ${set.set}`;
    const unfinished = now - set.startedAt > UNFINISHED_MS;
    if (!keep) report.letGo += 1;
    else if (due) note(report.held, `${name}: ${reasons.join('; ')}`);
    if (keep && set.state === 'broken') note(report.broken, `${name}: ${reasons.join('; ')}`);
    else if (keep && set.grade === UNPROVEN && unfinished) note(report.unproven, `${name}: ${reasons.join('; ')}`);
    if (set.state === 'pending' && unfinished) note(report.stuck, `${name}: not completed since its start`);
  }
};
