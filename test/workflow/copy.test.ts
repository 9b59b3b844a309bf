/**
 * Copies end to end: the synthesised definition and the functions as they ship, every call judged by the synthesised
 * policies. Each test says which sets must be at the destination afterwards, and that each is whole.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import type { CallFault } from '../../lab/aws/faults.ts';
import type { CopyState } from '../../lambdas/shared/copy-contracts.ts';
import { COPY, PRUNE, SET_TAGS } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import { destinationIn, stackOf } from '../support/model-account.ts';
import { putSet, setsIn } from '../support/stored-sets.ts';

const KEY = 'arn:aws:kms:eu-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef';
const policy = (copy: object) => ({
  schedule: 'rate(1 day)',
  retain: { last: 3 },
  copyTo: [{ region: 'eu-west-1', ...copy }],
});
const stack = await stackOf({
  policies: {
    nightly: policy({}),
    keyed: policy({ kmsKeyArn: KEY }),
    timed: policy({ completionMinutes: 15 }),
    vault: { ...policy({}), lock: { mode: 'compliance', days: 7 } },
    vaulted: policy({ region: 'eu-north-1', account: '210987654321' }),
    here: { schedule: 'rate(1 day)', retain: { last: 3 } },
  },
});
const vault = await destinationIn('210987654321', stack.account);
const latency = { snapshotCopyMs: 2_000 };
const { account, world, refused, judged } = await judgedAccount({ stack, latency }, vault);
const { clock } = account;
const there = world.inRegion('eu-west-1');
const elsewhere = world.inAccount('210987654321').inRegion('eu-north-1');
const server = account.launch();
afterEach(() => {
  for (const each of [world, there, elsewhere]) {
    each.faults.clear();
    each.ec2.snapshots.clear();
    each.ec2.copies.deniedKeys.clear();
  }
});

const HOUR_MS = 3_600_000;
const aSet = (run: string, more: Partial<Parameters<typeof putSet>[1]> = {}) =>
  putSet(world, { instance: server.id, at: clock.now() - HOUR_MS, run, ...more });

let copies = 0;
const copy = async (input: object = {}): Promise<Execution> => {
  copies += 1;
  return await account.stepFunctions.start(COPY, { region: 'eu-west-1', ...input }, `copy-${copies}`).ended;
};
const reportOf = (run: Execution): CopyState['report'] => {
  const state = (run.output ?? run.history.findLast(({ type }) => type === 'StateExited')?.output) as CopyState;
  return state.report;
};
const assertGreen = (run: Execution) => assert.deepEqual([run.status, run.error], ['SUCCEEDED', undefined], run.cause);
const copiesOf = (set: string, at = there): Snapshot[] =>
  [...at.ec2.snapshots.all.values()].filter(({ deleted, tags }) => !deleted && tags.get(SET_TAGS.set) === set);
const gradesOf = (set: string, at = there) => [
  ...new Set(copiesOf(set, at).map(({ tags }) => tags.get(SET_TAGS.grade))),
];
/** Two of the five-minute rounds, with the time between in which EC2 is done. */
const untilThere = async (input: object = {}): Promise<Execution> => {
  assertGreen(await copy(input));
  await clock.sleep(3_000);
  return await copy(input);
};
const VAULT = { region: 'eu-north-1', account: '210987654321' };

describe('Copy', { timeout: 180_000 }, () => {
  it('brings whole sets to the other Region, with their tags, and grades them when all of each is there', async () => {
    const members = aSet('run-1');
    assertGreen(await copy());
    assert.deepEqual([copiesOf('run-1').length, gradesOf('run-1')], [3, ['unproven']]);
    await clock.sleep(3_000);
    const done = await copy();
    assertGreen(done);
    assert.deepEqual([reportOf(done).finished, gradesOf('run-1')], [['run-1'], ['application']]);
    for (const each of copiesOf('run-1')) {
      const source = members.find(({ id }) => id === each.tags.get(SET_TAGS.source));
      assert.equal(each.tags.get(SET_TAGS.volume), source?.volumeId);
      assert.equal(each.tags.get(SET_TAGS.started), new Date(source?.startedAt ?? 0).toISOString());
      assert.equal(each.tags.get(SET_TAGS.origin), '111122223333/eu-central-1');
    }
    const again = await copy();
    assert.deepEqual([again.status, reportOf(again).there, copiesOf('run-1').length], ['SUCCEEDED', 1, 3]);
  });

  it('is found to be wanting by the round after a backup, whether that ended green or red', async () => {
    const green = await account.backup(server);
    assertGreen(green);
    world.faults.add({ service: 'ec2', action: 'CreateSnapshots', nth: 2, fault: throttled() });
    const red = await account.backup(account.launch());
    assert.equal(red.status, 'FAILED');
    await untilThere();
    assert.deepEqual([gradesOf(green.name), gradesOf(red.name)], [['application'], ['crash']]);
  });

  it('starts by itself every five minutes, for each destination', async () => {
    aSet('run-1');
    await account.stepFunctions.tick();
    await account.stepFunctions.idle();
    assert.equal(copiesOf('run-1').length, 3);
  });

  it('as a dry run begins nothing, and says what it would', async () => {
    aSet('run-1');
    const run = await copy({ dryRun: true });
    assertGreen(run);
    assert.deepEqual([setsIn(there).size, (run.output as CopyState).orders.copy[0]?.set], [0, 'run-1']);
  });

  it('encrypts with the key of the plan, gives copies the time that it says, and locks what it says', async () => {
    aSet('keyed', { policy: 'keyed' });
    aSet('timed', { policy: 'timed', at: clock.now() - 2 * HOUR_MS, snapshot: { sizeGiB: 100 } });
    aSet('locked', { policy: 'vault', at: clock.now() - 3 * HOUR_MS });
    await untilThere();
    assert.ok(copiesOf('keyed').every(({ kmsKeyId, encrypted }) => kmsKeyId === KEY && encrypted));
    const request = world.log.find(
      ({ action, input }) =>
        action === 'CopySnapshot' && (input as { CompletionDurationMinutes?: number }).CompletionDurationMinutes,
    );
    assert.equal((request?.input as { CompletionDurationMinutes?: number } | undefined)?.CompletionDurationMinutes, 15);
    assert.deepEqual(gradesOf('locked'), ['application']);
    assert.ok(copiesOf('locked').every(({ lock }) => lock?.mode === 'compliance' && lock.days === 7));
  });

  it('and Prune see to copies by the same plan, and each leaves the other’s alone', async () => {
    for (let night = 1; night <= 4; night += 1) aSet(`night-${night}`, { at: clock.now() - night * 24 * HOUR_MS });
    // Of another deployment, which lives at the destination: its own sets, and its copies here.
    const foreign = { instance: 'i-00000000000000fff', at: clock.now() - 900 * 24 * HOUR_MS };
    putSet(there, { ...foreign, run: 'their-own' });
    putSet(world, {
      ...foreign,
      run: 'their-copy',
      tags: { [SET_TAGS.origin]: '111122223333/eu-west-1', [SET_TAGS.source]: 'snap-1' },
    });
    await untilThere();
    aSet('night-0');
    await untilThere();
    assertGreen(await account.stepFunctions.run(PRUNE));
    const kept = ['night-0', 'night-1', 'night-2'];
    assert.deepEqual([...setsIn(there).keys()].sort(), [...kept, 'their-own']);
    assert.deepEqual([...setsIn(world).keys()].sort(), [...kept, 'their-copy']);
    const after = await copy();
    assert.deepEqual([after.status, reportOf(after).waiting], ['SUCCEEDED', 0], 'nothing that was let go comes back');
  });

  const FAULTS: [
    title: string,
    where: 'home' | 'there',
    action: string,
    fault: CallFault,
    nth: number[] | undefined,
    green: boolean,
  ][] = [
    ['home can’t be listed', 'home', 'DescribeSnapshots', refusedBy(), undefined, false],
    ['instances can’t be looked at', 'home', 'DescribeInstances', refusedBy(), undefined, false],
    [
      'the destination can’t be reached',
      'there',
      'DescribeSnapshots',
      { kind: 'error', code: 'ServiceUnavailable', status: 503 },
      undefined,
      false,
    ],
    ['the destination throttles the look at it', 'there', 'DescribeSnapshots', throttled(), [1, 2], true],
    ['the mark at home is refused', 'home', 'CreateTags', refusedBy(), undefined, false],
    [
      'the tag limit of the set is reached',
      'home',
      'CreateTags',
      { kind: 'error', code: 'TagLimitExceeded' },
      undefined,
      false,
    ],
    ['a copy is throttled', 'there', 'CopySnapshot', throttled(), [2], true],
    ['a copy is refused', 'there', 'CopySnapshot', refusedBy(), [2], false],
    ['all copies are refused', 'there', 'CopySnapshot', refusedBy(), undefined, false],
    [
      'EC2 works on as many as it does',
      'there',
      'CopySnapshot',
      { kind: 'error', code: 'ResourceLimitExceeded' },
      [2],
      true,
    ],
    [
      'the Region’s snapshots are used up',
      'there',
      'CopySnapshot',
      { kind: 'error', code: 'SnapshotLimitExceeded' },
      undefined,
      false,
    ],
    ['the answer to a copy is lost', 'there', 'CopySnapshot', { kind: 'lostAnswer' }, [2], true],
    ['the answer to a copy can’t be read', 'there', 'CopySnapshot', { kind: 'malformed' }, [1, 2, 3], true],
  ];
  for (const [title, where, action, fault, nth, green] of FAULTS) {
    it(`whatever fails, no part of a set is taken for a set, and in the end it is there: ${title}`, async () => {
      aSet('run-1');
      const faulty = where === 'home' ? world : there;
      faulty.faults.add({ service: 'ec2', action, fault, ...(nth && { nth }) });
      const first = await copy();
      assert.equal(first.status, green ? 'SUCCEEDED' : 'FAILED', first.cause);
      assert.ok(gradesOf('run-1').every((grade) => grade === 'unproven'));
      faulty.faults.clear();
      await clock.sleep(3_000);
      await untilThere();
      await untilThere();
      assert.deepEqual([copiesOf('run-1').length, gradesOf('run-1')], [3, ['application']]);
    });
  }

  it('to another account shares a set for as long as it takes, and prunes there by the role that is there', async () => {
    const members = Array.from({ length: 4 }, (_, night) =>
      aSet(`night-${night}`, { policy: 'vaulted', at: clock.now() - (24 * night + 1) * HOUR_MS }),
    ).flat();
    const theirs = elsewhere.ec2.snapshots.put({ volumeId: 'vol-1', tags: new Map([['team', 'x']]) });
    assertGreen(await copy(VAULT));
    assert.deepEqual(
      members.map(({ sharedWith }) => [...sharedWith].join()),
      members.map((_, index) => (index < 9 ? VAULT.account : '')),
      'the sets that will be kept, and no others',
    );
    await clock.sleep(3_000);
    assertGreen(await copy(VAULT));
    assert.ok(members.every(({ sharedWith }) => sharedWith.size === 0));
    assert.deepEqual([gradesOf('night-0', elsewhere), setsIn(there).size], [['application'], 0]);
    aSet('tonight', { policy: 'vaulted' });
    await untilThere(VAULT);
    assertGreen(await account.stepFunctions.run(PRUNE));
    assert.deepEqual([...setsIn(elsewhere).keys()].sort(), ['night-0', 'night-1', 'tonight']);
    assert.ok(!theirs.deleted);
  });

  it('of a set under EBS’s own key can’t be shared, and says so; one under a key of yours can', async () => {
    const encrypted = { encrypted: true, kmsKeyId: undefined };
    const key = { encrypted: true, kmsKeyId: KEY.replace('eu-west-1', 'eu-central-1') };
    aSet('own', { policy: 'vaulted', snapshot: encrypted });
    aSet('yours', { policy: 'vaulted', at: clock.now() - 2 * HOUR_MS, snapshot: key });
    const run = await copy(VAULT);
    assert.equal(run.error, 'CopyIncompleteError');
    assert.match(
      run.cause ?? '',
      /own: OperationNotPermitted: Encrypted snapshots with EBS default key cannot be shared/,
    );
    assert.deepEqual([copiesOf('own', elsewhere).length, copiesOf('yours', elsewhere).length], [0, 3]);
  });

  it('to an account that has no role for it ends red, and says what it lacks', async () => {
    const [role] = vault.roles;
    vault.roles.length = 0;
    aSet('run-1', { policy: 'vaulted' });
    const run = await copy(VAULT);
    vault.roles.push(role as (typeof vault.roles)[number]);
    assert.equal(run.status, 'FAILED');
    assert.match(run.cause ?? '', /sts:AssumeRole/);
    assert.ok(refused.splice(0).every((each) => each.includes(': sts:AssumeRole ')));
  });

  it('that may not use the key leaves what failed, says why, and tries again when it has rested', async () => {
    there.ec2.copies.deniedKeys.add(KEY);
    aSet('run-1', { policy: 'keyed' });
    assertGreen(await copy());
    await clock.sleep(3_000);
    const failed = await copy();
    assert.deepEqual([failed.status, failed.error], ['FAILED', 'CopyIncompleteError']);
    assert.match(failed.cause ?? '', /run-1.*Given key ID is not accessible/);
    there.ec2.copies.deniedKeys.clear();
    const begun = copiesOf('run-1').map(({ id }) => id);
    await copy();
    assert.deepEqual(
      copiesOf('run-1').map(({ id }) => id),
      begun,
      'it rests',
    );
    for (const each of copiesOf('run-1')) Object.assign(each, { startedAt: clock.now() - 7 * HOUR_MS });
    await copy();
    await clock.sleep(3_000);
    assertGreen(await copy());
    assert.deepEqual([copiesOf('run-1').length, gradesOf('run-1')], [3, ['application']]);
  });

  it('removes what is left of a set that home has let go, and never a set that is graded', async () => {
    const members = aSet('run-1');
    const whole = aSet('run-2', { at: clock.now() - 2 * HOUR_MS });
    await untilThere();
    aSet('run-3', { at: clock.now() - HOUR_MS / 2 });
    await copy();
    for (const { id } of [...members, ...whole]) world.ec2.snapshots.find(id).deleted = true;
    for (const each of world.ec2.snapshots.all.values()) {
      if (each.tags.get(SET_TAGS.set) === 'run-3') each.deleted = true;
    }
    const [half] = copiesOf('run-3');
    if (half) half.deleted = true;
    for (const each of copiesOf('run-3')) Object.assign(each, { startedAt: clock.now() - 2 * HOUR_MS });
    assertGreen(await copy());
    assert.deepEqual(Object.fromEntries(setsIn(there)), { 'run-1': 3, 'run-2': 3 });
  });
});

it('every call that was made is one that the synthesised policies allow', () => {
  assert.deepEqual(refused, []);
  assert.ok(judged.has('sts:AssumeRole'));
  for (const call of [
    'CopySnapshot',
    'ModifySnapshotAttribute',
    'DeleteSnapshot',
    'CreateTags',
    'LockSnapshot',
    'DescribeLockedSnapshots',
  ]) {
    assert.ok(judged.has(`ec2:${call}`), call);
  }
});

function throttled(): CallFault {
  return { kind: 'error', code: 'RequestLimitExceeded', status: 503 };
}

function refusedBy(): CallFault {
  return { kind: 'error', code: 'UnauthorizedOperation', status: 403 };
}
