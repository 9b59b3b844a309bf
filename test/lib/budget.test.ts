/** The times that the steps allow themselves, against the leases that a plan may ask for and the time they are given. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as budget from '../../lambdas/shared/budget.ts';
import { RunPolicy } from '../../lambdas/shared/contracts.ts';
import { FUNCTIONS } from '../../lib/functions.ts';
import { parsePlan } from '../../lib/plan.ts';

const SHORTEST_LEASE = 20;
const LONGEST_LEASE = 300;

const takesLease = (leaseSeconds: number): boolean => {
  const policies = { nightly: { schedule: 'rate(1 day)', retain: { last: 1 }, freeze: { leaseSeconds } } };
  try {
    parsePlan({ policies });
    return true;
  } catch {
    return false;
  }
};

it('a plan takes exactly the leases that a run takes', () => {
  for (const lease of [SHORTEST_LEASE - 1, SHORTEST_LEASE, LONGEST_LEASE, LONGEST_LEASE + 1]) {
    const run = RunPolicy.safeParse({ grade: 'crash', onDowngrade: 'keep', leaseSeconds: lease });
    assert.equal(takesLease(lease), lease >= SHORTEST_LEASE && lease <= LONGEST_LEASE, `${lease}`);
    assert.equal(run.success, takesLease(lease), `${lease}`);
  }
});

describe('the shortest lease', () => {
  it('leaves the host five seconds or more to freeze', () => assert.ok(SHORTEST_LEASE - budget.RESERVE_SECONDS >= 5));

  it('outlasts the way of the freeze to the host', () => assert.ok(SHORTEST_LEASE > budget.DELIVERY_SECONDS));

  it('has room in its reserve for the answer of Freeze and for the last moment to ask for a set', () =>
    assert.ok(budget.RESERVE_SECONDS >= budget.ANSWER_SECONDS + budget.LAST_CALL_SECONDS + 5));
});

describe('each function has the time that its step allows itself', () => {
  // What comes on top: a cold start, the calls before and after, each bounded by the SDK client's own timeouts.
  const MARGIN_MS = 20_000;
  const CASES: ReadonlyArray<readonly [title: string, name: keyof typeof FUNCTIONS, ms: number]> = [
    ['Inspect host', 'inspect-host', budget.INSPECT_MS],
    ['Rehearse', 'create-snapshots', budget.REHEARSE_WAIT_MS + budget.CREATE_SNAPSHOTS_MS],
    ['Freeze under the longest lease', 'freeze', budget.FREEZE_SEND.patienceMs + LONGEST_LEASE * 1_000],
    ['Create snapshots', 'create-snapshots', budget.CREATE_SNAPSHOTS_MS + budget.LOOKUP_MS],
    // Looks for an earlier set, asks for one, and looks again when the answer is lost.
    ['Create snapshots unfrozen', 'create-snapshots', budget.CREATE_SNAPSHOTS_MS + 2 * budget.LOOKUP_MS],
    ['Thaw', 'thaw', budget.THAW_SEND.patienceMs + budget.THAW_MS],
  ];
  for (const [title, name, ms] of CASES) {
    it(title, () => assert.ok(FUNCTIONS[name].timeoutSeconds * 1_000 >= ms + MARGIN_MS));
  }
});
