import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkSnapshots, type SnapshotProgress } from '../../lambdas/check-snapshots/check-snapshots.ts';
import { DATA_1, NOW, RUN } from './builders.ts';

const snapshot = (id: number, changes: Partial<SnapshotProgress> = {}): SnapshotProgress => ({
  snapshotId: `snap-${id}`,
  volumeId: DATA_1,
  startTime: new Date(NOW).toISOString(),
  state: 'completed',
  percent: 100,
  stateMessage: '',
  tags: { 'freezeframe:set': RUN },
  ...changes,
});
const graded = (checks = 0, waitSeconds = 15) => ({
  run: RUN,
  snapshotIds: ['snap-1', 'snap-2'],
  progress: { checks, waitSeconds, completed: false, percent: 0 },
});
const pending = { state: 'pending', percent: 40 };

describe('Check snapshots', () => {
  test('a second set of the run that turned up after the grade ends the run red, by name', () => {
    assert.throws(() => checkSnapshots(graded(), [snapshot(1), snapshot(2), snapshot(3)], NOW), {
      name: 'StraySnapshotsError',
      message: /snap-3 turned up/,
    });
  });

  test('a stray that Grade has put out of the set is no news', () => {
    const stray = snapshot(3, { tags: { 'freezeframe:set': `${RUN}-stray` }, state: 'pending', percent: 0 });
    assert.equal(checkSnapshots(graded(), [snapshot(1), snapshot(2), stray], NOW).completed, true);
  });

  test("a snapshot in state error fails the set and is named with EC2's reason", () => {
    const failed = snapshot(2, { state: 'error', stateMessage: 'the KMS key is disabled' });
    assert.throws(() => checkSnapshots(graded(), [snapshot(1), failed], NOW), {
      name: 'SnapshotFailedError',
      message: new RegExp(`snap-2 of ${DATA_1} failed.*KMS key is disabled`),
    });
  });

  test('a set that is not complete after 48 hours is stuck', () => {
    assert.throws(() => checkSnapshots(graded(500), [snapshot(1), snapshot(2, pending)], NOW + 49 * 3_600_000), {
      name: 'SnapshotsStuckError',
      message: /snap-2/,
    });
  });

  test('a snapshot that never shows was deleted', () => {
    assert.throws(() => checkSnapshots(graded(3), [snapshot(1)], NOW), {
      name: 'SnapshotGoneError',
      message: /snap-2/,
    });
  });

  test('a snapshot that does not show yet is waited for', () => {
    assert.equal(checkSnapshots(graded(0), [snapshot(1)], NOW).completed, false);
  });

  test('progress is that of the whole set', () => {
    assert.deepEqual(checkSnapshots(graded(), [snapshot(1), snapshot(2, pending)], NOW), {
      checks: 1,
      waitSeconds: 15,
      completed: false,
      percent: 70,
    });
  });

  test('waits are half the age of the set, from 15 seconds to half an hour', () => {
    for (const [age, wait] of [
      [0, 15],
      [20, 15],
      [600, 300],
      [3_600, 1_800],
      [40 * 3_600, 1_800],
    ] as const) {
      const progress = checkSnapshots(graded(), [snapshot(1), snapshot(2, pending)], NOW + age * 1_000);
      assert.equal(progress?.waitSeconds, wait, `${age} s`);
    }
  });

  test('is complete when every snapshot is', () => {
    const { completed, percent } = checkSnapshots(graded(), [snapshot(1), snapshot(2)], NOW + 60 * 3_600_000);
    assert.deepEqual([completed, percent], [true, 100]);
  });
});
