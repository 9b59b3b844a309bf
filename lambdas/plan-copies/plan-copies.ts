/**
 * What is to be done so that a destination has every set that it should have, whole: one pure function of what there is
 * on both sides. It remembers nothing, so that whatever was cut short is taken up where it stands.
 */
import { type CopyOrder, type CopyOrders, CopyReport, type CopyWish } from '../shared/copy-contracts.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { IN_COPY, SET_TAGS, UNPROVEN } from '../shared/names.ts';
import { note } from '../shared/prune-report.ts';
import { decide, type RetentionPolicy } from '../shared/retention.ts';
import { type LiveSet, setsOf } from '../shared/sets.ts';

export interface Sides {
  /** Snapshots of sets that were taken at home. */
  readonly sources: readonly FoundSnapshot[];
  /** Copies of such that are at the destination. */
  readonly copies: readonly FoundSnapshot[];
}

export interface Terms {
  readonly policies: Readonly<Record<string, RetentionPolicy>>;
  /** By policy; the sets of others are not copied. */
  readonly wishes: Readonly<Record<string, CopyWish>>;
  /** Instances that are not terminated. */
  readonly living: ReadonlySet<string>;
  readonly now: number;
}

export interface CopyPlan {
  readonly orders: CopyOrders;
  readonly report: CopyReport;
  /** Of every set that is not there yet: hours since its point in time. */
  readonly ages: { policy: string; hours: number }[];
}

const HOUR_MS = 3_600_000;
/** Copies into one Region that EC2 works on at once; can't be raised but by Support. */
export const COPIES_IN_FLIGHT = 20;
/** A copy that failed is left where it is for so long, since what it failed of seldom passes by itself. */
export const FAILED_REST_MS = 6 * HOUR_MS;
/** EC2 shows late what it has begun, so nothing younger is taken for left over. */
export const LEFT_OVER_MS = HOUR_MS;
/** Failing sets at once that let no further ones begin: it is the destination, then, and not the set. */
const MOST_FAILING = 3;
/** Marks that end sooner are renewed. */
const HOLD_LEFT_MS = 24 * HOUR_MS;
/** In the orders of one kind, so that the state of an execution stays far below 256 KiB however large the sets are. */
const MOST_IDS = 1_000;

/** A set that is not at the destination as a whole, and what there is of it. */
interface Lacking {
  readonly name: string;
  readonly policy: string;
  readonly instance: string;
  readonly startedAt: number;
  /** Undefined when home has no such set, or the destination is to have none. */
  readonly source: LiveSet | undefined;
  readonly copies: readonly FoundSnapshot[];
}

export const planCopies = ({ sources, copies }: Sides, terms: Terms): CopyPlan => {
  const { now } = terms;
  const report = CopyReport.parse({});
  const orders: CopyOrders = { remove: [], finish: [], hold: [], copy: [] };
  const { lacking, lastThere, there } = compare({ sources, copies }, terms, report);
  report.there = there;
  const holdEnds = new Map(sources.map(({ snapshotId, tags }) => [snapshotId, Date.parse(tags[IN_COPY] ?? '') || 0]));

  const toCopy: ToCopy[] = [];
  const ages: CopyPlan['ages'] = [];
  for (const set of lacking) {
    const { good, failed, second } = membersOf(set.copies);
    const order = (members: readonly FoundSnapshot[], from: readonly string[] = []): CopyOrder => ({
      set: set.name,
      policy: set.policy,
      members: set.source?.snapshotIds.length ?? 0,
      sources: [...from],
      copies: members.map(({ snapshotId }) => snapshotId),
    });
    const size = Number(set.copies[0]?.tags[SET_TAGS.members] ?? Number.NaN);
    if (good.length >= size && good.every(({ state }) => state === 'completed')) {
      orders.finish.push(order(good, good.map(sourceOf)));
      if (failed.length + second.length > 0) orders.remove.push(order([...failed, ...second]));
      continue;
    }
    if (!set.source) {
      const youngest = Math.max(...set.copies.map(({ startTime }) => Date.parse(startTime)));
      if (now - youngest >= LEFT_OVER_MS) orders.remove.push(order(set.copies, set.copies.map(sourceOf)));
      else report.underWay += 1;
      continue;
    }

    const hours = Math.round((now - set.startedAt) / 360_000) / 10;
    ages.push({ policy: set.policy, hours });
    report.oldestLackingHours = Math.max(report.oldestLackingHours, hours);
    if (hours > (terms.wishes[set.policy]?.rpoHours ?? Number.POSITIVE_INFINITY)) {
      note(report.late, `${set.name}: taken ${hours} h ago`);
    }
    if (good.length > 0) report.underWay += 1;
    else report.waiting += 1;
    if (second.length > 0) orders.remove.push(order(second));
    if (failed.length > 0) {
      const why = failed.map((copy) => `${copy.snapshotId} ${copy.stateMessage || 'failed, EC2 gives no reason'}`);
      note(report.failing, `${set.name}: ${why.join('; ')}`);
      // Left where they are for a while: they are the memory of what went wrong, and of when.
      if (failed.some(({ startTime }) => now - Date.parse(startTime) < FAILED_REST_MS)) continue;
      orders.remove.push(order(failed));
    }
    const { snapshotIds } = set.source;
    if (good.length > 0 && snapshotIds.some((id) => (holdEnds.get(id) ?? 0) - now < HOLD_LEFT_MS)) {
      orders.hold.push(order(good, snapshotIds));
    }
    const missing = snapshotIds.filter((id) => !good.some((copy) => sourceOf(copy) === id));
    if (missing.length > 0) toCopy.push({ set, missing, order: (now) => order(good, now) });
  }

  const pending = copies.filter(({ state }) => state === 'pending');
  const done = pending.reduce((sum, { percent }) => sum + percent, 0);
  report.inFlight = pending.length;
  report.percent = pending.length > 0 ? Math.floor(done / pending.length) : 0;
  orders.copy = admit(toCopy, pending.length, report.failing.length < MOST_FAILING, lastThere);
  for (const kind of ['remove', 'finish', 'hold'] as const) orders[kind] = some(orders[kind]);
  return { orders, report, ages };
};

/** Every set that is not there as it should be; and of each instance the point in time of the newest that is. */
const compare = ({ sources, copies }: Sides, { policies, wishes, living, now }: Terms, report: CopyReport) => {
  const here = Object.groupBy(setsOf(sources, now).sets, ({ instance }) => instance);
  const there = Object.groupBy(setsOf(copies, now).sets, ({ instance }) => instance);
  const byId = new Map(copies.map((copy) => [copy.snapshotId, copy]));
  const archived = new Set(sources.filter(({ tier }) => tier !== 'standard').map(({ snapshotId }) => snapshotId));
  const lacking: Lacking[] = [];
  const lastThere = new Map<string, number>();
  let complete = 0;
  for (const instance of new Set([...Object.keys(here), ...Object.keys(there)])) {
    const copied = (there[instance] ?? []).filter(isComplete);
    complete += copied.length;
    lastThere.set(instance, Math.max(0, ...copied.map(({ startedAt }) => startedAt)));
    const known = new Set(copied.map(momentOf));
    const candidates = (here[instance] ?? []).filter(
      (set) => isComplete(set) && !set.deleting && wishes[set.policy] && !known.has(momentOf(set)),
    );
    // What the destination's own prune would let go is not brought there first.
    const wanted = decide([...copied, ...candidates.map((set) => ({ ...set, holds: [] }))], {
      policies,
      now,
      gone: !living.has(instance),
    });
    const owed = new Map(wanted.filter(({ due }) => !due).map(({ set }) => [momentOf(set), set]));
    for (const set of candidates) {
      if (!owed.has(momentOf(set)) || !set.snapshotIds.some((id) => archived.has(id))) continue;
      owed.delete(momentOf(set));
      note(report.cannot, `${set.set}: it lies in the archive tier, which EC2 copies nothing from`);
    }
    const begun = (there[instance] ?? []).filter((set) => !isComplete(set));
    for (const { set, policy, startedAt, snapshotIds } of begun) {
      lacking.push({
        name: set,
        policy,
        instance,
        startedAt,
        source: candidates.find((each) => each.startedAt === startedAt && owed.has(momentOf(each))),
        copies: snapshotIds.map((id) => byId.get(id) as FoundSnapshot),
      });
    }
    const moments = new Set(begun.map(momentOf));
    for (const source of candidates) {
      if (!owed.has(momentOf(source)) || moments.has(momentOf(source))) continue;
      lacking.push({ ...source, name: source.set, source, copies: [] });
    }
  }
  return { lacking, lastThere, there: complete };
};

const isComplete = ({ state, grade }: LiveSet): boolean => state === 'whole' && grade !== UNPROVEN;

/** Of one instance: no two of its sets share their point in time. */
const momentOf = ({ startedAt }: Pick<LiveSet, 'startedAt'>): number => startedAt;

const sourceOf = ({ tags }: FoundSnapshot): string => tags[SET_TAGS.source] ?? '';

/** The first of them; the rest comes up again in the next plan. */
const some = (orders: readonly CopyOrder[]): CopyOrder[] => {
  let ids = 0;
  return orders.filter(({ sources, copies }) => {
    ids += sources.length + copies.length;
    return ids <= MOST_IDS;
  });
};

/** One copy of each member, the furthest; what has failed; and what was made a second time. */
const membersOf = (copies: readonly FoundSnapshot[]) => {
  const failed = copies.filter(({ state }) => state === 'error');
  const bySource = Object.groupBy(
    copies.filter(({ state }) => state !== 'error'),
    sourceOf,
  );
  const ranked = Object.values(bySource).map((same = []) =>
    same.toSorted((a, b) => b.percent - a.percent || Date.parse(a.startTime) - Date.parse(b.startTime)),
  );
  return { failed, good: ranked.flatMap((same) => same.slice(0, 1)), second: ranked.flatMap((same) => same.slice(1)) };
};

interface ToCopy {
  readonly set: Lacking;
  readonly missing: readonly string[];
  readonly order: (now: readonly string[]) => CopyOrder;
}

/**
 * Which members are copied now. A set that has begun goes first; then the newest set of each instance, and of these the
 * one whose instance has gone without for longest. A set begins when all of it can be in flight, or when nothing else is:
 * those behind it do not overtake, so that a large one gets its turn.
 */
const admit = (
  sets: readonly ToCopy[],
  inFlight: number,
  mayBegin: boolean,
  lastThere: ReadonlyMap<string, number>,
): CopyOrder[] => {
  const turns = new Map<string, number>();
  const begun = sets.filter(({ set }) => set.copies.length > 0);
  const queue = sets
    .filter(({ set }) => set.copies.length === 0)
    .toSorted((a, b) => b.set.startedAt - a.set.startedAt)
    .map((each) => {
      const { instance } = each.set;
      turns.set(instance, (turns.get(instance) ?? 0) + 1);
      return { ...each, turn: turns.get(instance) ?? 0, since: lastThere.get(instance) ?? 0 };
    })
    .toSorted((a, b) => a.turn - b.turn || a.since - b.since || a.set.startedAt - b.set.startedAt);

  let free = COPIES_IN_FLIGHT - inFlight;
  const orders: CopyOrder[] = [];
  const take = ({ missing, order }: ToCopy) => {
    const now = missing.slice(0, Math.max(0, free));
    free -= now.length;
    if (now.length > 0) orders.push(order(now));
  };
  for (const each of begun) take(each);
  for (const each of mayBegin ? queue : []) {
    if (each.missing.length > free && free < COPIES_IN_FLIGHT) break;
    take(each);
  }
  return orders;
};
