import { NoSuchSetError, SetIncompleteError } from '../shared/errors.ts';
import { GRADES, type GradeName, reaches, SET_TAGS } from '../shared/names.ts';
import type { FindSetInput, FoundRestoreSet, RestoreWish } from '../shared/restore-contracts.ts';

interface TaggedSnapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
  sizeGiB: number;
  tags: Record<string, string>;
}

export interface Sets {
  /** Every snapshot that a run of this instance has made. */
  ofInstance(instanceId: string): Promise<TaggedSnapshot[]>;
}

/** The set that is to be restored: the one that was named, or the newest that fits. No effects. */
export const findSet = async ({ input, restore }: FindSetInput, sets: Sets): Promise<FoundRestoreSet> => {
  const all = setsOf(await sets.ofInstance(input.instanceId));
  const [found] = all.filter((set) => fits(set, input));
  if (!found) throw new NoSuchSetError(noSuchSet(input, all));
  const { id, snapshots } = found;
  const open = snapshots.filter(({ state }) => state !== 'completed');
  if (open.length > 0) {
    throw new SetIncompleteError(
      `set ${id} is not ready: ${open.map((each) => `${each.snapshotId} is ${each.state}`).join(', ')}; wait until it is, or name another one`,
    );
  }
  return {
    restore,
    wish: input,
    key: `sets/${input.instanceId}/${id}.json`,
    set: {
      ...found,
      snapshots: snapshots.map(({ snapshotId, volumeId, sizeGiB, tags }) => ({
        snapshotId,
        // A copied snapshot no longer knows its volume; its tag does.
        volumeId: tags[SET_TAGS.volume] ?? volumeId,
        sizeGiB,
      })),
    },
  };
};

interface Candidate {
  id: string;
  grade: string;
  mode: string;
  startTime: string;
  snapshots: TaggedSnapshot[];
}

/** Whole sets by id, the newest first. What turned up beside a set bears the tag of no run. */
const setsOf = (snapshots: readonly TaggedSnapshot[]): Candidate[] =>
  Object.entries(Object.groupBy(snapshots, ({ tags }) => tags[SET_TAGS.set] ?? ''))
    .flatMap(([id, members = []]) => {
      const [first] = members;
      if (!first || first.tags[SET_TAGS.run] !== id) return [];
      const grade = first.tags[SET_TAGS.grade] ?? '';
      return [{ id, grade, mode: first.tags[SET_TAGS.mode] ?? '', startTime: first.startTime, snapshots: members }];
    })
    .sort((a, b) => Date.parse(b.startTime) - Date.parse(a.startTime));

const fits = ({ id, grade, startTime }: Candidate, wish: RestoreWish): boolean => {
  if (wish.set !== undefined) return id === wish.set;
  if (wish.before !== undefined && Date.parse(startTime) > Date.parse(wish.before)) return false;
  return isGrade(grade) && reaches(grade, wish.grade);
};

const isGrade = (grade: string): grade is GradeName => GRADES.some((known) => known === grade);

const noSuchSet = ({ instanceId, set, before, grade }: RestoreWish, all: readonly Candidate[]): string => {
  const wanted = set
    ? `no set ${set}`
    : `no set of grade ${grade} or better${before ? ` that was begun at ${before} or before` : ''}`;
  const there = all
    .slice(0, 5)
    .map((each) => `${each.id} (${each.grade || 'unlabelled'}, ${each.startTime})`)
    .join(', ');
  return `${instanceId} has ${wanted} in this account and Region; ${there ? `the newest there are: ${there}` : 'it has none at all'}`;
};
