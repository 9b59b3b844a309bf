import { NoSuchSetError, SetDeletedError, SetIncompleteError } from '../shared/errors.ts';
import { GRADES, type GradeName, reaches, SET_TAGS } from '../shared/names.ts';
import type { FindSetInput, FoundRestoreSet, RestoreWish } from '../shared/restore-contracts.ts';

interface TaggedSnapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
  sizeGiB: number;
  tier: string;
  tags: Record<string, string>;
}

export interface Sets {
  /** Every snapshot that a run of this instance has made. */
  ofInstance(instanceId: string): Promise<TaggedSnapshot[]>;
}

/** The set that is to be restored: the one that was named, or the newest that fits. No effects. */
export const findSet = async ({ input, restore }: FindSetInput, sets: Sets): Promise<FoundRestoreSet> => {
  const all = setsOf(await sets.ofInstance(input.instanceId));
  const fitting = all.filter((set) => fits(set, input));
  // Of two requests of one run the graded one is its set.
  const found = fitting.find(({ grade }) => isGrade(grade)) ?? fitting[0];
  if (!found) throw new NoSuchSetError(noSuchSet(input, all));
  refuseIncomplete(found);
  return {
    restore,
    wish: input,
    key: `sets/${input.instanceId}/${found.id}.json`,
    set: {
      ...found,
      copied: found.snapshots.some(({ tags }) => tags[SET_TAGS.source] !== undefined),
      snapshots: found.snapshots.map(({ snapshotId, volumeId, sizeGiB, tags }) => ({
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

/**
 * Sets by id and point in time, the newest first: a request that EC2 carried out after its run bears the same tags and is
 * a set of its own, never to be mixed with the first. What turned up beside a set bears the tag of no run.
 */
const setsOf = (snapshots: readonly TaggedSnapshot[]): Candidate[] =>
  Object.values(Object.groupBy(snapshots, ({ tags, startTime }) => `${tags[SET_TAGS.set]} ${startOf(tags, startTime)}`))
    .flatMap((members = []) => {
      const [first] = members;
      const id = first?.tags[SET_TAGS.set];
      if (!first || !id || first.tags[SET_TAGS.run] !== id) return [];
      const { [SET_TAGS.grade]: grade = '', [SET_TAGS.mode]: mode = '' } = first.tags;
      return [{ id, grade, mode, startTime: startOf(first.tags, first.startTime), snapshots: members }];
    })
    .sort((a, b) => Date.parse(b.startTime) - Date.parse(a.startTime));

/** The start of a copy is its own; that of its set is in a tag. */
const startOf = (tags: Record<string, string>, startTime: string): string => tags[SET_TAGS.started] ?? startTime;

const refuseIncomplete = ({ id, snapshots }: Candidate): void => {
  const open = snapshots
    .filter(({ state }) => state !== 'completed')
    .map((each) => `${each.snapshotId} is ${each.state}`);
  const going = snapshots.filter(({ tags }) => tags[SET_TAGS.deleting] !== undefined);
  if (going.length > 0) {
    const which = going.map(({ snapshotId }) => snapshotId).join(', ');
    throw new SetDeletedError(`set ${id} is being deleted (${which}); name another one`);
  }
  const archived = snapshots.filter(({ tier }) => tier !== 'standard');
  const size = Number(snapshots[0]?.tags[SET_TAGS.members] ?? snapshots.length);
  const faults = [
    ...open,
    ...archived.map(
      ({ snapshotId }) => `${snapshotId} lies in the archive tier (aws ec2 restore-snapshot-tier brings it back)`,
    ),
    ...(snapshots.length < size ? [`${size - snapshots.length} of its ${size} snapshots are gone`] : []),
  ];
  if (faults.length === 0) return;
  throw new SetIncompleteError(`set ${id} is not whole: ${faults.join(', ')}; wait until it is, or name another one`);
};

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
