import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decidePart } from '../../lambdas/decide/decide.ts';
import { deleteSets, type Region } from '../../lambdas/delete/delete.ts';
import { listSets, shardsOf } from '../../lambdas/list-sets/list-sets.ts';
import type { PruneState } from '../../lambdas/shared/contracts.ts';
import type { FoundSnapshot } from '../../lambdas/shared/ec2.ts';
import { SET_TAGS } from '../../lambdas/shared/names.ts';
import { emptyReport, note } from '../../lambdas/shared/prune-report.ts';
import { setsOf } from '../../lambdas/shared/sets.ts';
import { INSTANCE, NOW } from './builders.ts';
import { awsError, FakeClock } from './fakes.ts';

const DAY_MS = 86_400_000;
const HOME = { region: 'eu-central-1', account: '111122223333' };
const retain = { last: 2, daily: 0, weekly: 0, monthly: 0, yearly: 0, days: 0, finalDays: 0 };
const policies = { nightly: { grade: 'application', timeZone: 'UTC', retain } } as const;

const member = (run: string, index: number, days: number, tags: Record<string, string> = {}): FoundSnapshot => ({
  snapshotId: `snap-${run}-${index}`,
  volumeId: `vol-${index}`,
  startTime: new Date(NOW - days * DAY_MS).toISOString(),
  state: 'completed',
  percent: 100,
  sizeGiB: 1,
  stateMessage: '',
  tier: 'standard',
  tags: {
    [SET_TAGS.set]: run,
    [SET_TAGS.run]: run,
    [SET_TAGS.instance]: INSTANCE,
    [SET_TAGS.policy]: 'nightly',
    [SET_TAGS.grade]: 'application',
    [SET_TAGS.members]: '2',
    ...tags,
  },
});
const aSet = (run: string, days: number, tags: Record<string, string> = {}) =>
  [0, 1].map((index) => member(run, index, days, tags));

/** One Region with the sets of one instance. */
class FakeRegion implements Region {
  snapshots: FoundSnapshot[] = Array.from({ length: 5 }, (_, day) => aSet(`run-${day}`, day)).flat();
  fails: (snapshotId: string) => Error | undefined = () => undefined;
  living = async (ids: readonly string[]) => new Set(ids);
  locked = async () => [];
  snapshotsOf = async () => this.snapshots;
  imagesOf = async (): Promise<string[]> => [];
  tag = async (ids: readonly string[], tags: Record<string, string>) => {
    for (const snapshot of this.snapshots) if (ids.includes(snapshot.snapshotId)) Object.assign(snapshot.tags, tags);
  };
  delete = async (snapshotId: string) => {
    const error = this.fails(snapshotId);
    if (error) throw error;
    this.snapshots = this.snapshots.filter((snapshot) => snapshot.snapshotId !== snapshotId);
  };
  sets = () => setsOf(this.snapshots, NOW).sets.map(({ set, state }) => `${set} ${state}`);
}

const state = (changes: Partial<PruneState> = {}): PruneState => ({
  dryRun: false,
  policies,
  home: HOME,
  todo: [],
  decisions: [],
  batch: ['run-2', 'run-3', 'run-4'].map((set) => ({ instance: INSTANCE, set })),
  place: HOME,
  stalls: 0,
  archive: [],
  report: emptyReport(),
  next: 'delete',
  ...changes,
});

describe('List sets', () => {
  it('shares instances out by the ends of their ids, into parts that fit, and leaves none out', () => {
    const counts = new Map<string, number>();
    for (let ending = 0; ending < 0x1000; ending += 1) counts.set(ending.toString(16).padStart(3, '0'), 30);
    const shards = shardsOf(counts, 4_000);
    for (const [ending] of counts) assert.equal(shards.filter((suffix) => ending.endsWith(suffix)).length, 1, ending);
    assert.equal(shards.length, 256);
    assert.deepEqual(
      shardsOf(
        new Map([
          ['abc', 10],
          ['def', 10],
        ]),
        4_000,
      ),
      [''],
    );
    assert.deepEqual(
      shardsOf(
        new Map([
          ['abc', 9_000],
          ['def', 10],
        ]),
        4_000,
      ),
      ['abc', 'f'],
    );
    assert.deepEqual(shardsOf(new Map(), 4_000), []);
  });

  it('goes on with the other Regions when one can’t be listed, and says so', async () => {
    const listed = await listSets(
      { input: { dryRun: false }, policies, home: HOME, destinations: [{ region: 'eu-west-1' }, HOME] },
      async function* ({ region }) {
        if (region === 'eu-west-1') throw awsError('UnauthorizedOperation', 403);
        yield aSet('run-1', 1);
      },
    );
    assert.deepEqual(listed.todo, [{ place: HOME, suffix: '' }]);
    assert.match(listed.report.troubles[0] ?? '', /eu-west-1.*UnauthorizedOperation/);
  });
});

describe('Decide', () => {
  const decideOn = (snapshots: FoundSnapshot[], changes: Partial<PruneState> = {}) =>
    decidePart(
      state({ todo: [{ place: HOME, suffix: '' }], batch: [], ...changes }),
      () => Object.assign(new FakeRegion(), { snapshots: async () => snapshots }),
      NOW,
    );

  it('keeps its output below what an execution can carry, and names first what goes', async () => {
    const many = Array.from({ length: 3_000 }, (_, hour) => aSet(`i-0123456789abcdef0-${hour}`, hour / 24)).flat();
    const decided = await decideOn(many);
    assert.ok(JSON.stringify(decided).length < 250_000);
    assert.equal(decided.batch.length, 400);
    assert.match(decided.decisions[0] ?? '', /^delete /);
    assert.match(decided.decisions.at(-1) ?? '', /^and \d+ more$/);
    assert.equal(decided.todo[0]?.again, true);
  });

  it('tells a set that EC2 made after its run from the one that the run made', async () => {
    const late = [0, 1].map((index) => ({
      ...member('run-9', index, 8, { [SET_TAGS.grade]: 'unproven' }),
      snapshotId: `snap-late-${index}`,
    }));
    const { decisions } = await decideOn([...aSet('run-9', 9), ...late]);
    assert.equal(decisions.length, 2);
    assert.ok(decisions.every((line) => line.startsWith('keep run-9 of 2026-11-1')));
  });

  it('judges a copy by the time of its set, not by its own', async () => {
    const copies = aSet('run-1', 0, { [SET_TAGS.started]: new Date(NOW - 50 * DAY_MS).toISOString() });
    assert.equal(setsOf(copies, NOW).sets[0]?.startedAt, NOW - 50 * DAY_MS);
  });
});

describe('Delete', () => {
  it('deletes whole sets, four a second, and stops before its time is over, to be called again', async () => {
    const [region, clock] = [new FakeRegion(), new FakeClock()];
    const began = clock.now();
    region.snapshots = Array.from({ length: 600 }, (_, day) => aSet(`run-${day}`, day)).flat();
    const batch = Array.from({ length: 598 }, (_, day) => ({
      instance: INSTANCE,
      set: `run-${day + 2}`,
    }));
    let now = state({ batch });
    let calls = 0;
    while (now.next === 'delete') {
      const before = clock.now();
      now = await deleteSets(now, () => region, clock);
      assert.ok(clock.now() - before < 210_000);
      assert.ok(region.sets().every((set) => set.endsWith('whole')));
      calls += 1;
    }
    assert.deepEqual([now.next, now.report.deletedSnapshots, region.sets().length], ['end', 1_196, 2]);
    assert.ok(calls > 1 && clock.now() - began >= 1_196 * 250);
  });

  it('that never gets through gives the batch up in the end, says so, and has taken no set apart', async () => {
    const region = new FakeRegion();
    region.fails = () => awsError('RequestLimitExceeded', 503);
    let now = state({ todo: [{ place: { ...HOME, region: 'eu-west-1' }, suffix: '' }] });
    while (now.next === 'delete') now = await deleteSets(now, () => region, new FakeClock());
    assert.deepEqual([now.next, now.batch], ['decide', []]);
    assert.match(now.report.troubles[0] ?? '', /nothing could be deleted in 10 tries, 3 sets .*RequestLimitExceeded/);
    assert.ok(region.sets().every((set) => set.endsWith('whole')));
  });

  it('does not decide again where none of a whole batch could be deleted', async () => {
    const region = new FakeRegion();
    region.imagesOf = async () => ['ami-1'];
    const now = await deleteSets(
      state({ todo: [{ place: HOME, suffix: '', again: true }] }),
      () => region,
      new FakeClock(),
    );
    assert.deepEqual([now.next, now.todo, now.report.held.length], ['end', [], 3]);
  });

  it('leaves a set alone that has become the last one since it was decided on', async () => {
    const region = new FakeRegion();
    region.snapshots = aSet('run-2', 2);
    const now = await deleteSets(state(), () => region, new FakeClock());
    assert.deepEqual([now.report.deletedSets, region.sets()], [0, ['run-2 whole']]);
  });
});

it('a report names so many of a kind, and counts the rest', () => {
  const list: string[] = [];
  for (let index = 0; index < 100; index += 1) note(list, `set ${index}`);
  assert.deepEqual([list.length, list.at(-1)], [41, 'and 60 more']);
});
