/** Who is backed up and when, what is said of it afterwards, and how old sets are: decisions of the fleet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agesOf, Sets } from '../../lambdas/check-rpo/check-rpo.ts';
import { type Booking, book } from '../../lambdas/find-targets/bookings.ts';
import { type Account, findTargets } from '../../lambdas/find-targets/find-targets.ts';
import type { FindTargetsInput, Target, Unmet } from '../../lambdas/shared/contracts.ts';

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
    { windowSeconds = 3_600, setsKept = 3 } = {},
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
        ledger: () => new FakeLedger(),
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
