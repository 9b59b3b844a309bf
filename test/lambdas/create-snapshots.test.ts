import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSnapshots, type Ebs } from '../../lambdas/create-snapshots/create-snapshots.ts';
import { snapshotRequest } from '../../lambdas/create-snapshots/snapshot-request.ts';
import type { CreateSnapshotsInput, TakenSet } from '../../lambdas/shared/contracts.ts';
import { SET_TAGS } from '../../lambdas/shared/names.ts';
import { DATA_1, INSTANCE, NOW, RUN, run } from './builders.ts';
import { awsError, FakeClock, failure } from './fakes.ts';

interface Snapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
  run: string;
  shownAt: number;
}

/** EC2's snapshots of one instance: a set is made whether or not its answer comes through, and shows some time later. */
class FakeEbs implements Ebs {
  readonly clock = new FakeClock();
  readonly snapshots: Snapshot[] = [];
  readonly requests: { dryRun: boolean; timeoutMs: number }[] = [];
  /** Refused without effect. */
  refuse: Error | undefined;
  /** Carried out, but the answer is lost. */
  loseAnswer: Error | undefined;
  /** Until a new snapshot can be found. */
  showAfterMs = 0;
  lookFault: Error | undefined;
  volumeType = 'gp3';

  create: Ebs['create'] = async (request, how) => {
    this.requests.push(how);
    if (this.refuse) throw this.refuse;
    if (how.dryRun) throw awsError('DryRunOperation', 412);
    const tags = new Map(request.TagSpecifications?.[0]?.Tags?.map(({ Key, Value }) => [Key, Value]));
    const startTime = new Date(this.clock.now()).toISOString();
    const made = run().volumes.map(({ volumeId }, index) => ({
      snapshotId: `snap-${this.snapshots.length + index}`,
      volumeId,
      startTime,
      state: 'pending',
      run: String(tags.get(SET_TAGS.run)),
      shownAt: this.clock.now() + this.showAfterMs * (index + 1),
    }));
    this.snapshots.push(...made);
    this.clock.time += 1_000;
    if (this.loseAnswer) throw this.loseAnswer;
    return made;
  };

  ofRun = async (wanted: string) => {
    if (this.lookFault) throw this.lookFault;
    return this.snapshots.filter((each) => each.run === wanted && each.shownAt <= this.clock.now());
  };

  ofVolumes = async () => this.snapshots;
  volumes = async (volumeIds: readonly string[]) => volumeIds.map((volumeId) => ({ volumeId, type: this.volumeType }));

  /** A snapshot that somebody else made. */
  foreign(secondsAgo: number, state = 'completed', count = 1): this {
    for (let index = 0; index < count; index += 1) {
      const startTime = new Date(this.clock.now() - secondsAgo * 1_000).toISOString();
      this.snapshots.push({
        snapshotId: `snap-f${index}`,
        volumeId: DATA_1,
        startTime,
        state,
        run: 'other',
        shownAt: 0,
      });
    }
    return this;
  }

  get made(): number {
    return this.snapshots.filter((each) => each.run === RUN).length;
  }
}

const input = (act: CreateSnapshotsInput['act'], frozenAgoMs?: number): CreateSnapshotsInput => ({
  act,
  run: { ...run(), ...(frozenAgoMs === undefined ? {} : { frozen: { sentAt: NOW - frozenAgoMs } }) },
});
const act = (ebs: FakeEbs, name: CreateSnapshotsInput['act'], frozenAgoMs?: number) =>
  createSnapshots(input(name, frozenAgoMs), ebs, ebs.clock);

describe('Rehearse', () => {
  for (const [code, status, name] of [
    ['UnauthorizedOperation', 403, 'NotPermittedError'],
    ['RequestLimitExceeded', 503, 'ThrottledError'],
    ['InvalidInstanceID.NotFound', 400, 'NotAnInstanceError'],
    ['SnapshotLimitExceeded', 400, 'SnapshotLimitError'],
  ] as const) {
    test(`${code} of the dry run is ${name}, before anything is frozen`, async () => {
      const ebs = new FakeEbs();
      ebs.refuse = awsError(code, status);
      assert.equal((await failure(act(ebs, 'rehearse'))).name, name);
    });
  }

  test('a volume with five snapshots in flight takes no sixth, and those in error count', async () => {
    const ebs = new FakeEbs().foreign(3_600, 'pending', 3).foreign(7_200, 'error', 2);
    const error = await failure(act(ebs, 'rehearse'));
    assert.equal(error.name, 'SnapshotLimitError');
    assert.match(error.message, new RegExp(`${DATA_1}.*has 5.*allows 5`));
  });

  test('an st1 volume takes one snapshot at a time', async () => {
    const ebs = new FakeEbs().foreign(3_600, 'pending');
    ebs.volumeType = 'st1';
    assert.equal((await failure(act(ebs, 'rehearse'))).name, 'SnapshotLimitError');
  });

  test('a volume that is gone since Inspect is named', async () => {
    const ebs = new FakeEbs();
    ebs.volumes = async () => [];
    assert.equal((await failure(act(ebs, 'rehearse'))).name, 'VolumesMismatchError');
  });

  test('a last snapshot from the future is an error, not an endless wait', async () => {
    assert.equal((await failure(act(new FakeEbs().foreign(-3_600), 'rehearse'))).name, 'SnapshotTooSoonError');
  });

  test('a snapshot of ten seconds ago is waited for, since EC2 takes one in 15 s', async () => {
    const ebs = new FakeEbs().foreign(10);
    assert.deepEqual(await act(ebs, 'rehearse'), { waitedMs: 5_000 });
  });

  test('nothing is made by it', async () => {
    const ebs = new FakeEbs();
    assert.deepEqual(await act(ebs, 'rehearse'), { waitedMs: 0 });
    assert.equal(ebs.made, 0);
    assert.deepEqual(
      ebs.requests.map(({ dryRun }) => dryRun),
      [true],
    );
  });
});

describe('Create snapshots', () => {
  test('with the lease all but over nothing is asked for', async () => {
    const ebs = new FakeEbs();
    assert.equal((await failure(act(ebs, 'frozen', 26_500))).name, 'LeaseTooShortError');
    assert.equal(ebs.requests.length, 0);
  });

  for (const [code, status, name] of [
    ['RequestLimitExceeded', 503, 'ThrottledError'],
    ['SnapshotCreationPerVolumeRateExceeded', 400, 'SnapshotTooSoonError'],
    ['ConcurrentSnapshotLimitExceeded', 400, 'SnapshotLimitError'],
    ['TagLimitExceeded', 400, 'TooManyTagsError'],
    ['UnauthorizedOperation', 403, 'NotPermittedError'],
  ] as const) {
    test(`${code} is ${name} at once: the host is frozen meanwhile`, async () => {
      const ebs = new FakeEbs();
      ebs.refuse = awsError(code, status);
      assert.equal((await failure(act(ebs, 'frozen', 3_000))).name, name);
      assert.equal(ebs.clock.now(), NOW);
      assert.equal(ebs.requests.length, 1);
    });
  }

  test('an answer lost is looked for by tag for some seconds, then given up, and never sent again', async () => {
    const ebs = new FakeEbs();
    ebs.refuse = awsError('InternalError', 500);
    const error = await failure(act(ebs, 'frozen', 3_000));
    assert.equal(error.name, 'SnapshotAnswerLostError');
    assert.equal((error.cause as Error).name, 'InternalError');
    assert.equal(ebs.requests.length, 1);
    assert.ok(ebs.clock.now() - NOW <= 6_000);
  });

  test('a set that shows only in part is not taken for the set', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('TimeoutError', null);
    ebs.showAfterMs = 5_000;
    assert.equal((await failure(act(ebs, 'frozen', 3_000))).name, 'SnapshotAnswerLostError');
  });

  test('the search ends before the lease does', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('TimeoutError', null);
    ebs.showAfterMs = 60_000;
    await failure(act(ebs, 'frozen', 25_000));
    assert.ok(ebs.clock.now() < NOW + 5_000);
  });

  test('a search that is throttled leaves the answer lost, not the run', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('TimeoutError', null);
    ebs.lookFault = awsError('RequestLimitExceeded', 503);
    assert.equal((await failure(act(ebs, 'frozen', 3_000))).name, 'SnapshotAnswerLostError');
  });

  test('the request may take no longer than leaves time to thaw within the lease', async () => {
    const ebs = new FakeEbs();
    await act(ebs, 'frozen', 24_000);
    assert.equal(ebs.requests[0]?.timeoutMs, 4_000);
  });

  test('a set found by its tag while the lease lasts was taken while frozen', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('ECONNRESET', null);
    ebs.showAfterMs = 800;
    const set = (await act(ebs, 'frozen', 3_000)) as TakenSet;
    assert.equal(set.whileFrozen, true);
    assert.equal(set.snapshots.length, 3);
    assert.equal(ebs.requests.length, 1);
  });

  test('an answer that cannot be read counts as lost', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('SyntaxError', 200);
    assert.equal(((await act(ebs, 'frozen', 3_000)) as TakenSet).whileFrozen, true);
  });

  test('one request gives the set with its one start time', async () => {
    const ebs = new FakeEbs();
    assert.deepEqual(await act(ebs, 'frozen', 3_000), {
      startTime: new Date(NOW).toISOString(),
      snapshots: run().volumes.map(({ volumeId }, index) => ({ snapshotId: `snap-${index}`, volumeId })),
      requestedAt: NOW,
      answeredAt: NOW + 1_000,
      whileFrozen: true,
    });
  });
});

describe('Create snapshots unfrozen', () => {
  test('a throttle is a ThrottledError, which the workflow tries again', async () => {
    const ebs = new FakeEbs();
    ebs.refuse = awsError('RequestLimitExceeded', 503);
    assert.equal((await failure(act(ebs, 'unfrozen'))).name, 'ThrottledError');
  });

  test('not to be able to look for an earlier set is not the same as to find none', async () => {
    const ebs = new FakeEbs();
    ebs.lookFault = awsError('RequestLimitExceeded', 503);
    assert.equal((await failure(act(ebs, 'unfrozen', 40_000))).name, 'RequestLimitExceeded');
    assert.equal(ebs.made, 0);
  });

  test('a set of this run whose answer was lost is adopted, late as it shows, and no second one is made', async () => {
    const ebs = new FakeEbs();
    ebs.loseAnswer = awsError('TimeoutError', null);
    ebs.showAfterMs = 3_000;
    await failure(act(ebs, 'frozen', 3_000));
    const set = (await act(ebs, 'unfrozen', 3_000)) as TakenSet;
    assert.equal(set.whileFrozen, false);
    assert.equal(ebs.made, 3);
  });

  test('without one, a set is taken, and it does not claim to be frozen', async () => {
    const ebs = new FakeEbs();
    const set = (await act(ebs, 'unfrozen')) as TakenSet;
    assert.equal(set.whileFrozen, false);
    assert.equal(ebs.made, 3);
    assert.equal(ebs.clock.now(), NOW + 1_000);
  });
});

describe('the request', () => {
  const tagsOf = (name: CreateSnapshotsInput['act']) =>
    Object.fromEntries(
      snapshotRequest(input(name)).TagSpecifications?.[0]?.Tags?.map(({ Key, Value }) => [Key, Value]) ?? [],
    );

  test('carries the tags of the set, and the grade is unproven', () => {
    assert.deepEqual(tagsOf('frozen'), {
      'freezeframe:set': RUN,
      'freezeframe:run': RUN,
      'freezeframe:policy': 'nightly',
      'freezeframe:instance': INSTANCE,
      'freezeframe:grade': 'unproven',
      'freezeframe:mode': 'fs-freeze',
      'freezeframe:members': '3',
    });
  });

  test('of an unfrozen set does not name the mode that failed', () => {
    assert.equal(tagsOf('unfrozen')['freezeframe:mode'], 'crash');
  });

  test('is the same for Rehearse and Create snapshots', () => {
    assert.deepEqual(snapshotRequest(input('rehearse')), snapshotRequest(input('frozen')));
  });

  test('leaves out what the user excluded', () => {
    const left = snapshotRequest({ act: 'frozen', run: run({ excluded: [DATA_1], excludeBoot: true }) });
    assert.deepEqual(left.InstanceSpecification, {
      InstanceId: INSTANCE,
      ExcludeBootVolume: true,
      ExcludeDataVolumeIds: [DATA_1],
    });
  });
});
