/**
 * The prune end to end: the synthesised definition and the functions as they ship, every call judged by the synthesised
 * policies. Each test says which sets must be there afterwards, and that each is whole.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import type { CallFault } from '../../lab/aws/faults.ts';
import type { PruneState } from '../../lambdas/shared/contracts.ts';
import { IN_USE, PRUNE, SET_TAGS, USER_TAGS } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import { putSet, setsIn } from '../support/stored-sets.ts';

const { account, world, refused, judged } = await judgedAccount();
afterEach(() => {
  world.faults.clear();
  world.ec2.snapshots.clear();
});

const DAY_MS = 86_400_000;
const server = account.launch();
const ago = (days: number) => world.clock.now() - days * DAY_MS;
/** Sets of the nights before; the tests' plan keeps three. */
const nights = (count: number, more: Partial<Parameters<typeof putSet>[1]> = {}) =>
  Array.from({ length: count }, (_, night) =>
    putSet(world, { instance: server.id, at: ago(night + 1), run: `night-${night + 1}`, ...more }),
  );

let prunes = 0;
const prune = async (input: object = {}): Promise<Execution> => {
  prunes += 1;
  return await account.stepFunctions.start(PRUNE, input, `prune-${prunes}`).ended;
};
const reportOf = (run: Execution): PruneState['report'] => {
  const state = (run.output ?? run.history.findLast(({ type }) => type === 'StateExited')?.output) as PruneState;
  return state.report;
};
const decisionsOf = (run: Execution): string[] =>
  run.history.flatMap(({ type, state, output }) =>
    type === 'StateExited' && state === 'Decide' ? (output as PruneState).decisions : [],
  );
const left = () => Object.fromEntries([...setsIn(world)].sort());
const assertGreen = (run: Execution) => assert.deepEqual([run.status, run.error], ['SUCCEEDED', undefined], run.cause);

describe('Prune', { timeout: 120_000 }, () => {
  it('lets go of what no policy keeps, whole, and of nothing else', async () => {
    nights(6);
    putSet(world, { instance: server.id, at: ago(40), policy: 'no-longer-there', run: 'foreign-policy' });
    world.ec2.snapshots.put({ volumeId: 'vol-1', tags: new Map([['team', 'x']]) });
    const run = await prune();
    assertGreen(run);
    assert.deepEqual(left(), { 'foreign-policy': 3, 'night-1': 3, 'night-2': 3, 'night-3': 3 });
    assert.equal([...world.ec2.snapshots.all.values()].filter(({ deleted }) => !deleted).length, 13);
    assert.deepEqual([reportOf(run).deletedSets, reportOf(run).deletedSnapshots], [3, 9]);
  });

  it('as a dry run deletes nothing, and tells every decision with its reason', async () => {
    nights(5);
    const run = await prune({ dryRun: true });
    assertGreen(run);
    assert.equal(setsIn(world).size, 5);
    assert.deepEqual(
      decisionsOf(run)
        .map((line) => line.split(':')[0])
        .sort(),
      ['delete night-4', 'delete night-5', 'keep night-1', 'keep night-2', 'keep night-3'],
    );
    for (const line of decisionsOf(run)) assert.match(line, /: .{10,}/);
  });

  it('leaves alone what is locked, held, in use or an image, and reports it', async () => {
    const [, , , locked, held, used, image] = nights(8);
    locked?.forEach((snapshot) => {
      snapshot.lock = { mode: 'governance', days: 30, coolOffHours: 0, createdAt: ago(4) };
    });
    held?.[0]?.tags.set(USER_TAGS.hold, 'audit');
    used?.[1]?.tags.set(`${IN_USE}restore`, new Date(world.clock.now() + 40 * DAY_MS).toISOString());
    if (image?.[2]) image[2].inUseBy = 'ami-1';
    const run = await prune();
    assertGreen(run);
    assert.deepEqual(
      Object.keys(left()),
      [1, 2, 3, 4, 5, 6, 7].map((night) => `night-${night}`),
    );
    assert.ok(Object.values(left()).every((members) => members === 3));
    assert.equal(reportOf(run).held.length, 4);
  });

  it('lets a use that has lapsed, and a lock that has expired, hold nothing', async () => {
    const [, , , locked, used] = nights(5);
    locked?.forEach((snapshot) => {
      snapshot.lock = { mode: 'compliance', days: 1, coolOffHours: 0, createdAt: ago(4) };
    });
    used?.[1]?.tags.set(`${IN_USE}restore`, new Date(ago(0)).toISOString());
    assertGreen(await prune());
    assert.deepEqual(Object.keys(left()), ['night-1', 'night-2', 'night-3']);
  });

  it('of a terminated instance keeps the last set only', async () => {
    for (const days of [30, 60, 90]) {
      putSet(world, { instance: 'i-00000000000000fff', at: ago(days), run: `gone-${days}` });
    }
    assertGreen(await prune());
    assert.deepEqual(left(), { 'gone-30': 3 });
  });

  it('finishes a deletion that was cut short, and a second prune finds nothing to do', async () => {
    nights(5);
    // One member is gone when the right to delete is taken away.
    let deletes = 0;
    world.faults.add({
      service: 'ec2',
      action: 'DeleteSnapshot',
      when: () => {
        deletes += 1;
        return deletes >= 2;
      },
      fault: { kind: 'error', code: 'UnauthorizedOperation', status: 403 },
    });
    const first = await prune();
    assert.deepEqual([first.status, first.error], ['FAILED', 'PruneIncompleteError']);
    assert.match(first.cause ?? '', /eu-central-1.*NotPermittedError/);
    assert.ok(Object.values(left()).includes(2), 'half of a set is left');
    world.faults.clear();
    assertGreen(await prune());
    assert.deepEqual(left(), { 'night-1': 3, 'night-2': 3, 'night-3': 3 });
    assert.equal(reportOf(await prune()).deletedSets, 0);
  });

  it('mends what is broken or unproven once something newer is whole, and reports it until then', async () => {
    const at = ago(10);
    const broken = putSet(world, { instance: server.id, at, run: 'broken' });
    (broken[0] as (typeof broken)[number]).deleted = true;
    putSet(world, { instance: server.id, at, run: 'unproven', grade: 'unproven' });
    const orphan = putSet(world, { instance: server.id, at, members: 1 });
    orphan[0]?.tags.delete(SET_TAGS.set);
    putSet(world, { instance: server.id, at: ago(5), run: 'stuck', snapshot: { state: 'pending' } });
    const report = reportOf(await prune());
    assert.deepEqual(
      [report.broken.length, report.unproven.length, report.orphans.length, report.stuck.length],
      [1, 1, 1, 1],
    );
    assert.deepEqual(left(), { broken: 2, stuck: 3, unproven: 3 });
    nights(1);
    assertGreen(await prune());
    assert.deepEqual(left(), { 'night-1': 3, stuck: 3 });
  });

  it('looks once more just before the act: a hold that came after the decision stays', async () => {
    const sets = nights(5);
    world.onCall = ({ action }) => {
      if (action === 'DescribeLockedSnapshots')
        for (const member of sets[4] ?? []) member.tags.set(USER_TAGS.hold, 'x');
    };
    const run = await prune();
    world.onCall = undefined;
    assertGreen(run);
    assert.deepEqual(Object.keys(left()), ['night-1', 'night-2', 'night-3', 'night-5']);
  });

  const FAULTS: [
    title: string,
    action: string,
    fault: CallFault,
    nth: number | number[] | undefined,
    green: boolean,
  ][] = [
    ['a throttled list is asked for again', 'DescribeSnapshots', throttled(), [1, 2], true],
    ['a throttled delete is tried again', 'DeleteSnapshot', throttled(), [1, 2, 3, 4], true],
    ['a lost answer to a delete is as good as any', 'DeleteSnapshot', { kind: 'lostAnswer' }, 1, true],
    ['an unreadable answer to a delete does no harm', 'DeleteSnapshot', { kind: 'malformed' }, 1, true],
    ['a delete that is refused ends red', 'DeleteSnapshot', refusedBy(), undefined, false],
    ['a mark that is refused ends red, and nothing is deleted', 'CreateTags', refusedBy(), undefined, false],
    [
      'the tag limit ends red, and nothing is deleted',
      'CreateTags',
      { kind: 'error', code: 'TagLimitExceeded' },
      undefined,
      false,
    ],
    [
      'locks that can’t be looked at end red, and nothing is deleted',
      'DescribeLockedSnapshots',
      refusedBy(),
      undefined,
      false,
    ],
    [
      'instances that can’t be looked at end red, and nothing is deleted',
      'DescribeInstances',
      refusedBy(),
      undefined,
      false,
    ],
    ['a Region that can’t be reached ends red', 'DescribeSnapshots', refusedBy(), undefined, false],
  ];
  for (const [title, action, fault, nth, green] of FAULTS) {
    it(`whatever fails, sets stay whole and what is to be kept stays: ${title}`, async () => {
      nights(5);
      world.faults.add({ service: 'ec2', action, fault, ...(nth === undefined ? {} : { nth }) });
      const run = await prune();
      assert.equal(run.status, green ? 'SUCCEEDED' : 'FAILED', run.cause);
      for (const night of [1, 2, 3]) assert.equal(left()[`night-${night}`], 3);
      if (green) assert.deepEqual(Object.keys(left()), ['night-1', 'night-2', 'night-3']);
      else {
        assert.equal(run.error, 'PruneIncompleteError');
        assert.deepEqual(left(), Object.fromEntries([1, 2, 3, 4, 5].map((night) => [`night-${night}`, 3])));
      }
      world.faults.clear();
      assertGreen(await prune());
      assert.deepEqual(left(), { 'night-1': 3, 'night-2': 3, 'night-3': 3 });
    });
  }

  it('sends whole sets that are kept for long into the archive tier, but none that anybody restores from first', async () => {
    const nights: Record<string, Snapshot[]> = {};
    for (const days of [1, 10, 40, 70, 100]) {
      nights[days] = putSet(world, { instance: server.id, at: ago(days), policy: 'cold', run: `cold-${days}` });
    }
    // The last of grade application is old, and stays where it can be restored from at once.
    nights.best = putSet(world, { instance: server.id, at: ago(130), policy: 'cold', run: 'cold-best' });
    for (const days of [1, 10, 40, 70, 100]) {
      for (const { tags } of nights[days] ?? []) tags.set(SET_TAGS.grade, 'filesystem');
    }
    nights[70]?.[1]?.tags.set(`${IN_USE}restore`, new Date(world.clock.now() + DAY_MS).toISOString());
    const dry = await prune({ dryRun: true });
    assert.deepEqual(reportOf(dry).archived, ['cold-40', 'cold-100']);
    const run = await prune();
    assertGreen(run);
    const tiers = () =>
      Object.entries(nights).flatMap(([name, members]) =>
        members.every(({ tier }) => tier === 'archive') ? [name] : [],
      );
    await account.clock.sleep(10_000);
    assert.deepEqual(
      [tiers(), reportOf(run).archived],
      [
        ['40', '100'],
        ['cold-40', 'cold-100'],
      ],
    );
    assert.deepEqual(reportOf(await prune()).archived, [], 'once');
  });

  it('sends no more into the archive than EC2 takes at once, and goes on the next day with the set that was begun', async () => {
    world.latency.snapshotArchiveMs = DAY_MS / 2;
    putSet(world, { instance: server.id, at: ago(1), policy: 'cold', run: 'cold-new' });
    const large = putSet(world, { instance: server.id, at: ago(40), policy: 'cold', run: 'cold-large', members: 30 });
    const small = putSet(world, { instance: server.id, at: ago(41), policy: 'cold', run: 'cold-small' });
    const archived = (members: readonly Snapshot[]) => members.filter(({ tier }) => tier === 'archive').length;
    assertGreen(await prune());
    await account.clock.sleep(DAY_MS);
    assert.deepEqual([archived(large), archived(small)], [25, 0]);
    assertGreen(await prune());
    await account.clock.sleep(DAY_MS);
    world.latency.snapshotArchiveMs = 0;
    assert.deepEqual([archived(large), archived(small)], [30, 3]);
  });

  it('shares a large account out into parts, and keeps to the rate of DeleteSnapshot', async () => {
    Object.assign(world.limits, { rates: { 'ec2:DeleteSnapshot': { burst: 20, perSecond: 5 } } });
    for (let server = 0; server < 60; server += 1) {
      const instance = `i-${server.toString(16).padStart(17, '0')}`;
      world.ec2.addInstance({ id: instance, volumes: [] });
      // One in twelve has a set to let go.
      const last = server % 12 === 0 ? 4 : 3;
      for (let night = 1; night <= last; night += 1) putSet(world, { instance, at: ago(night), members: 22 });
    }
    const calls = world.log.length;
    const run = await prune();
    world.limits.rates = {};
    assertGreen(run);
    assert.equal(setsIn(world).size, 60 * 3);
    assert.ok(run.history.filter(({ type, state }) => type === 'StateEntered' && state === 'Decide').length > 1);
    const throttles = world.log.slice(calls).filter(({ result }) => result === 'RequestLimitExceeded');
    assert.ok(throttles.length < 10, `${throttles.length} throttles`);
  });
});

it('every call that was made is one that the synthesised policies allow', () => {
  assert.deepEqual(refused, []);
  for (const call of [
    'ec2:ModifySnapshotTier',
    'ec2:DescribeSnapshotTierStatus',
    'ec2:DeleteSnapshot',
    'ec2:CreateTags',
    'ec2:DescribeLockedSnapshots',
    'ec2:DescribeImages',
  ]) {
    assert.ok(judged.has(call), call);
  }
});

function throttled(): CallFault {
  return { kind: 'error', code: 'RequestLimitExceeded', status: 503 };
}

function refusedBy(): CallFault {
  return { kind: 'error', code: 'UnauthorizedOperation', status: 403 };
}
