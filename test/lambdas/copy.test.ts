/** Copies as both functions make them, tick after tick, against places that keep EC2's limits and fail at will. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { tagsOfCopy } from '../../lambdas/copy-snapshots/copy-request.ts';
import { copySnapshots } from '../../lambdas/copy-snapshots/copy-snapshots.ts';
import { lookAtBoth } from '../../lambdas/plan-copies/look-at-both.ts';
import { COPIES_IN_FLIGHT, FAILED_REST_MS } from '../../lambdas/plan-copies/plan-copies.ts';
import type { CopyState } from '../../lambdas/shared/copy-contracts.ts';
import type { FoundSnapshot } from '../../lambdas/shared/ec2.ts';
import { IN_COPY, SET_TAGS, UNPROVEN, USER_TAGS } from '../../lambdas/shared/names.ts';
import { setsOf } from '../../lambdas/shared/sets.ts';
import { INSTANCE } from './builders.ts';
import { awsError, FakeClock } from './fakes.ts';

const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
const HOME = { region: 'eu-central-1', account: '111122223333' };
const THERE = { region: 'eu-west-1', account: HOME.account };
const retain = { last: 3, daily: 0, weekly: 0, monthly: 0, yearly: 0, days: 0, finalDays: 30 };
const policies = { nightly: { grade: 'application', timeZone: 'UTC', retain } } as const;

/** As EC2 says it now: what changes later does not change what was read. */
const copied = (found: readonly FoundSnapshot[]): FoundSnapshot[] =>
  found.map((each) => ({ ...each, tags: { ...each.tags } }));

type Fault = 'throttled' | 'refused' | 'lost' | 'fails';

/** Home and one destination. */
class Places {
  readonly clock = new FakeClock();
  home: FoundSnapshot[] = [];
  there: FoundSnapshot[] = [];
  wishes: CopyState['wishes'] = { nightly: { rpoHours: 48 } };
  /** What becomes of the next calls that change something. */
  faults: (Fault | undefined)[] = [];
  readonly locks = new Set<string>();
  readonly shares = new Set<string>();
  mostInFlight = 0;
  /** Copies that were asked for though twenty were in flight. */
  tooMany = 0;
  copyMs = 7 * MINUTE_MS;
  #ids = 0;

  addSet(run: string, { hours = 1, members = 2, instance = INSTANCE, tags = {} }: SetOptions = {}): void {
    for (let index = 0; index < members; index += 1) {
      this.home.push({
        snapshotId: `snap-${run}-${index}`,
        volumeId: `vol-${index}`,
        startTime: new Date(this.clock.now() - hours * HOUR_MS).toISOString(),
        ...{ state: 'completed', percent: 100, sizeGiB: 1, stateMessage: '', tier: 'standard' },
        tags: {
          [SET_TAGS.set]: run,
          [SET_TAGS.run]: run,
          [SET_TAGS.instance]: instance,
          [SET_TAGS.policy]: 'nightly',
          [SET_TAGS.grade]: 'application',
          [SET_TAGS.members]: String(members),
          [SET_TAGS.devices]: '/dev/xvda=vol-0 /dev/sdf=vol-1',
          ...tags,
        },
      });
    }
  }

  /** One execution: look, act, and five minutes until the next. */
  async tick(destination: { region: string; account: string } = THERE): Promise<CopyState> {
    this.#settle();
    const state = await this.look(destination);
    const done = state.next === 'copy' ? await this.act(state) : state;
    this.clock.time += 5 * MINUTE_MS;
    return done;
  }

  async ticks(minutes: number): Promise<CopyState> {
    let state = await this.tick();
    for (let passed = 5; passed < minutes; passed += 5) state = await this.tick();
    return state;
  }

  async look(destination = THERE, dryRun = false): Promise<CopyState> {
    const there = this.there;
    const home = this.home;
    return await lookAtBoth(
      {
        input: { ...destination, dryRun },
        ...{ home: HOME, policies },
        destinations: [
          { region: THERE.region, wishes: this.wishes },
          { region: 'eu-north-1', account: '210987654321', roleArn: 'arn', wishes: this.wishes },
        ],
      },
      {
        originals: async function* () {
          yield copied(home);
        },
        copiesIn: async function* () {
          yield copied(there);
        },
        living: async (ids) => new Set(ids),
      },
      this.clock.now(),
      () => {},
    );
  }

  async act(state: CopyState): Promise<CopyState> {
    const tag = (side: 'home' | 'there') => (ids: readonly string[], tags: Record<string, string>) =>
      this.#change(() => {
        for (const each of this[side]) if (ids.includes(each.snapshotId)) Object.assign(each.tags, tags);
      });
    return await copySnapshots(
      state,
      {
        byId: async (ids) => this.home.filter(({ snapshotId }) => ids.includes(snapshotId)),
        tag: tag('home'),
        share: (id, account, { shared }) =>
          this.#change(() => {
            if (shared) this.shares.add(`${id} ${account}`);
            else this.shares.delete(`${id} ${account}`);
          }),
      },
      {
        byId: async (ids) => this.there.filter(({ snapshotId }) => ids.includes(snapshotId)),
        copy: (request) => this.#change((fault) => this.#begin(request, fault)),
        tag: tag('there'),
        lock: (id) => this.#change(() => void this.locks.add(id)),
        locked: async (ids) => ids.filter((id) => this.locks.has(id)).map((snapshotId) => ({ snapshotId })),
        delete: (id) =>
          this.#change(() => {
            const found = this.there.find(({ snapshotId }) => snapshotId === id);
            // As the role's policy has it.
            if (found && found.tags[SET_TAGS.grade] !== UNPROVEN) throw awsError('UnauthorizedOperation', 403);
            this.there = this.there.filter(({ snapshotId }) => snapshotId !== id);
          }),
      },
      this.clock,
    );
  }

  #begin({ SourceSnapshotId, TagSpecifications }: CopyRequest, fault: Fault | undefined): string {
    const source = this.home.find(({ snapshotId }) => snapshotId === SourceSnapshotId);
    if (!source) throw awsError('InvalidSnapshot.NotFound');
    const inFlight = this.there.filter(({ state }) => state === 'pending').length;
    if (inFlight >= COPIES_IN_FLIGHT) {
      this.tooMany += 1;
      throw awsError('ResourceLimitExceeded');
    }
    this.mostInFlight = Math.max(this.mostInFlight, inFlight + 1);
    this.#ids += 1;
    this.there.push({
      ...{ ...source, snapshotId: `copy-${this.#ids}`, volumeId: 'vol-ffffffff', state: 'pending', percent: 0 },
      startTime: new Date(this.clock.now()).toISOString(),
      stateMessage: fault === 'fails' ? 'Given key ID is not accessible' : '',
      tags: Object.fromEntries((TagSpecifications?.[0]?.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
    });
    return `copy-${this.#ids}`;
  }

  async #change<T>(act: (fault: Fault | undefined) => T): Promise<T> {
    const fault = this.faults.shift();
    if (fault === 'throttled') throw awsError('RequestLimitExceeded', 503);
    if (fault === 'refused') throw awsError('UnauthorizedOperation', 403);
    const done = act(fault);
    if (fault === 'lost') throw awsError('TimeoutError', null);
    return done;
  }

  /** What EC2 has done by now. */
  #settle(): void {
    for (const copy of this.there) {
      if (copy.state !== 'pending' || this.clock.now() - Date.parse(copy.startTime) < this.copyMs) continue;
      copy.state = copy.stateMessage ? 'error' : 'completed';
      copy.percent = copy.stateMessage ? copy.percent : 100;
    }
  }

  /** Sets at the destination that say a grade, and how many members they have. */
  graded(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const { tags } of this.there) {
      const set = tags[SET_TAGS.set] ?? '';
      if (tags[SET_TAGS.grade] !== UNPROVEN) found[set] = (found[set] ?? 0) + 1;
    }
    return found;
  }

  /** Whatever is there and is no part of a whole set with its grade. */
  halves(): string[] {
    return setsOf(this.there, this.clock.now())
      .sets.filter(({ state, grade }) => state !== 'whole' || grade === UNPROVEN)
      .map(({ set, state }) => `${set} ${state}`);
  }
}

interface SetOptions {
  hours?: number;
  members?: number;
  instance?: string;
  tags?: Record<string, string>;
}

type CopyRequest = Parameters<Parameters<typeof copySnapshots>[2]['copy']>[0];

const other = (index: number) => `i-${String(index).padStart(17, '0')}`;

describe('Copy', () => {
  it('brings a set there whole, and it says no grade until it is', async () => {
    const places = new Places();
    places.addSet('run-1', { members: 3 });
    const first = await places.tick();
    assert.deepEqual([first.report.waiting, first.report.begun], [1, ['run-1: 3 of 3']]);
    const second = await places.tick();
    assert.deepEqual([second.report.underWay, second.report.inFlight, places.graded()], [1, 3, {}]);
    const third = await places.tick();
    assert.deepEqual([third.report.finished, places.graded()], [['run-1'], { 'run-1': 3 }]);
    const fourth = await places.tick();
    assert.deepEqual([fourth.report.there, fourth.next, fourth.report.begun], [1, 'end', []]);
  });

  it('as a dry run says what it would do, and does nothing', async () => {
    const places = new Places();
    places.addSet('run-1');
    const { orders, next } = await places.look(THERE, true);
    assert.deepEqual([orders.copy.length, next, places.there.length], [1, 'end', 0]);
  });

  it('holds the set and its copies while it is under way, renews that, and lets go in the end', async () => {
    const places = new Places();
    places.copyMs = 90 * HOUR_MS;
    places.addSet('run-1');
    await places.tick();
    const held = () =>
      [...places.home, ...places.there].map(({ tags }) => Date.parse(tags[IN_COPY] ?? '') - places.clock.now());
    assert.equal(held().length, 4);
    for (let hours = 0; hours < 80; hours += 1) {
      await places.ticks(60);
      assert.ok(
        held().every((left) => left > 12 * HOUR_MS),
        `${hours} h`,
      );
    }
    await places.ticks(12 * 60);
    assert.deepEqual(places.graded(), { 'run-1': 2 });
    assert.ok(held().every((left) => left <= 0));
  });

  it('keeps to twenty in flight, begins sets whole, and lets none overtake a large one', async () => {
    const places = new Places();
    places.addSet('large', { members: 30, hours: 3, instance: other(0) });
    for (let server = 1; server <= 8; server += 1) {
      places.addSet(`small-${server}`, { members: 6, hours: 2, instance: other(server) });
    }
    await places.tick();
    assert.deepEqual([...new Set(places.there.map(({ tags }) => tags[SET_TAGS.set]))], ['large']);
    const done = await places.ticks(180);
    assert.deepEqual([places.mostInFlight, places.tooMany], [COPIES_IN_FLIGHT, 0]);
    assert.deepEqual(
      [done.report.there, Object.values(places.graded()).reduce((sum, members) => sum + members)],
      [9, 78],
    );
  });

  it('lets a large set wait until there is room for all of it, and a small one behind it wait as well', async () => {
    const places = new Places();
    const begun = () => [...new Set(places.there.map(({ tags }) => tags[SET_TAGS.set]))];
    places.addSet('first', { members: 6, instance: other(0) });
    await places.tick();
    places.addSet('large', { members: 20, hours: 3, instance: other(1) });
    places.addSet('small', { members: 6, hours: 2, instance: other(2) });
    await places.tick();
    assert.deepEqual(begun(), ['first']);
    await places.tick();
    assert.deepEqual(begun(), ['first', 'large']);
    await places.ticks(15);
    assert.deepEqual(begun(), ['first', 'large', 'small']);
  });

  it('gives the instance that has gone without for longest its turn first, with its newest set', async () => {
    const places = new Places();
    places.addSet('a-old', { hours: 30, instance: other(1), members: 10 });
    await places.ticks(30);
    places.addSet('a-new', { hours: 1, instance: other(1), members: 10 });
    for (const hours of [2, 20]) places.addSet(`b-${hours}`, { hours, instance: other(2), members: 10 });
    await places.tick();
    assert.deepEqual(
      [...new Set(places.there.slice(10).map(({ tags }) => tags[SET_TAGS.set]))],
      ['b-2', 'a-new'],
      'the other instance has nothing there yet',
    );
  });

  it('copies nothing that the destination would not keep, so that it and the prune do not work against each other', async () => {
    const places = new Places();
    for (let night = 0; night < 6; night += 1) places.addSet(`night-${night}`, { hours: 24 * night + 1 });
    await places.ticks(120);
    assert.deepEqual(Object.keys(places.graded()).sort(), ['night-0', 'night-1', 'night-2']);
  });

  it('copies no set that is unproven, unfinished, going, of another policy, or in the archive; and copies of copies never', async () => {
    const places = new Places();
    places.addSet('unproven', { tags: { [SET_TAGS.grade]: UNPROVEN } });
    places.addSet('other', { instance: other(1), tags: { [SET_TAGS.policy]: 'weekly' } });
    places.addSet('going', { instance: other(2), tags: { [SET_TAGS.deleting]: 'since' } });
    places.addSet('copy', {
      instance: other(3),
      tags: { [SET_TAGS.origin]: '1/us-east-1', [SET_TAGS.source]: 'snap-1' },
    });
    places.addSet('pending', { instance: other(4) });
    places.addSet('cold', { instance: other(5) });
    for (const each of places.home) {
      if (each.tags[SET_TAGS.set] === 'pending') each.state = 'pending';
      if (each.tags[SET_TAGS.set] === 'cold') each.tier = 'archive';
    }
    const { report } = await places.ticks(20);
    assert.deepEqual([places.there, report.cannot.length], [[], 1]);
  });

  it('leaves a copy that failed for six hours, says why, and then tries again', async () => {
    const places = new Places();
    places.addSet('run-1');
    places.faults = [undefined, 'fails'];
    const { report } = await places.ticks(30);
    assert.match(report.failing[0] ?? '', /^run-1: copy-1 Given key ID is not accessible$/);
    const tried = places.there.length;
    await places.ticks((FAILED_REST_MS - HOUR_MS) / MINUTE_MS);
    assert.equal(places.there.length, tried, 'no new try');
    await places.ticks(120);
    assert.deepEqual([places.graded(), places.halves()], [{ 'run-1': 2 }, []]);
  });

  it('begins no further sets where three are failing: it is the destination, then', async () => {
    const places = new Places();
    for (let server = 0; server < 30; server += 1)
      places.addSet(`run-${server}`, { members: 5, instance: other(server) });
    places.faults = Array.from({ length: 500 }, () => 'fails' as const);
    await places.ticks(60);
    assert.ok(places.there.length <= COPIES_IN_FLIGHT, `${places.there.length} copies`);
    places.faults = [];
    await places.ticks(16 * 60);
    assert.equal(Object.keys(places.graded()).length, 30);
  });

  it('removes what it has of a set that home no longer has, but nothing that only just began', async () => {
    const places = new Places();
    places.copyMs = 10 * HOUR_MS;
    places.addSet('run-1', { members: 25 });
    await places.tick();
    places.home = [];
    await places.ticks(30);
    assert.equal(places.there.length, 20);
    await places.ticks(60);
    assert.deepEqual(places.there, []);
  });

  it('keeps whole what is whole, whatever becomes of its source', async () => {
    const places = new Places();
    places.addSet('run-1');
    await places.tick();
    places.home = [];
    await places.ticks(120);
    assert.deepEqual(places.graded(), { 'run-1': 2 });
  });

  it('locks every copy before the set says its grade', async () => {
    const places = new Places();
    places.wishes = { nightly: { rpoHours: 48, lock: { mode: 'governance', days: 7 } } };
    places.addSet('run-1');
    await places.ticks(10);
    // The second lock is refused.
    places.faults = [undefined, 'refused'];
    const { report } = await places.tick();
    assert.match(report.troubles[0] ?? '', /run-1: UnauthorizedOperation/);
    assert.deepEqual([places.graded(), places.locks.size], [{}, 1]);
    await places.tick();
    assert.deepEqual([places.graded(), places.locks.size], [{ 'run-1': 2 }, 2]);
  });

  it('that meets another one may copy a member twice; the second copies go', async () => {
    const places = new Places();
    places.addSet('run-1');
    const both = [await places.look(), await places.look()];
    for (const state of both) await places.act(state);
    assert.equal(places.there.length, 4);
    const { report } = await places.ticks(10);
    assert.equal(report.inFlight, 2);
    await places.ticks(10);
    assert.deepEqual([places.graded(), places.there.length], [{ 'run-1': 2 }, 2]);
  });

  it('shares a set with another account for as long as the copy takes', async () => {
    const places = new Places();
    const elsewhere = { region: 'eu-north-1', account: '210987654321' };
    places.addSet('run-1');
    await places.tick(elsewhere);
    assert.deepEqual([...places.shares], ['snap-run-1-0 210987654321', 'snap-run-1-1 210987654321']);
    await places.tick(elsewhere);
    await places.tick(elsewhere);
    assert.deepEqual([places.graded(), places.shares.size], [{ 'run-1': 2 }, 0]);
  });

  it('keeps its orders below what an execution can carry, however many sets are done at once', async () => {
    const places = new Places();
    for (let server = 0; server < 60; server += 1) {
      places.addSet(`run-${server}`, { members: 120, instance: other(server) });
    }
    // Somebody has raised the limit, and all are there.
    places.there = places.home.map((source) => ({
      ...source,
      snapshotId: `copy-0123456789abcdef-${source.snapshotId}`,
      tags: { ...tagsOfCopy(source, { home: HOME, wish: { rpoHours: 1 }, members: 120, until: '' }) },
    }));
    const state = await places.look();
    assert.ok(JSON.stringify(state).length < 150_000, `${JSON.stringify(state).length}`);
    for (let tick = 0; tick < 60 && Object.keys(places.graded()).length < 60; tick += 1) await places.tick();
    assert.equal(Object.keys(places.graded()).length, 60);
  });

  it('says by name what the plan does not copy to', async () => {
    await assert.rejects(new Places().look({ region: 'us-east-1', account: HOME.account }), {
      name: 'NoSuchDestinationError',
      message: 'the plan copies nothing to us-east-1; copyTo names eu-west-1, eu-north-1 of account 210987654321',
    });
  });

  it('tells which sets are late by their policy', async () => {
    const places = new Places();
    places.addSet('run-1', { hours: 50 });
    const { report } = await places.look();
    assert.deepEqual([report.late, report.oldestLackingHours], [['run-1: taken 50 h ago'], 50]);
  });

  it('ends up with whole sets and nothing else, whatever calls are throttled, refused, lost or fail later', async () => {
    const fault = fc.constantFrom<(Fault | undefined)[]>(
      undefined,
      undefined,
      undefined,
      'throttled',
      'refused',
      'lost',
      'fails',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 26 }), { minLength: 1, maxLength: 6 }),
        fc.nat(40),
        async (faults, sizes, cutAt) => {
          const places = new Places();
          for (const [index, members] of sizes.entries()) {
            places.addSet(`run-${index}`, { members, hours: index + 1, instance: other(index % 3) });
          }
          places.faults = [...faults];
          for (let tick = 0; tick < 60; tick += 1) {
            await places.tick();
            // At no time is a set graded that is not whole.
            for (const [set, members] of Object.entries(places.graded())) {
              assert.equal(members, sizes[Number(set.slice(4))], set);
            }
            // Somebody deletes a set at home.
            if (tick === cutAt) places.home = places.home.filter(({ tags }) => tags[SET_TAGS.set] !== 'run-0');
          }
          places.faults = [];
          await places.ticks(20 * 60);
          assert.deepEqual(places.halves(), []);
          assert.ok(places.mostInFlight <= COPIES_IN_FLIGHT);
          const graded = places.graded();
          for (const set of sizes.keys()) {
            if (set > 0) assert.equal(graded[`run-${set}`], sizes[set], `run-${set}`);
          }
          assert.equal(new Set(places.there.map(({ tags }) => tags[SET_TAGS.source])).size, places.there.length);
        },
      ),
      { numRuns: 25, seed: 7 },
    );
  });
});

describe('the tags of a copy', () => {
  const source = (tags: Record<string, string>): FoundSnapshot => ({
    ...{ snapshotId: 'snap-1', volumeId: 'vol-1', startTime: '2026-11-01T00:00:00.000Z', state: 'completed' },
    ...{ percent: 100, sizeGiB: 1, stateMessage: '', tier: 'standard', tags },
  });
  const terms = { home: HOME, wish: { rpoHours: 1 }, members: 2, until: 'later' };

  it('carry what the set says, and what a copy no longer knows by itself', () => {
    const tags = tagsOfCopy(
      source({
        [SET_TAGS.run]: 'run-1',
        [SET_TAGS.grade]: 'application',
        [SET_TAGS.devices]: '/dev/xvda=vol-0',
        [`${SET_TAGS.devices}-2`]: '/dev/sdf=vol-1',
        [SET_TAGS.deleting]: 'x',
        [SET_TAGS.verified]: '2026-11-02T00:00:00Z',
        [USER_TAGS.hold]: 'audit',
        'aws:backup': 'x',
        team: 'data',
      }),
      terms,
    );
    assert.deepEqual(tags, {
      [SET_TAGS.run]: 'run-1',
      [SET_TAGS.devices]: '/dev/xvda=vol-0',
      [`${SET_TAGS.devices}-2`]: '/dev/sdf=vol-1',
      [SET_TAGS.volume]: 'vol-1',
      [SET_TAGS.device]: '/dev/sdf',
      [SET_TAGS.members]: '2',
      [SET_TAGS.started]: '2026-11-01T00:00:00.000Z',
      [SET_TAGS.origin]: '111122223333/eu-central-1',
      [SET_TAGS.source]: 'snap-1',
      [SET_TAGS.sourceGrade]: 'application',
      [SET_TAGS.grade]: UNPROVEN,
      [IN_COPY]: 'later',
      team: 'data',
    });
  });

  it('are never more than a resource can bear: of the user’s own as many as there is room for', () => {
    const own = Object.fromEntries(Array.from({ length: 49 }, (_, index) => [`tag-${index}`, 'x']));
    const tags = tagsOfCopy(source({ ...own, [SET_TAGS.run]: 'run-1' }), terms);
    assert.equal(Object.keys(tags).length, 50);
    assert.equal(tags[SET_TAGS.run], 'run-1');
  });
});
