import { DELIVERY_SECONDS, START_SECONDS, TURN_SECONDS } from '../shared/budget.ts';
import type { Appointment, FindTargetsInput, Found, Target, Unmet } from '../shared/contracts.ts';
import { UnknownPolicyError } from '../shared/errors.ts';
import { FLEETS_PREFIX } from '../shared/names.ts';
import { type Booking, book, type Ledger } from './bookings.ts';
import { chooseTargets, type TaggedInstance } from './choose-targets.ts';
import { pace, type Turn } from './pacing.ts';

export interface Account {
  /** Every instance that bears the policy tag. */
  tagged(): Promise<TaggedInstance[]>;
  /** Ids of the instances that SSM knows. */
  managed(): Promise<Set<string>>;
  ledger(bucket: string): Ledger;
  put(bucket: string, key: string, json: unknown): Promise<unknown>;
}

/** EC2's quota, which can be raised. */
const SNAPSHOTS_PER_REGION = 100_000;
/** Runs of a fleet that ask EC2 by DryRun whether they may: they all have the same permission. */
const DRY_RUNS = 3;

/** Who is to be backed up by this firing, and when. */
export const findTargets = async (
  { input, fleet, policies, pacing, bucket }: FindTargetsInput,
  account: Account,
  now: number,
): Promise<Found> => {
  const policy = policies[input.policy];
  if (!policy) {
    throw new UnknownPolicyError(
      `there is no policy ${input.policy}; the plan has: ${Object.keys(policies).join(', ')}`,
    );
  }
  const [instances, managed] = [await account.tagged(), await account.managed()];
  const { candidates, unmet } = chooseTargets(input.policy, Object.keys(policies), instances, managed);

  const slotSeconds = START_SECONDS + DELIVERY_SECONDS + policy.leaseSeconds;
  const turns = pace(candidates, { ...pacing, slotSeconds }).filter(
    ({ atSeconds }) => atSeconds <= policy.windowSeconds,
  );
  // Twice: whoever misses his turn has it again when all others have had theirs, at the same distance from them.
  const roundMs = turns.length === 0 ? 0 : Math.ceil((turns.at(-1)?.atSeconds ?? 0) + slotSeconds) * 1_000;
  const booking = await book(fleet, 2 * roundMs, now, account.ledger(bucket));
  const closesAt = Date.parse(input.time) + policy.windowSeconds * 1_000;
  const turnOf = turnsFrom(booking, turns, closesAt);

  const targets = candidates
    .flatMap(({ id, group, several }): Target[] => {
      const at = turnOf.get(id);
      if (at === undefined) {
        unmet.push(outsideWindow(id, policy.windowSeconds));
        return [];
      }
      const alone = group !== undefined || several;
      const name = runName(id, input.time, input.policy);
      const appointment = (name: string, at: number): Appointment => ({
        instanceId: id,
        name,
        at: new Date(at).toISOString(),
        input: {
          instanceId: id,
          policy: input.policy,
          turn: {
            startBefore: at + TURN_SECONDS * 1_000,
            dryRun: false,
            ...(alone && { freezeBefore: at + slotSeconds * 1_000 }),
          },
        },
      });
      const again = at + roundMs;
      return [{ ...appointment(name, at), ...(again <= closesAt && { again: appointment(`${name}-2`, again) }) }];
    })
    .sort((a, b) => a.at.localeCompare(b.at));
  for (const { input: run } of targets.slice(0, DRY_RUNS)) run.turn.dryRun = true;

  const [targetsKey, unmetKey] = ['targets', 'unmet'].map((list) => `${FLEETS_PREFIX}${fleet}/${list}.json`);
  await account.put(bucket, targetsKey as string, targets);
  await account.put(bucket, unmetKey as string, unmet);
  const first = Date.parse(targets[0]?.at ?? new Date(now).toISOString());
  return {
    policy: input.policy,
    time: input.time,
    fleet,
    bucket,
    targetsKey: targetsKey as string,
    unmetKey: unmetKey as string,
    count: targets.length,
    unmet: unmet.length,
    startsAt: first,
    lastTurnAt: Date.parse(targets.at(-1)?.at ?? new Date(now).toISOString()),
    notes: notesOf(booking, now, volumesOf(targets, instances), policy.setsKept),
  };
};

/** In whole seconds, as Wait keeps them; those that the window no longer holds are left out. */
const turnsFrom = ({ from }: Booking, turns: readonly Turn[], closesAt: number): Map<string, number> =>
  new Map(
    turns
      .map(({ id, atSeconds }) => [id, Math.ceil((from + atSeconds * 1_000) / 1_000) * 1_000] as const)
      .filter(([, at]) => at <= closesAt),
  );

/** A person finds it by instance and time; the same firing gives the same name, and Step Functions takes a name once. */
export const runName = (instanceId: string, time: string, policy: string): string =>
  `${instanceId}-${time.replace(/\.\d+/, '').replaceAll(':', '')}-${policy}`;

const outsideWindow = (instanceId: string, windowSeconds: number): Unmet => ({
  instanceId,
  error: 'WindowOverflowError',
  why: `its turn would have come after the policy's window of ${windowSeconds / 60} minutes; raise windowMinutes, raise the account's rate and pacing.snapshotsPerSecond, or share the fleet out between policies`,
});

const volumesOf = (targets: readonly Target[], instances: readonly TaggedInstance[]): number => {
  const volumes = new Map(instances.map((instance) => [instance.instanceId, instance.volumes]));
  return targets.reduce((sum, { instanceId }) => sum + (volumes.get(instanceId) ?? 0), 0);
};

const notesOf = ({ from }: Booking, now: number, volumes: number, setsKept: number): string[] => [
  ...(from > now + 1_000
    ? [`It began ${Math.round((from - now) / 1_000)} s late, after the turns of a firing before it.`]
    : []),
  ...(volumes * setsKept > SNAPSHOTS_PER_REGION
    ? [
        `${volumes} volumes with ${setsKept} sets kept are ${volumes * setsKept} snapshots, and a Region holds ${SNAPSHOTS_PER_REGION} unless its quota was raised ("Snapshots per Region").`,
      ]
    : []),
];
