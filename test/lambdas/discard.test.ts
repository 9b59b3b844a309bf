import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { discard, type Sets } from '../../lambdas/discard/discard.ts';
import { RUN } from './builders.ts';
import { awsError, failure } from './fakes.ts';

/** Snapshots of the Region; those not `shown` can be found by id but not by tag yet. */
class FakeSets implements Sets {
  readonly snapshots: { snapshotId: string; tags: Record<string, string>; shown: boolean }[];
  fault: Error | undefined;
  constructor(...snapshots: [id: string, run: string | undefined, shown?: boolean][]) {
    this.snapshots = snapshots.map(([snapshotId, owner, shown = true]) => ({
      snapshotId,
      tags: owner === undefined ? {} : { 'freezeframe:run': owner },
      shown,
    }));
  }
  ofRun = async (run: string) => this.snapshots.filter((each) => each.shown && each.tags['freezeframe:run'] === run);
  byId = async (ids: readonly string[]) => this.snapshots.filter((each) => ids.includes(each.snapshotId));
  delete = async (id: string) => {
    if (this.fault) throw this.fault;
    this.snapshots.splice(
      this.snapshots.findIndex((each) => each.snapshotId === id),
      1,
    );
  };
  get left() {
    return this.snapshots.map((each) => each.snapshotId);
  }
}

describe('Discard', () => {
  test('what does not bear the tag of the run is left alone and named, and the rest is deleted', async () => {
    const sets = new FakeSets(['snap-1', RUN], ['snap-2', 'another-run'], ['snap-3', undefined]);
    const error = await failure(discard({ run: RUN, snapshotIds: ['snap-1', 'snap-2', 'snap-3'] }, sets));
    assert.equal(error.name, 'ForeignSnapshotError');
    assert.match(error.message, /snap-2, snap-3/);
    assert.deepEqual(sets.left, ['snap-2', 'snap-3']);
  });

  test('an error of EC2 is not swallowed', async () => {
    const sets = new FakeSets(['snap-1', RUN]);
    sets.fault = awsError('SnapshotLocked');
    assert.equal((await failure(discard({ run: RUN, snapshotIds: ['snap-1'] }, sets))).name, 'SnapshotLocked');
  });

  test('what nobody noted down is found by its tag, and what has no tag to be found by yet by its id', async () => {
    const sets = new FakeSets(['snap-1', RUN], ['snap-2', RUN, false], ['snap-3', 'another-run']);
    assert.deepEqual(await discard({ run: RUN, snapshotIds: ['snap-2'] }, sets), { deleted: ['snap-1', 'snap-2'] });
    assert.deepEqual(sets.left, ['snap-3']);
  });

  test('a second time there is nothing to do', async () => {
    assert.deepEqual(await discard({ run: RUN, snapshotIds: ['snap-1'] }, new FakeSets()), { deleted: [] });
  });
});
