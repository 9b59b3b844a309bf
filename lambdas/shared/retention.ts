/**
 * Which sets are kept and which are let go: one pure function of what there is, the plan and the time. It never looks
 * at the order of its input, and what it lets go it would let go at any later time as well.
 */
import { type Calendar, calendarOf, DAY_MS, PERIODS } from './calendar.ts';
import { GRADES, type GradeName, reaches, UNPROVEN } from './names.ts';

/** The part of a policy that retention needs. */
export interface RetentionPolicy {
  /** What its sets must promise. */
  grade: GradeName;
  /** IANA time zone that its days, weeks, months and years are counted in. */
  timeZone: string;
  /** `days`: every set that is younger is kept. `finalDays`: how long a terminated instance keeps its last set. */
  retain: Record<'last' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'days' | 'finalDays', number>;
  /** Age in days from which on a set lies in the archive tier; without: never. */
  archiveAfterDays?: number | undefined;
}

/** A set as retention sees it. */
export interface KnownSet {
  set: string;
  policy: string;
  /** Its point in time, ms since 1970. */
  startedAt: number;
  grade: GradeName | typeof UNPROVEN;
  /** `pending`: EC2 still works on it. `broken`: a member failed or is gone. */
  state: 'whole' | 'pending' | 'broken';
  /** Why nobody may delete it now: a hold, a lock, a use. One phrase each. */
  holds: readonly string[];
  /** Retention has let it go and begun to delete it: what is left of it, where members are gone. */
  deleting: boolean;
}

export interface Decision<Known extends KnownSet = KnownSet> {
  set: Known;
  keep: boolean;
  /** For people; at least one. */
  reasons: string[];
  /** Retention would let it go, and what holds it is a lock, a hold or a use. */
  due: boolean;
}

export interface Circumstances {
  /** Of the plan, by name. */
  policies: Readonly<Record<string, RetentionPolicy>>;
  now: number;
  /** The instance is terminated: no more sets will come. */
  gone: boolean;
}

/** A run waits two days at most for its snapshots; what looks unfinished after that, no run will finish. */
export const UNFINISHED_MS = 3 * DAY_MS;

/** Decides on all sets of one instance. */
export const decide = <Known extends KnownSet>(
  sets: readonly Known[],
  circumstances: Circumstances,
): Decision<Known>[] => {
  const keeps = new Map(sets.map((set) => [set, [] as string[]]));
  const keep = (set: Known, reason: string) => keeps.get(set)?.push(reason);

  const sound = sets.filter((set) => isSound(set, circumstances.now)).sort(newestFirst);
  const lineages = Object.entries(Object.groupBy(sound, ({ policy }) => policy));
  for (const [name, lineage = []] of lineages) {
    const policy = circumstances.policies[name];
    if (policy) keepByCount(lineage, policy, circumstances, keep);
  }
  keepTheLastResort(sound, lineages, circumstances, keep);
  for (const set of sets) {
    const why = unfinished(set, sound, circumstances);
    if (why) keep(set, why);
  }

  return sets.map((set) => {
    const reasons = keeps.get(set) as string[];
    const due = reasons.length === 0;
    if (!due || set.holds.length > 0) return { set, keep: true, reasons: [...reasons, ...set.holds], due };
    return { set, keep: false, reasons: [whyNot(set, sound)], due };
  });
};

type Keep<Known> = (set: Known, reason: string) => void;

/** Grandfather, father, son: of each of the newest periods the best set, and of equals the newest. */
const keepByCount = <Known extends KnownSet>(
  lineage: readonly Known[],
  { retain, timeZone }: RetentionPolicy,
  { now, gone }: Circumstances,
  keep: Keep<Known>,
): void => {
  const calendar = calendarFor(timeZone);
  // Of a terminated instance no newer sets come, so that a count alone would keep its sets for ever.
  if (!gone) for (const set of lineage.slice(0, retain.last)) keep(set, `one of the last ${retain.last}`);
  for (const set of lineage) {
    if (now - set.startedAt < retain.days * DAY_MS) keep(set, `younger than ${retain.days} days`);
  }
  for (const kind of PERIODS) {
    const best = new Map<number, Known>();
    for (const set of lineage) {
      const period = calendar.period(kind, set.startedAt);
      const known = best.get(period);
      // The newest comes first: an older one takes its place only by a better grade.
      if (!known || rank(set) > rank(known)) best.set(period, set);
    }
    const current = calendar.period(kind, now);
    const periods = [...best.keys()].sort((a, b) => b - a);
    for (const [index, period] of periods.entries()) {
      const counted = gone ? current - period : index;
      const set = best.get(period) as Known;
      if (counted < retain[kind]) keep(set, `${kind} ${calendar.label(kind, set.startedAt)}`);
    }
  }
};

/** The sets without which an instance would be worse off than it ever has to be, whatever the counts say. */
const keepTheLastResort = <Known extends KnownSet>(
  sound: readonly Known[],
  lineages: readonly (readonly [string, readonly Known[] | undefined])[],
  { policies, now, gone }: Circumstances,
  keep: Keep<Known>,
): void => {
  const last = (set: Known | undefined, reason: string) => {
    if (!set) return;
    if (!gone) {
      keep(set, reason);
      return;
    }
    const until = set.startedAt + (policies[set.policy]?.retain.finalDays ?? 0) * DAY_MS;
    if (now < until)
      keep(set, `${reason}; its instance is terminated: until ${new Date(until).toISOString().slice(0, 10)}`);
  };
  for (const { set, reason } of lastResorts(sound, lineages, policies)) last(set, reason);
};

const lastResorts = <Known extends KnownSet>(
  sound: readonly Known[],
  lineages: readonly (readonly [string, readonly Known[] | undefined])[],
  policies: Circumstances['policies'],
): { set: Known | undefined; reason: string }[] => {
  const best = newestOfBestGrade(sound);
  return [
    { set: best, reason: `the last of grade ${best?.grade} of its instance` },
    ...lineages.flatMap(([name, lineage = []]) => {
      const wanted = policies[name]?.grade;
      if (!wanted) return [];
      // What came after it has failed, or earned less than was wanted.
      const good = lineage.find(({ grade }) => grade !== UNPROVEN && reaches(grade, wanted));
      const set = good ?? newestOfBestGrade(lineage);
      return [{ set, reason: `the last of its policy that is of grade ${set?.grade}` }];
    }),
  ];
};

/**
 * Of all sets of one instance those that belong into the archive tier: old enough by their policy, kept by a rule of it, and
 * none that anybody would restore from first, since a set comes back from there in days. Nor one that somebody uses.
 */
export const archivable = <Known extends KnownSet>(
  decisions: readonly Decision<Known>[],
  { policies, now }: Pick<Circumstances, 'policies' | 'now'>,
): Known[] => {
  const sound = decisions
    .map(({ set }) => set)
    .filter((set) => isSound(set, now))
    .sort(newestFirst);
  const lineages = Object.entries(Object.groupBy(sound, ({ policy }) => policy));
  const first = new Set([
    sound[0],
    ...lineages.map(([, lineage]) => lineage?.[0]),
    ...lastResorts(sound, lineages, policies).map(({ set }) => set),
  ]);
  return decisions
    .filter(({ keep, due, set }) => {
      const days = policies[set.policy]?.archiveAfterDays;
      const isOld = days !== undefined && now - set.startedAt >= days * DAY_MS;
      return keep && !due && isOld && sound.includes(set) && !first.has(set) && set.holds.length === 0;
    })
    .map(({ set }) => set);
};

/** Why a set stays that can't be judged as one, or not yet. */
const unfinished = (
  set: KnownSet,
  sound: readonly KnownSet[],
  { policies, now }: Circumstances,
): string | undefined => {
  if (isHalfDeleted(set)) return undefined;
  if (!policies[set.policy]) return `its policy ${set.policy} is not in the plan`;
  if (set.startedAt > now) return 'it began after the time of this decision';
  if (sound.includes(set)) return undefined;
  if (set.state === 'pending') return 'EC2 has not completed it';
  if (now - set.startedAt < UNFINISHED_MS) return `${faultOf(set)}, and its run may still see to it`;
  return successorOf(set, sound) ? undefined : `${faultOf(set)}, but nothing newer of its policy is whole and proven`;
};

const whyNot = (set: KnownSet, sound: readonly KnownSet[]): string => {
  if (isHalfDeleted(set)) return 'its deletion has begun';
  if (sound.includes(set)) return 'no rule of its policy keeps it';
  return `${faultOf(set)}, and ${successorOf(set, sound)?.set} is newer, whole and proven`;
};

const faultOf = ({ state }: KnownSet): string =>
  state === 'broken' ? 'a member failed or is gone' : 'its grade was never proven';

const successorOf = (set: KnownSet, sound: readonly KnownSet[]): KnownSet | undefined =>
  sound.find(({ policy, startedAt }) => policy === set.policy && startedAt >= set.startedAt);

/** Whole, proven, and of the past: what counts towards what is kept. */
const isSound = ({ state, grade, startedAt }: KnownSet, now: number): boolean =>
  state === 'whole' && grade !== UNPROVEN && startedAt <= now;

const isHalfDeleted = ({ state, deleting }: KnownSet): boolean => state === 'broken' && deleting;

const rank = ({ grade }: KnownSet): number => (grade === UNPROVEN ? -1 : GRADES.indexOf(grade));

const newestFirst = (a: KnownSet, b: KnownSet): number =>
  b.startedAt - a.startedAt || (a.set < b.set ? 1 : a.set > b.set ? -1 : 0);

const newestOfBestGrade = <Known extends KnownSet>(sorted: readonly Known[]): Known | undefined =>
  sorted.reduce<Known | undefined>((best, set) => (!best || rank(set) > rank(best) ? set : best), undefined);

const calendars = new Map<string, Calendar>();
const calendarFor = (timeZone: string): Calendar => {
  const known = calendars.get(timeZone) ?? calendarOf(timeZone);
  calendars.set(timeZone, known);
  return known;
};
