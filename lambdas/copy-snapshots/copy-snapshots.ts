import { clientErrorText, isPassing, isRefusal } from '../shared/aws-errors.ts';
import type { Clock } from '../shared/clock.ts';
import type { CopyOrder, CopyState, CopyWish } from '../shared/copy-contracts.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { type GradeName, IN_COPY, SET_TAGS } from '../shared/names.ts';
import { note } from '../shared/prune-report.ts';
import { type CopyRequest, copyRequest } from './copy-request.ts';

export interface Home {
  byId(snapshotIds: readonly string[]): Promise<FoundSnapshot[]>;
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
  /** With the destination's account. */
  share(snapshotId: string, account: string, options: { shared: boolean }): Promise<void>;
}

export interface Destination {
  byId(snapshotIds: readonly string[]): Promise<FoundSnapshot[]>;
  copy(request: CopyRequest): Promise<string>;
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
  lock(snapshotId: string, lock: NonNullable<CopyWish['lock']>): Promise<void>;
  locked(snapshotIds: readonly string[]): Promise<{ snapshotId: string }[]>;
  delete(snapshotId: string): Promise<void>;
}

/** A mark that nobody renews holds a set no longer than this. */
const HOLD_MS = 48 * 3_600_000;
/** DeleteSnapshot, LockSnapshot, CopySnapshot and ModifySnapshotAttribute refill at 5/s for the whole account and Region. */
const PACE_MS = 250;
/** Of the function's time; no order is begun after it. */
const WORK_MS = 200_000;

/** Carries the orders out, one set after the other. What is left undone the next plan finds undone. */
export const copySnapshots = async (
  state: CopyState,
  home: Home,
  there: Destination,
  clock: Clock,
): Promise<CopyState> => {
  const report = structuredClone(state.report);
  const began = clock.now();
  const act = { state, home, there, clock, report };
  const kinds = [
    [state.orders.remove, remove],
    [state.orders.finish, finish],
    [state.orders.hold, hold],
    [state.orders.copy, copy],
  ] as const;
  for (const [orders, carryOut] of kinds) {
    for (const order of orders) {
      if (clock.now() - began > WORK_MS) break;
      try {
        if ((await carryOut(order, act)) === 'full') break;
      } catch (error) {
        // Throttled, or nobody knows what came of it: the next plan sees what is there by then.
        if (isPassing(error)) continue;
        note(report.troubles, `${order.set}: ${clientErrorText(error)}`);
        // What the role may not do for one set, it may not do for the next.
        if (isRefusal(error)) break;
      }
    }
  }
  return { ...state, orders: { remove: [], finish: [], hold: [], copy: [] }, report, next: 'end' };
};

interface Act {
  readonly state: CopyState;
  readonly home: Home;
  readonly there: Destination;
  readonly clock: Clock;
  readonly report: CopyState['report'];
}

/** Copies that are no whole set: none of them has a grade, and the role deletes no others. */
const remove = async ({ set, copies, sources }: CopyOrder, { there, clock, report, ...act }: Act): Promise<void> => {
  for (const copy of copies) {
    await there.delete(copy);
    await clock.sleep(PACE_MS);
  }
  note(report.removed, `${set}: ${copies.join(', ')}`);
  await letGo(sources, { ...act, there, clock, report });
};

/** Locked before it is called whole, and graded last: what says a grade is complete, and held as its policy wants. */
const finish = async ({ set, policy, copies, sources }: CopyOrder, act: Act): Promise<void> => {
  const { state, there, clock, report } = act;
  const lock = state.wishes[policy]?.lock;
  if (lock) {
    const held = new Set((await there.locked(copies)).map(({ snapshotId }) => snapshotId));
    for (const copy of copies.filter((id) => !held.has(id))) {
      await there.lock(copy, lock);
      await clock.sleep(PACE_MS);
    }
  }
  const [first] = await there.byId(copies);
  const grade = first?.tags[SET_TAGS.sourceGrade] as GradeName | undefined;
  if (!grade) return;
  await there.tag(copies, { [SET_TAGS.grade]: grade, [IN_COPY]: new Date(clock.now()).toISOString() });
  note(report.finished, set);
  await letGo(sources, act);
};

/** The set at home is nobody else's business any more: no mark, and no other account that may read it. */
const letGo = async (sources: readonly string[], { state, home, clock }: Act): Promise<void> => {
  // Some may be gone by now, with their shares.
  const left = sources.length > 0 ? (await home.byId(sources)).map(({ snapshotId }) => snapshotId) : [];
  if (left.length === 0) return;
  if (isElsewhere(state)) {
    for (const source of left) {
      await home.share(source, state.destination.account, { shared: false });
      await clock.sleep(PACE_MS);
    }
  }
  await home.tag(left, { [IN_COPY]: new Date(clock.now()).toISOString() });
};

const hold = async ({ sources, copies }: CopyOrder, { home, there, clock }: Act): Promise<void> => {
  const until = new Date(clock.now() + HOLD_MS).toISOString();
  await home.tag(sources, { [IN_COPY]: until });
  await there.tag(copies, { [IN_COPY]: until });
};

/** `full`: EC2 takes no more copies now, of this set or another one. */
const copy = async (
  { set, policy, members, sources }: CopyOrder,
  { state, home, there, clock, report }: Act,
): Promise<'full' | undefined> => {
  const found = await home.byId(sources);
  // Looked at once more: what has begun to go since the plan was made is not brought to safety in part.
  if (found.length < sources.length || found.some((each) => each.state !== 'completed' || isGoing(each))) return;
  const until = new Date(clock.now() + HOLD_MS).toISOString();
  await home.tag(sources, { [IN_COPY]: until });
  for (const source of found) {
    if (isElsewhere(state)) await home.share(source.snapshotId, state.destination.account, { shared: true });
    try {
      await there.copy(copyRequest(source, { ...state, wish: state.wishes[policy] as CopyWish, members, until }));
    } catch (error) {
      if (isFull(error)) return 'full';
      throw error;
    }
    await clock.sleep(PACE_MS);
  }
  note(report.begun, `${set}: ${sources.length} of ${members}`);
  return;
};

const isGoing = ({ tags }: FoundSnapshot): boolean => tags[SET_TAGS.deleting] !== undefined;

const isElsewhere = ({ home, destination }: CopyState): boolean => home.account !== destination.account;

/** EC2 works on as many copies as it does at once, or moves as much as it does for those that were given a time. */
const isFull = (error: unknown): boolean => error instanceof Error && error.name === 'ResourceLimitExceeded';
