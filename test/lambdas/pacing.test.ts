/** When targets have their turns, against the bucket that AWS documents: 100 tokens, 5 more a second. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Paced, type Pacing, pace } from '../../lambdas/find-targets/pacing.ts';
import { TURN_SECONDS } from '../../lambdas/shared/budget.ts';
import { parsePlan } from '../../lib/plan.ts';

const { pacing } = parsePlan({ policies: { nightly: { schedule: 'rate(1 day)', retain: { last: 1 } } } });
const PACING: Pacing = {
  perSecond: pacing.snapshotsPerSecond,
  burst: pacing.burst,
  slotSeconds: 165,
};
/** Runs may reach CreateSnapshots so much later than others do, and no token is missing. */
const SPREAD_SECONDS = TURN_SECONDS;

const many = (count: number): Paced[] => Array.from({ length: count }, (_, index) => ({ id: `i-${index}` }));
const grouped = fc
  .array(fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }), { maxLength: 400 })
  .map((groups) => groups.map((group, index) => ({ id: `i-${index}`, group: group?.toString() })));

/** Requests that find the bucket empty. */
function throttles(times: readonly number[], { capacity = 100, perSecond = 5 } = {}): number {
  let [tokens, filledAt, throttled] = [capacity, 0, 0];
  for (const at of times.toSorted((a, b) => a - b)) {
    tokens = Math.min(capacity, tokens + (at - filledAt) * perSecond);
    filledAt = at;
    if (tokens < 1) throttled += 1;
    else tokens -= 1;
  }
  return throttled;
}

describe('turns', () => {
  it('never empty the bucket, whatever the groups, while runs are no more than 15 s apart on their way', () => {
    fc.assert(
      fc.property(
        grouped,
        fc.array(fc.double({ min: 0, max: SPREAD_SECONDS, noNaN: true }), { minLength: 1 }),
        (targets, delays) => {
          const turns = pace(targets, PACING);
          const times = turns.map(({ atSeconds }, index) => atSeconds + (delays[index % delays.length] as number));
          assert.equal(throttles(times), 0);
        },
      ),
      { seed: 6 },
    );
  });

  it('never empty it at ten thousand targets, all late or all in time', () => {
    const turns = pace(many(10_000), PACING);
    for (const delay of [
      () => 0,
      (index: number) => (index % 2) * SPREAD_SECONDS,
      (index: number) => (index * 7) % SPREAD_SECONDS,
    ]) {
      assert.equal(throttles(turns.map(({ atSeconds }, index) => atSeconds + delay(index))), 0);
    }
  });

  it('would empty it without pacing: the check above can fail', () => {
    assert.ok(throttles(pace(many(1_000), { ...PACING, perSecond: 1_000 }).map(({ atSeconds }) => atSeconds)) > 0);
  });

  it('take no more than 5 % longer than the bucket itself at ten thousand targets', () => {
    const last = pace(many(10_000), PACING).at(-1)?.atSeconds ?? 0;
    const floor = (10_000 - 100) / 5;
    assert.ok(last < floor * 1.05, `${last} s against ${floor} s`);
  });

  it('of one group are never in one slot, and everybody has one turn', () => {
    fc.assert(
      fc.property(grouped, (targets) => {
        const turns = pace(targets, PACING);
        assert.deepEqual(turns.map(({ id }) => id).sort(), targets.map(({ id }) => id).sort());
        const last = new Map<string, number>();
        for (const { id, atSeconds } of turns) {
          const { group } = targets.find((target) => target.id === id) as Paced;
          if (group === undefined) continue;
          assert.ok(atSeconds >= (last.get(group) ?? Number.NEGATIVE_INFINITY) + PACING.slotSeconds);
          last.set(group, atSeconds);
        }
      }),
      { seed: 6, numRuns: 50 },
    );
  });

  it('come in the order of their time', () => {
    fc.assert(
      fc.property(grouped, (targets) => {
        const times = pace(targets, PACING).map(({ atSeconds }) => atSeconds);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
      }),
      { seed: 6, numRuns: 50 },
    );
  });

  it('of a small fleet are all at once', () => {
    assert.deepEqual(
      pace(many(25), PACING).map(({ atSeconds }) => atSeconds),
      Array(25).fill(0),
    );
  });

  it('of nobody are none', () => assert.deepEqual(pace([], PACING), []));
});
