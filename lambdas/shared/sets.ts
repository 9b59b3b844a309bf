/** Sets as the tags of their snapshots tell them. */
import type { FoundSnapshot, SnapshotLock } from './ec2.ts';
import { GRADES, type GradeName, IN_USE, SET_TAGS, UNPROVEN, USER_TAGS } from './names.ts';
import type { KnownSet } from './retention.ts';

/** A set that is there, as retention sees it. */
export interface LiveSet extends KnownSet {
  instance: string;
  snapshotIds: string[];
  /** Of these, those that do not lie in the archive tier. */
  standardIds: string[];
}

export interface Catalogue {
  sets: LiveSet[];
  /** Snapshots of ours that belong to no set: a tag was taken away. */
  orphans: string[];
}

/** Groups snapshots into sets. `locks`: those that hold. */
export const setsOf = (
  snapshots: readonly FoundSnapshot[],
  now: number,
  locks: readonly SnapshotLock[] = [],
): Catalogue => {
  const held = new Map(locks.map((lock) => [lock.snapshotId, lock]));
  const groups = new Map<string, FoundSnapshot[]>();
  const moments = new Map<string, number>();
  const orphans: string[] = [];
  for (const snapshot of snapshots) {
    const { [SET_TAGS.set]: set, [SET_TAGS.instance]: instance, [SET_TAGS.policy]: policy } = snapshot.tags;
    if (!set || !instance || !policy) {
      orphans.push(snapshot.snapshotId);
      continue;
    }
    // A request that EC2 carried out after its run bears the same tags, and is a set of its own.
    const key = `${set} ${startedOf(snapshot)}`;
    const members = groups.get(key);
    if (members) members.push(snapshot);
    else {
      groups.set(key, [snapshot]);
      moments.set(set, (moments.get(set) ?? 0) + 1);
    }
  }
  const sets = [...groups.values()].map((members) => {
    const id = members[0]?.tags[SET_TAGS.set] as string;
    const startedAt = startedOf(members[0] as FoundSnapshot);
    const set = (moments.get(id) as number) > 1 ? `${id} of ${new Date(startedAt).toISOString()}` : id;
    return liveSet(set, startedAt, members, now, held);
  });
  return { sets, orphans };
};

/** The point in time of a set: a copy's own start is that of the copy, its source's is in a tag. */
const startedOf = ({ tags, startTime }: FoundSnapshot): number => Date.parse(tags[SET_TAGS.started] ?? startTime);

const liveSet = (
  set: string,
  startedAt: number,
  members: readonly FoundSnapshot[],
  now: number,
  held: ReadonlyMap<string, SnapshotLock>,
): LiveSet => {
  const [{ tags }] = members as [FoundSnapshot];
  return {
    set,
    startedAt,
    instance: tags[SET_TAGS.instance] as string,
    policy: tags[SET_TAGS.policy] as string,
    grade: gradeOf(members),
    state: stateOf(members),
    holds: [...new Set(members.flatMap((member) => holdsOf(member, now, held.get(member.snapshotId))))],
    deleting: members.some((member) => member.tags[SET_TAGS.deleting] !== undefined),
    snapshotIds: members.map(({ snapshotId }) => snapshotId).sort(),
    standardIds: members.flatMap(({ snapshotId, tier }) => (tier === 'standard' ? [snapshotId] : [])).sort(),
  };
};

/** No set is better than its worst member says. */
const gradeOf = (members: readonly FoundSnapshot[]): LiveSet['grade'] => {
  const ranks = members.map(({ tags }) => GRADES.indexOf(tags[SET_TAGS.grade] as GradeName));
  return GRADES[Math.min(...ranks)] ?? UNPROVEN;
};

const stateOf = (members: readonly FoundSnapshot[]): LiveSet['state'] => {
  // Sets that were taken before there was a tag of their size are whole until a member fails.
  const size = Number(members[0]?.tags[SET_TAGS.members] ?? members.length);
  // A copy that was asked for twice makes no set whole.
  const present = new Set(members.map(({ snapshotId, tags }) => tags[SET_TAGS.source] ?? snapshotId)).size;
  if (present < size || members.some(({ state }) => state === 'error')) return 'broken';
  return members.every(({ state }) => state === 'completed') ? 'whole' : 'pending';
};

const holdsOf = ({ tags }: FoundSnapshot, now: number, lock: SnapshotLock | undefined): string[] => [
  ...(tags[USER_TAGS.hold] === undefined ? [] : [`held by the tag ${USER_TAGS.hold}`]),
  ...Object.entries(tags)
    .filter(([key, until]) => key.startsWith(IN_USE) && !(Date.parse(until) <= now))
    .map(([key, until]) => `in use by ${key.slice(IN_USE.length)} until ${until}`),
  ...(lock ? [`locked in ${lock.mode} mode until ${lock.until || 'days after its completion'}`] : []),
];
