import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Locks, lockSet } from '../../lambdas/lock/lock.ts';
import type { LockInput } from '../../lambdas/shared/contracts.ts';
import { RUN } from './builders.ts';
import { awsError, failure } from './fakes.ts';

const IDS = ['snap-1', 'snap-2', 'snap-3'];

/** Compliance takes no second lock, as EC2 has it. */
class FakeLocks implements Locks {
  readonly held = new Map<string, LockInput['lock']>();
  fails: (snapshotId: string) => Error | undefined = () => undefined;

  async lock(snapshotId: string, lock: LockInput['lock']): Promise<void> {
    const error = this.fails(snapshotId);
    if (error) throw error;
    if (this.held.get(snapshotId)?.mode === 'compliance') throw awsError('InvalidParameterValue');
    this.held.set(snapshotId, lock);
  }

  async locked(snapshotIds: readonly string[]) {
    return snapshotIds.filter((id) => this.held.has(id)).map((snapshotId) => ({ snapshotId }));
  }
}

const input = (mode: LockInput['lock']['mode'] = 'compliance'): LockInput => ({
  run: RUN,
  snapshotIds: IDS,
  lock: { mode, days: 7 },
});

describe('Lock', () => {
  test('a refusal names the member, the mode and that the set is kept unlocked', async () => {
    const locks = new FakeLocks();
    locks.fails = (id) => (id === 'snap-2' ? awsError('InvalidParameterValue', 400, 'no lock here') : undefined);
    const error = await failure(lockSet(input(), locks));
    assert.equal(error.name, 'LockRefusedError');
    assert.match(error.message, /snap-2 .* compliance mode for 7 days.* kept but not locked.*no lock here/);
  });

  test('a throttle is passed on, so that the state tries again', async () => {
    const locks = new FakeLocks();
    locks.fails = () => awsError('RequestLimitExceeded', 503);
    assert.equal((await failure(lockSet(input(), locks))).name, 'RequestLimitExceeded');
  });

  test('tried again after it broke off in the middle, it locks the rest and minds no lock that is there', async () => {
    const locks = new FakeLocks();
    locks.fails = (id) => (id === 'snap-3' ? awsError('InternalError', 500) : undefined);
    await failure(lockSet(input(), locks));
    locks.fails = () => undefined;
    assert.deepEqual(await lockSet(input(), locks), { locked: IDS });
    assert.deepEqual(
      [...locks.held.values()],
      IDS.map(() => input().lock),
    );
  });
});
