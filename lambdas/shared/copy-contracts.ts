/** What crosses a border in a copy: what a person or the schedule asks, and what its two states hand on. */
import * as z from 'zod/mini';
import { Counted, Home, Lock, Named, Place, PlannedPlace, PrunePolicies } from './contracts.ts';

/** How a policy wants its copies at a destination. */
const CopyWish = z.object({
  kmsKeyArn: z.optional(z.string()),
  /** Time that EC2 is given for each copy, at a price; without it, as fast as it goes. */
  completionMinutes: z.optional(z.number()),
  lock: z.optional(Lock),
  /** A set that is older and not there yet is late. */
  rpoHours: z.number(),
});
export type CopyWish = z.infer<typeof CopyWish>;

const CopyWishes = z.record(z.string(), CopyWish);

/** Input of *Plan copies*: the execution's input, the stack's own place, and what the plan says. */
export const PlanCopiesInput = z.object({
  input: z.strictObject({
    region: z.string(),
    /** Default: the stack's own. */
    account: z.optional(z.string()),
    dryRun: z._default(z.boolean(), false),
  }),
  home: Home,
  policies: PrunePolicies,
  /** Of the plan; `wishes`: by policy. */
  destinations: z.array(z.extend(PlannedPlace, { wishes: CopyWishes })),
});
export type PlanCopiesInput = z.infer<typeof PlanCopiesInput>;

const count = z.number().check(z.int(), z.nonnegative());
const ids = z.array(z.string());

/** What is to be done for one set, in terms of its snapshots (`sources`) and of theirs at the destination (`copies`). */
const CopyOrder = z.object({
  set: z.string(),
  policy: z.string(),
  /** Of the whole set; 0 where home has it no more. */
  members: count,
  sources: ids,
  copies: ids,
});
export type CopyOrder = z.infer<typeof CopyOrder>;

/** All that is to be done at a destination now. */
export const CopyOrders = z.object({
  /** Copies of no use: of sets that will not be finished, failed ones, second ones. */
  remove: z.array(CopyOrder),
  /** Every member is there: the set gets its grade. */
  finish: z.array(CopyOrder),
  /** Under way: the mark that keeps the set and its copies from being pruned runs out. */
  hold: z.array(CopyOrder),
  /** `sources`: the members to copy now. */
  copy: z.array(CopyOrder),
});
export type CopyOrders = z.infer<typeof CopyOrders>;

/** How far a destination is; the lists are for people, with a limit. */
export const CopyReport = z.object({
  /** Sets that are there, whole. */
  there: Counted,
  /** Sets that are under way, their snapshots that EC2 still works on, and how much of these is done. */
  underWay: Counted,
  inFlight: Counted,
  percent: Counted,
  /** Sets that have not begun. */
  waiting: Counted,
  /** Hours since the point in time of the oldest set that is not there yet. */
  oldestLackingHours: z._default(z.number(), 0),
  late: Named,
  /** Sets of which a copy has failed: tried again later. */
  failing: Named,
  /** Sets that can't be copied as they are. */
  cannot: Named,
  begun: Named,
  finished: Named,
  removed: Named,
  /** What went wrong: the copy ends red. */
  troubles: Named,
});
export type CopyReport = z.infer<typeof CopyReport>;

/** Output of both states. */
export const CopyState = z.object({
  dryRun: z.boolean(),
  home: Home,
  destination: Place,
  wishes: CopyWishes,
  orders: CopyOrders,
  report: CopyReport,
  next: z.enum(['copy', 'end']),
});
export type CopyState = z.infer<typeof CopyState>;
