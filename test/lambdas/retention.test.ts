import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { calendarOf, DAY_MS } from '../../lambdas/shared/calendar.ts';
import { GRADES, type GradeName, reaches, UNPROVEN } from '../../lambdas/shared/names.ts';
import {
  archivable,
  type Circumstances,
  decide,
  type KnownSet,
  type RetentionPolicy,
  UNFINISHED_MS,
} from '../../lambdas/shared/retention.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 10, 22, 12);
const NOTHING = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, days: 0, finalDays: 0 };

const policy = (retain: Partial<RetentionPolicy['retain']>, more: Partial<RetentionPolicy> = {}): RetentionPolicy => ({
  grade: 'application',
  timeZone: 'UTC',
  ...more,
  retain: { ...NOTHING, ...retain },
});

let made = 0;
const aSet = (startedAt: number, more: Partial<KnownSet> = {}): KnownSet => {
  made += 1;
  return {
    set: `run-${made}`,
    policy: 'nightly',
    startedAt,
    grade: 'application',
    state: 'whole',
    holds: [],
    deleting: false,
    ...more,
  };
};

const circumstances = (nightly: RetentionPolicy, more: Partial<Circumstances> = {}): Circumstances => ({
  policies: { nightly },
  now: NOW,
  gone: false,
  ...more,
});

const kept = <Known extends KnownSet>(sets: readonly Known[], how: Circumstances): Known[] =>
  decide(sets, how)
    .filter(({ keep }) => keep)
    .map(({ set }) => set);

/** One set a day at 03:00 UTC, the latest today. */
const days = (count: number, more: (day: number) => Partial<KnownSet> = () => ({})): KnownSet[] =>
  Array.from({ length: count }, (_, day) => aSet(Date.UTC(2026, 10, 22, 3) - day * DAY_MS, more(day)));

describe('retention', () => {
  it('never lets the last set of the best grade of an instance go, however old it is', () => {
    const crash = { grade: 'crash' } as const;
    const old = aSet(NOW - 900 * DAY_MS, { policy: 'weekly' });
    const sets = [old, aSet(NOW - DAY_MS, { policy: 'weekly', ...crash }), ...days(9, () => crash)];
    // No policy wants more than crash, so that none holds on to it for its own sake.
    const how = circumstances(policy({ last: 2 }, crash), {
      policies: { nightly: policy({ last: 2 }, crash), weekly: policy({ last: 1 }, crash) },
    });
    assert.ok(kept(sets, how).includes(old));
  });

  it('never lets the last good set before a streak of failures go', () => {
    const sets = days(20, (day) => (day < 12 ? { grade: day % 2 ? 'crash' : UNPROVEN } : {}));
    const good = sets[12] as KnownSet;
    for (const retain of [{ last: 3 }, { daily: 7 }, { days: 5 }]) {
      const decision = decide(sets, circumstances(policy(retain))).find(({ set }) => set === good);
      assert.equal(decision?.keep, true, JSON.stringify(retain));
    }
  });

  it('keeps a set that somebody holds, and says that it is due', () => {
    const sets = days(3);
    const locked = { ...(sets[2] as KnownSet), holds: ['locked until 2026-12-01'] };
    const decisions = decide([...sets.slice(0, 2), locked], circumstances(policy({ last: 1 })));
    assert.deepEqual(
      decisions.map(({ keep, due }) => [keep, due]),
      [
        [true, false],
        [false, true],
        [true, true],
      ],
    );
    assert.deepEqual(decisions[2]?.reasons, ['locked until 2026-12-01']);
  });

  it('of a period keeps the best grade, and of equals the newest', () => {
    const at = (hour: number, grade: KnownSet['grade']) => aSet(Date.UTC(2026, 10, 20, hour), { grade });
    const sets = [at(1, 'application'), at(2, 'application'), at(3, 'crash')];
    assert.deepEqual(kept(sets, circumstances(policy({ daily: 1 }))), [sets[1]]);
  });

  it('counts days that have a set: a server that was off for a month keeps what it has', () => {
    const sets = days(3).map((set) => ({ ...set, startedAt: set.startedAt - 30 * DAY_MS }));
    assert.equal(kept(sets, circumstances(policy({ daily: 7 }))).length, 3);
  });

  it('by age keeps each set that is younger', () => {
    assert.equal(kept(days(20), circumstances(policy({ days: 5 }))).length, 5);
  });

  it('lets no set go that is not completed, from the future, or of a policy that is not in the plan', () => {
    const pending = aSet(NOW - 30 * DAY_MS, { state: 'pending' });
    const future = aSet(NOW + HOUR_MS);
    const foreign = aSet(NOW - 30 * DAY_MS, { policy: 'dropped' });
    const sets = [pending, future, foreign, ...days(3)];
    const left = kept(sets, circumstances(policy({ last: 1 })));
    for (const set of [pending, future, foreign]) assert.ok(left.includes(set));
  });

  it('lets what is broken or was never proven go only when something newer is whole and proven', () => {
    const old = { startedAt: NOW - UNFINISHED_MS - HOUR_MS };
    for (const fault of [{ state: 'broken' }, { grade: UNPROVEN }] as const) {
      const wreck = aSet(0, { ...fault, ...old });
      assert.equal(kept([wreck], circumstances(policy({ last: 5 }))).length, 1, 'nothing else is there');
      assert.deepEqual(
        decide([wreck, aSet(NOW - HOUR_MS)], circumstances(policy({ last: 5 }))).map(({ keep }) => keep),
        [false, true],
      );
      const fresh = { ...wreck, startedAt: NOW - HOUR_MS };
      assert.ok(kept([fresh, aSet(NOW - 1)], circumstances(policy({ last: 5 }))).includes(fresh), 'its run may go on');
    }
  });

  it('finishes a deletion that was begun, but not one that has taken no member yet and is no longer right', () => {
    const begun = { deleting: true, startedAt: NOW - HOUR_MS };
    assert.equal(kept([aSet(0, { ...begun, state: 'broken' })], circumstances(policy({ last: 5 }))).length, 0);
    assert.equal(kept([aSet(0, begun)], circumstances(policy({ last: 5 }))).length, 1);
  });

  it('of a terminated instance keeps the last set for its time, and counts the rest by the calendar', () => {
    const sets = days(100).map((set) => ({ ...set, startedAt: set.startedAt - 20 * DAY_MS }));
    const retain = policy({ last: 3, daily: 7, monthly: 12, finalDays: 90 });
    const alive = kept(sets, circumstances(retain));
    const gone = kept(sets, circumstances(retain, { gone: true }));
    assert.equal(alive.length, 7 + 3);
    // 2026-11-02, and the ends of October, September and August: a month each of the last twelve.
    assert.deepEqual(
      gone.map(({ startedAt }) => new Date(startedAt).toISOString().slice(0, 10)),
      ['2026-11-02', '2026-10-31', '2026-09-30', '2026-08-31', '2026-07-31'],
    );
    const later = (days: number) =>
      kept(sets, circumstances(policy({ last: 3, finalDays: 90 }), { gone: true, now: NOW + days * DAY_MS }));
    assert.deepEqual(later(69), [sets[0]]);
    assert.deepEqual(later(71), []);
  });
});

describe('retention, whatever there is', () => {
  const Retain = fc.record({
    last: fc.nat(4),
    daily: fc.nat(5),
    weekly: fc.nat(4),
    monthly: fc.nat(4),
    yearly: fc.nat(3),
    days: fc.nat(10),
    finalDays: fc.nat(60),
  });
  const Policies = fc.record({
    nightly: fc.record({
      grade: fc.constantFrom(...GRADES),
      timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/Sao_Paulo', 'Pacific/Apia', 'Asia/Kathmandu'),
      retain: Retain,
    }),
    hourly: fc.record({ grade: fc.constantFrom(...GRADES), timeZone: fc.constant('America/New_York'), retain: Retain }),
  });
  const ASet = fc.record({
    policy: fc.constantFrom('nightly', 'hourly', 'dropped'),
    // Some hours apart, some at the very same time, some after now.
    startedAt: fc.integer({ min: -24 * 800, max: 3 }).map((hours) => NOW + hours * HOUR_MS),
    grade: fc.constantFrom(...GRADES, UNPROVEN),
    state: fc.constantFrom('whole', 'whole', 'whole', 'whole', 'pending', 'broken'),
    holds: fc.constantFrom([], [], [], ['held by a tag']),
    deleting: fc.constantFrom(false, false, false, true),
  });
  const Sets = fc
    .array(ASet, { maxLength: 40 })
    .map((list) => list.map((set, index): KnownSet => ({ ...set, set: `run-${index}` })));
  const always = <T extends unknown[]>(
    title: string,
    arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
    holds: (...given: T) => void,
  ) =>
    it(title, () =>
      fc.assert(
        fc.property(fc.tuple(...arbitraries), (given) => holds(...(given as T))),
        { seed: 7, numRuns: 300 },
      ),
    );
  const how = (policies: Circumstances['policies'], more: Partial<Circumstances> = {}): Circumstances => ({
    policies,
    now: NOW,
    gone: false,
    ...more,
  });
  const ids = (sets: readonly KnownSet[]) => new Set(sets.map(({ set }) => set));
  const sound = (sets: readonly KnownSet[]) =>
    sets.filter(({ state, grade, startedAt }) => state === 'whole' && grade !== UNPROVEN && startedAt <= NOW);

  always(
    'the best grade that an instance has is among what it keeps, in its newest set',
    [Sets, Policies],
    (sets, policies) => {
      const best = GRADES.findLast((grade) => sound(sets).some((set) => set.grade === grade));
      const newest = Math.max(
        ...sound(sets)
          .filter(({ grade }) => grade === best)
          .map(({ startedAt }) => startedAt),
      );
      if (best)
        assert.ok(kept(sets, how(policies)).some(({ grade, startedAt }) => grade === best && startedAt === newest));
    },
  );

  always('each policy keeps its newest set that was good enough', [Sets, Policies], (sets, policies) => {
    for (const [name, { grade: wanted }] of Object.entries(policies)) {
      const good = sound(sets).filter(
        ({ policy, grade }) => policy === name && grade !== UNPROVEN && reaches(grade, wanted),
      );
      if (good.length === 0) continue;
      const newest = Math.max(...good.map(({ startedAt }) => startedAt));
      assert.ok(kept(good, how(policies)).some(({ startedAt }) => startedAt === newest));
      assert.ok(kept(sets, how(policies)).some((set) => good.includes(set) && set.startedAt === newest));
    }
  });

  always('what is held, unfinished or unknown stays', [Sets, Policies, fc.boolean()], (sets, policies, gone) => {
    const left = ids(kept(sets, how(policies, { gone })));
    for (const { set, holds, state, policy, startedAt, deleting } of sets) {
      const halfDeleted = deleting && state === 'broken';
      const unknown = policy === 'dropped' || state === 'pending' || startedAt > NOW;
      if (holds.length > 0 || (unknown && !halfDeleted)) assert.ok(left.has(set));
    }
  });

  always('the order of the sets changes nothing', [Sets, Policies, fc.integer()], (sets, policies, seed) => {
    const shuffled = sets
      .map((set, index) => ({ set, at: Math.imul(index + 1, seed | 1) }))
      .sort((a, b) => a.at - b.at)
      .map(({ set }) => set);
    const told = (list: readonly KnownSet[]) =>
      decide(list, how(policies))
        .map(({ set, keep, reasons, due }) => ({ set: set.set, keep, reasons, due }))
        .sort((a, b) => a.set.localeCompare(b.set));
    assert.deepEqual(told(shuffled), told(sets));
  });

  always('every decision has a reason', [Sets, Policies, fc.boolean()], (sets, policies, gone) => {
    const decisions = decide(sets, how(policies, { gone }));
    assert.equal(decisions.length, sets.length);
    for (const { reasons } of decisions) assert.ok(reasons.length > 0 && reasons.every((reason) => reason.length > 5));
  });

  always(
    'to decide again on what was kept lets nothing more go',
    [Sets, Policies, fc.boolean()],
    (sets, policies, gone) => {
      const left = kept(sets, how(policies, { gone }));
      assert.deepEqual(kept(left, how(policies, { gone })), left);
    },
  );

  always(
    'a policy that asks for more keeps all that one which asks for less does',
    [Sets, Policies, Retain],
    (sets, policies, more) => {
      const greater = Object.fromEntries(
        Object.entries(policies).map(([name, { retain, ...rest }]) => [
          name,
          {
            ...rest,
            retain: Object.fromEntries(
              Object.entries(retain).map(([key, count]) => [key, count + more[key as keyof typeof more]]),
            ) as RetentionPolicy['retain'],
          },
        ]),
      );
      for (const gone of [true, false]) {
        const left = ids(kept(sets, how(greater, { gone })));
        for (const set of kept(sets, how(policies, { gone }))) assert.ok(left.has(set.set));
      }
    },
  );

  always(
    'what was let go is let go at every later time, with newer sets and after the instance is terminated',
    [Sets, Policies, fc.nat(24 * 500), fc.array(ASet, { maxLength: 10 }), fc.boolean()],
    (sets, policies, hours, more, gone) => {
      const now = NOW + hours * HOUR_MS;
      const newer = more.map((set, index) => ({
        ...set,
        set: `later-${index}`,
        startedAt: NOW + 4 * HOUR_MS + ((NOW - set.startedAt) % ((hours + 1) * HOUR_MS)),
      }));
      const later = ids(kept([...sets, ...newer], how(policies, { now, gone })));
      for (const { set, keep } of decide(sets, how(policies))) if (!keep) assert.ok(!later.has(set.set), set.set);
    },
  );

  always(
    'what goes into the archive is old, kept by a rule, held by nobody, and never what is restored from first',
    [Sets, Policies, fc.nat(60), fc.boolean()],
    (sets, policies, archiveAfterDays, gone) => {
      const cold = Object.fromEntries(
        Object.entries(policies).map(([name, rest]) => [name, { ...rest, archiveAfterDays }]),
      );
      const decisions = decide(sets, how(cold, { gone }));
      const sound = sets.filter(
        ({ state, grade, startedAt }) => state === 'whole' && grade !== UNPROVEN && startedAt <= NOW,
      );
      for (const set of archivable(decisions, { policies: cold, now: NOW })) {
        const decision = decisions.find((each) => each.set === set);
        assert.ok(decision?.keep && !decision.due && set.holds.length === 0 && sound.includes(set));
        assert.ok(NOW - set.startedAt >= archiveAfterDays * DAY_MS);
        const newer = sound.filter(({ startedAt }) => startedAt >= set.startedAt && startedAt <= NOW);
        assert.ok(
          newer.some((each) => each !== set && each.policy === set.policy),
          'a newer one of its policy stays',
        );
        const better = sound.filter(({ grade }) => grade !== UNPROVEN && reaches(grade, set.grade as GradeName));
        assert.ok(better.length > 1, 'another one of its grade or better stays');
      }
      assert.deepEqual(archivable(decide(sets, how(policies)), { policies, now: NOW }), [], 'without a wish, nothing');
    },
  );

  always(
    'a terminated instance is left with nothing but what is held or unknown, in the end',
    [Sets, Policies],
    (sets, policies) => {
      const now = NOW + 20 * 366 * DAY_MS;
      for (const { set, keep, due, reasons } of decide(sets, how(policies, { now, gone: true }))) {
        if (keep && !due)
          assert.ok(set.policy === 'dropped' || set.state !== 'whole' || set.grade === UNPROVEN, String(reasons));
      }
    },
  );
});

describe('ten years', () => {
  const START = Date.UTC(2020, 0, 1);
  const YEARS = 10;
  const TIME_ZONE = 'Europe/Berlin';
  const calendar = calendarOf(TIME_ZONE);
  const END = Date.UTC(2020 + YEARS, 0, 1);
  const seeded = (seed: number) => () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };

  /** Takes sets and prunes after every few of them; `judge` sees what is left. */
  const simulate = (
    times: Iterable<number>,
    retain: Partial<RetentionPolicy['retain']>,
    judge: (left: readonly KnownSet[], taken: readonly number[]) => void,
    pruneEvery = 1,
  ) => {
    const nightly = policy(retain, { timeZone: TIME_ZONE });
    let left: KnownSet[] = [];
    const taken: number[] = [];
    for (const at of times) {
      taken.push(at);
      left = [...left, aSet(at)];
      if (taken.length % pruneEvery !== 0) continue;
      left = kept(left, circumstances(nightly, { now: at + 600_000 }));
      judge(left, taken);
    }
  };

  /** The local wall clock's 03:00 of every day; where it is skipped, the hour after. */
  function* nights(missing = 0): Generator<number> {
    const chance = seeded(1);
    const hour = new Intl.DateTimeFormat('en', { timeZone: TIME_ZONE, hour: 'numeric', hourCycle: 'h23' });
    for (let day = START; day < END; day += DAY_MS) {
      const at = [1, 2].map((utc) => day + utc * HOUR_MS).find((time) => hour.format(time) === '03');
      // Scheduler and EC2 are seconds to minutes late, and their clocks differ.
      if (chance() >= missing) yield (at as number) + Math.round((chance() - 0.2) * 300_000);
    }
  }

  /** What the arithmetic of the policy comes to: newest of each of the newest periods, from all sets ever taken. */
  const expected = (taken: readonly number[], retain: Record<string, number>): Set<number> => {
    const wanted = new Set(taken.slice(-(retain.last ?? 0)));
    for (const kind of ['daily', 'weekly', 'monthly', 'yearly'] as const) {
      const newest = new Map<number, number>();
      for (const at of taken) newest.set(calendar.period(kind, at), at);
      for (const at of [...newest.values()].slice(-(retain[kind] ?? 0) || newest.size)) wanted.add(at);
    }
    return wanted;
  };
  const same = (left: readonly KnownSet[], wanted: Set<number>) =>
    assert.deepEqual(left.map(({ startedAt }) => startedAt).sort(), [...wanted].sort());

  it('of a nightly policy leave exactly what its arithmetic says, at every month’s end', () => {
    const retain = { last: 3, daily: 7, weekly: 4, monthly: 12, yearly: 5 };
    let runs = 0;
    simulate(nights(), retain, (left, taken) => {
      runs += 1;
      if (runs % 30 === 0) same(left, expected(taken, retain));
      assert.ok(left.length <= 7 + 4 + 12 + 5);
    });
    assert.equal(runs, 3_653);
  });

  it('with a third of the nights missing leave as many days, weeks and months', () => {
    const retain = { last: 1, daily: 7, weekly: 4, monthly: 12, yearly: 3 };
    let runs = 0;
    simulate(nights(0.33), retain, (left, taken) => {
      runs += 1;
      if (runs % 50 === 0) same(left, expected(taken, retain));
    });
    assert.ok(runs > 2_300 && runs < 2_600);
  });

  it('of an hourly policy leave a day of hours and the same arithmetic, over every change of the clocks', () => {
    const retain = { last: 24, daily: 7, weekly: 4, monthly: 12, yearly: 5 };
    let runs = 0;
    const hours = function* () {
      for (let at = START; at < END; at += HOUR_MS) yield at;
    };
    const judge = (left: readonly KnownSet[], taken: readonly number[]) => {
      runs = taken.length;
      if (runs % 14_400 === 0) same(left, expected(taken, retain));
      assert.ok(left.length <= 24 + 7 + 4 + 12 + 5);
    };
    simulate(hours(), retain, judge, 24);
    assert.equal(runs, (END - START) / HOUR_MS);
  });

  it('keep the 29th of February as the end of its month', () => {
    simulate(nights(), { monthly: 2 }, (left, taken) => {
      if (calendar.label('daily', taken.at(-1) as number) !== '2024-03-15') return;
      assert.deepEqual(
        left.map(({ startedAt }) => calendar.label('daily', startedAt)),
        ['2024-02-29', '2024-03-15'],
      );
    });
  });
});

describe('a calendar', () => {
  const berlin = calendarOf('Europe/Berlin');

  it('counts the days of its zone, also those of 23 and 25 hours', () => {
    const days = (from: string, to: string) => {
      const counted = new Map<number, number>();
      for (let at = Date.parse(from); at < Date.parse(to); at += HOUR_MS) {
        const day = berlin.period('daily', at);
        counted.set(day, (counted.get(day) ?? 0) + 1);
      }
      return [...counted.values()];
    };
    assert.deepEqual(days('2026-03-28T00:00+01:00', '2026-03-31T00:00+02:00'), [24, 23, 24]);
    assert.deepEqual(days('2026-10-24T00:00+02:00', '2026-10-27T00:00+01:00'), [24, 25, 24]);
  });

  it('begins weeks on Monday, and numbers periods one after another over the end of a year', () => {
    const at = (text: string) => Date.parse(`${text}T12:00Z`);
    assert.equal(berlin.label('weekly', at('2027-01-03')), 'week of 2026-12-28');
    assert.equal(berlin.period('weekly', at('2027-01-04')) - berlin.period('weekly', at('2027-01-03')), 1);
    assert.equal(berlin.period('weekly', at('2026-12-28')), berlin.period('weekly', at('2027-01-03')));
    assert.equal(berlin.period('monthly', at('2027-01-01')) - berlin.period('monthly', at('2026-12-31')), 1);
    assert.equal(berlin.label('yearly', Date.parse('2026-12-31T23:30Z')), '2027');
  });
});
