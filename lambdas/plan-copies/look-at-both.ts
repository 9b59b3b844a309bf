import type { Place } from '../shared/contracts.ts';
import type { CopyState, PlanCopiesInput } from '../shared/copy-contracts.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { NoSuchDestinationError } from '../shared/errors.ts';
import { IN_COPY, SET_TAGS } from '../shared/names.ts';
import { isHome, isOurs, placeName, placeOf } from '../shared/places.ts';
import { planCopies } from './plan-copies.ts';

type Pages = AsyncIterable<readonly FoundSnapshot[]>;

export interface Accounts {
  /** Every snapshot of ours at home. */
  originals(): Pages;
  /** Every copy of ours that is there. */
  copiesIn(place: Place): Pages;
  /** Of these instances, those that are not terminated. */
  living(instanceIds: readonly string[]): Promise<ReadonlySet<string>>;
}

type Metric = (policy: string, late: number, oldestHours: number, now: number) => void;

/** What the destination lacks, and what is to be done about it now. No effects. */
export const lookAtBoth = async (
  { input, home, policies, destinations }: PlanCopiesInput,
  accounts: Accounts,
  now: number,
  metric: Metric,
): Promise<CopyState> => {
  const destination = placeOf(input, home);
  const found = destinations.find((each) => isHome(placeOf(each, home), destination));
  if (!found || isHome(destination, home)) {
    const there = destinations.map((each) => placeName(placeOf(each, home), home));
    throw new NoSuchDestinationError(
      `the plan copies nothing to ${placeName(destination, home)}${found ? ', since that is where the sets are taken' : ''}; copyTo names ${there.join(', ') || 'no place'}`,
    );
  }
  const { wishes } = found;
  const place = placeOf(found, home);
  const sources = (await collected(accounts.originals())).filter((each) => isOurs(each, home, home));
  const copies = await collected(accounts.copiesIn(place));
  const instances = new Set([...sources, ...copies].map(({ tags }) => tags[SET_TAGS.instance] ?? ''));
  const living = await accounts.living([...instances].filter((id) => id !== ''));
  const { orders, report, ages } = planCopies({ sources, copies }, { policies, wishes, living, now });
  for (const [policy, { rpoHours }] of Object.entries(wishes)) {
    const hours = ages.filter((each) => each.policy === policy).map((each) => each.hours);
    metric(policy, hours.filter((each) => each > rpoHours).length, Math.max(0, ...hours), now);
  }
  const isIdle = Object.values(orders).every((some) => some.length === 0);
  return {
    dryRun: input.dryRun,
    home,
    destination: place,
    wishes,
    orders,
    report,
    next: isIdle || input.dryRun ? 'end' : 'copy',
  };
};

/** All that the decision needs: with every tag, a hundred thousand snapshots would not fit into memory. */
const NEEDED = [
  ...[SET_TAGS.set, SET_TAGS.policy, SET_TAGS.instance, SET_TAGS.grade, SET_TAGS.members, SET_TAGS.deleting],
  ...[SET_TAGS.started, SET_TAGS.origin, SET_TAGS.source, IN_COPY],
];

const collected = async (pages: Pages): Promise<FoundSnapshot[]> => {
  const all: FoundSnapshot[] = [];
  for await (const page of pages) {
    for (const snapshot of page) {
      const tags = NEEDED.flatMap((key) => (snapshot.tags[key] === undefined ? [] : [[key, snapshot.tags[key]]]));
      all.push({ ...snapshot, tags: Object.fromEntries(tags) });
    }
  }
  return all;
};
