/** Who is backed up and when, what is said of it afterwards, and how old sets are: decisions of the fleet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agesOf, Sets } from '../../lambdas/check-rpo/check-rpo.ts';
import { type Booking, book } from '../../lambdas/find-targets/bookings.ts';
import { type Account, findTargets } from '../../lambdas/find-targets/find-targets.ts';
import { report } from '../../lambdas/report/report.ts';
import type { FindTargetsInput, Outcome, Target, Unmet } from '../../lambdas/shared/contracts.ts';

const NOW = Date.parse('2026-01-01T03:00:00Z');

/** One object that is only replaced as it was read. */
class FakeLedger {
  bookings: Booking[] | undefined;
  version = 0;
  /** Called between a read and its write: somebody else is faster. */
  interrupt: (() => void) | undefined;

  read = async () => this.bookings && { bookings: structuredClone(this.bookings), etag: String(this.version) };
  write = async (bookings: Booking[], replaces: string | null) => {
    const meanwhile = this.interrupt;
    this.interrupt = undefined;
    meanwhile?.();
    if (replaces !== (this.bookings ? String(this.version) : null)) return false;
    this.bookings = bookings;
    this.version += 1;
    return true;
  };
}

describe('a booking', () => {
  it('begins when the one before is over', async () => {
    const ledger = new FakeLedger();
    await book('a', 60_000, NOW, ledger);
    assert.deepEqual(await book('b', 1_000, NOW + 5_000, ledger), {
      fleet: 'b',
      from: NOW + 60_000,
      until: NOW + 61_000,
    });
  });

  it('is not made twice for a fleet that asks again', async () => {
    const ledger = new FakeLedger();
    const first = await book('a', 60_000, NOW, ledger);
    assert.deepEqual(await book('a', 60_000, NOW + 9_000, ledger), first);
  });

  it('gives way to a firing that was faster', async () => {
    const ledger = new FakeLedger();
    ledger.interrupt = () => {
      ledger.bookings = [{ fleet: 'b', from: NOW, until: NOW + 30_000 }];
      ledger.version += 1;
    };
    assert.equal((await book('a', 1_000, NOW, ledger)).from, NOW + 30_000);
  });

  it('that is over is forgotten', async () => {
    const ledger = new FakeLedger();
    await book('a', 1_000, NOW, ledger);
    await book('b', 1_000, NOW + 5_000, ledger);
    assert.deepEqual(
      ledger.bookings?.map(({ fleet }) => fleet),
      ['b'],
    );
  });
});

describe('Find targets', () => {
  const find = async (
    instances: Awaited<ReturnType<Account['tagged']>>,
    { windowSeconds = 3_600, setsKept = 3, ledger = new FakeLedger() } = {},
  ) => {
    const stored = new Map<string, unknown>();
    const input: FindTargetsInput = {
      input: { policy: 'nightly', time: '2026-01-01T03:00:00Z' },
      fleet: 'nightly-2026-01-01T030000Z',
      policies: { nightly: { leaseSeconds: 30, windowSeconds, setsKept } },
      pacing: { perSecond: 1, burst: 1 },
      bucket: 'receipts',
    };
    const found = await findTargets(
      input,
      {
        tagged: async () => instances,
        managed: async () => new Set(instances.map(({ instanceId }) => instanceId)),
        ledger: () => ledger,
        put: async (_bucket, key, json) => stored.set(key, json),
      },
      NOW,
    );
    return {
      found,
      targets: stored.get(found.targetsKey) as Target[],
      unmet: stored.get(found.unmetKey) as Unmet[],
    };
  };
  const instance = (number: number, tags: Record<string, string> = {}, state = 'running') => ({
    instanceId: `i-0000000${number}`,
    state,
    tags: { 'freezeframe:policy': 'nightly', ...tags },
    volumes: 3,
  });

  it('gives members of a group a deadline that is no later than the turn of the next', async () => {
    const { targets } = await find([1, 2, 3].map((number) => instance(number, { 'freezeframe:group': 'a' })));
    for (const [index, { input }] of targets.entries()) {
      const next = targets[index + 1];
      if (next) assert.ok((input.turn.freezeBefore ?? Number.POSITIVE_INFINITY) <= Date.parse(next.at));
    }
  });

  it('gives everybody another turn after all others, as far from theirs, and nobody else that time', async () => {
    const ledger = new FakeLedger();
    const { targets } = await find(
      [1, 2, 3].map((number) => instance(number)),
      { ledger },
    );
    const [first, last] = [targets[0], targets.at(-1)];
    const round = Date.parse(first?.again?.at ?? '') - Date.parse(first?.at ?? '');
    for (const { at, name, again, input } of targets) {
      assert.equal(Date.parse(again?.at ?? '') - Date.parse(at), round);
      assert.equal(again?.name, `${name}-2`);
      assert.equal(input.turn.startBefore, Date.parse(at) + 15_000);
      assert.equal(again?.input.turn.startBefore, Date.parse(again?.at ?? '') + 15_000);
    }
    assert.ok(round > Date.parse(last?.at ?? '') - Date.parse(first?.at ?? ''));
    assert.ok((ledger.bookings?.[0]?.until ?? 0) >= Date.parse(last?.again?.at ?? ''));
  });

  it('gives no other turn that the window has no room for', async () => {
    const { targets } = await find([instance(1), instance(2)], { windowSeconds: 60 });
    assert.deepEqual(
      targets.map(({ again }) => again),
      [undefined, undefined],
    );
  });

  it('names those whose turn falls outside the window', async () => {
    const { targets, unmet } = await find(
      [1, 2, 3, 4].map((number) => instance(number)),
      { windowSeconds: 2 },
    );
    assert.equal(targets.length, 3);
    assert.deepEqual(
      unmet.map(({ error }) => error),
      ['WindowOverflowError'],
    );
  });

  it('takes a stopped instance, tells of one that is stopping, and forgets a terminated one', async () => {
    const { targets, unmet } = await find([
      instance(1, {}, 'stopped'),
      instance(2, {}, 'stopping'),
      instance(3, {}, 'terminated'),
    ]);
    assert.deepEqual(
      [targets.map(({ instanceId }) => instanceId), unmet.map(({ instanceId }) => instanceId)],
      [['i-00000001'], ['i-00000002']],
    );
  });

  it('says when the sets kept outgrow a Region', async () => {
    assert.match((await find([instance(1)], { setsKept: 40_000 })).found.notes.join(), /120000 snapshots/);
    assert.deepEqual((await find([instance(1)])).found.notes, []);
  });
});

describe('Report', () => {
  const Cause = JSON.stringify({ Error: 'LockTimeoutError', Cause: 'query 7 is in the way' });
  const LOCK = { Error: 'States.TaskFailed', Cause };
  const ended = (outcomes: Outcome[], ids = ['i-1', 'i-2']) =>
    report({
      found: {
        policy: 'nightly',
        time: '2026-01-01T03:00:00Z',
        fleet: 'nightly-1',
        bucket: 'receipts',
        targetsKey: 't',
        unmetKey: 'u',
        count: 2,
        unmet: 0,
        startsAt: NOW,
        lastTurnAt: NOW,
        notes: [],
      },
      targets: ids.map((instanceId) => ({ instanceId, name: instanceId, again: appointment(instanceId) })),
      unmet: [],
      outcomes,
      grade: 'application',
      nextRun: undefined,
    });
  const appointment = (instanceId: string) => ({
    instanceId,
    name: `${instanceId}-2`,
    at: '',
    input: { instanceId, policy: 'nightly', turn: { startBefore: NOW, dryRun: false } },
  });
  const green = { grade: 'application', windowMs: 900 } as const;

  it('takes the run of the other turn for the first, and says that the pace is too fast', () => {
    const { red, message, event } = ended([
      { instanceId: 'i-1', name: 'i-1', green },
      { instanceId: 'i-2', name: 'i-2-2', green },
    ]);
    assert.deepEqual([red, event.grades.application], [false, 2]);
    assert.match(message, /1 of 2 runs missed their turn.*lower by 50 %/);
  });

  it('names who missed both turns', () => {
    const Cause = JSON.stringify({ Error: 'TurnMissedError', Cause: 'too late' });
    const { event, message } = ended([
      { instanceId: 'i-1', name: 'i-1', green },
      { instanceId: 'i-2', name: 'i-2-2', error: { Error: 'States.TaskFailed', Cause } },
    ]);
    assert.deepEqual(event.instances, [{ instanceId: 'i-2', error: 'TurnMissedError', why: 'too late' }]);
    assert.match(message, /1 of 2 runs missed their turn/);
  });

  it('finds one bad instance in ten thousand', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `i-${index}`);
    const [bad = ''] = ids.slice(4_711);
    const { red, subject, event } = ended(
      ids.map((id) => (id === bad ? { instanceId: id, name: id, error: LOCK } : { instanceId: id, name: id, green })),
      ids,
    );
    assert.deepEqual([red, subject], [true, 'Freezeframe nightly: 1 of 10000 missed']);
    assert.deepEqual(event.instances, [{ instanceId: bad, error: 'LockTimeoutError', why: 'query 7 is in the way' }]);
    assert.equal(event.grades.application, 9_999);
  });

  it('of ten thousand bad ones fits into a mail, an event and a state, and has all of them in its sums', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `i-${String(index).padStart(17, '0')}`);
    const Cause = JSON.stringify({ Error: 'LockTimeoutError', Cause: 'x'.repeat(5_000) });
    const told = ended(
      ids.map((id) => ({ instanceId: id, name: id, error: { Error: 'States.TaskFailed', Cause } })),
      ids,
    );
    assert.equal(told.event.missed, 10_000);
    assert.match(told.message, /and 9800 more, in the bucket/);
    for (const part of [told.message, told.event, told]) assert.ok(JSON.stringify(part).length < 256 * 1_024);
  });

  it('says nothing of turns when all were kept', () =>
    assert.doesNotMatch(ended([{ instanceId: 'i-1', name: 'i-1', green }]).message, /missed their turn/));

  it('names a target of whom nothing was heard', () =>
    assert.deepEqual(
      ended([{ instanceId: 'i-1', name: 'i-1', green }]).event.instances.map(({ instanceId, error }) => [
        instanceId,
        error,
      ]),
      [['i-2', 'NoOutcomeError']],
    ));
});

describe('the age of sets', () => {
  const snapshot = (set: string, grade: string, hoursAgo: number, state = 'completed') => ({
    state,
    startTime: new Date(NOW - hoursAgo * 3_600_000).toISOString(),
    tags: {
      'freezeframe:set': set,
      'freezeframe:instance': 'i-1',
      'freezeframe:policy': 'nightly',
      'freezeframe:grade': grade,
    },
  });
  const ages = (...snapshots: ReturnType<typeof snapshot>[]) => {
    const sets = new Sets();
    for (const each of snapshots) sets.add(each);
    const tags = { 'freezeframe:policy': 'nightly' };
    return agesOf(
      { nightly: { grade: 'filesystem', rpoHours: 48 } },
      [{ instanceId: 'i-1', state: 'running', tags }],
      sets,
      NOW,
    )[0];
  };

  it('counts the newest completed set of at least the wanted grade', () => {
    const found = ages(
      snapshot('a', 'application', 10),
      snapshot('b', 'crash', 1),
      snapshot('c', 'application', 2, 'pending'),
    );
    assert.deepEqual([found?.oldestSetHours, found?.stale, found?.never], [10, [], []]);
  });

  it('is too high when the newest of the grade is too old, however many lesser sets there are', () =>
    assert.deepEqual(ages(snapshot('a', 'filesystem', 50), snapshot('b', 'crash', 1))?.stale, [
      { instanceId: 'i-1', ageHours: 50 },
    ]));

  it('of an instance that was never backed up is told as such', () => {
    const found = ages();
    assert.deepEqual([found?.never, found?.stale], [['i-1'], [{ instanceId: 'i-1', ageHours: null }]]);
  });

  it('does not count a set of which one snapshot is not completed', () =>
    assert.deepEqual(ages(snapshot('a', 'application', 2), snapshot('a', 'application', 2, 'pending'))?.never, [
      'i-1',
    ]));
});
