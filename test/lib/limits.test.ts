/** What a plan is told of AWS's limits when it is synthesised. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { contextWith } from '../../lab/assembly.ts';
import { freezeframeApp } from '../../lib/app.ts';
import { limitsOf } from '../../lib/limits.ts';
import { parsePlan } from '../../lib/plan.ts';

const nightly = { schedule: 'rate(1 day)', retain: { last: 3, daily: 7 } };
const said = (plan: object): string => limitsOf(parsePlan(plan)).join('\n');

describe('the limits of a plan', () => {
  it('say how many instances have a turn in the window', () =>
    assert.match(
      said({ policies: { nightly: { ...nightly, windowMinutes: 60 } }, pacing: { snapshotsPerSecond: 4, burst: 10 } }),
      /policy nightly has turns for 14410 instances in its window of 60 minutes at 4 a second/,
    ));

  it('say at how many volumes the sets kept fill a Region', () =>
    assert.match(said({ policies: { nightly } }), /10 sets kept of every volume.*at 10000 volumes/));

  it('warn of a pace beyond the bucket of CreateSnapshots, and of no other', () => {
    const pace = (pacing: object) => said({ policies: { nightly }, pacing });
    assert.match(pace({ snapshotsPerSecond: 20 }), /have both quotas raised first/);
    assert.match(pace({ burst: 200 }), /have both quotas raised first/);
    assert.doesNotMatch(said({ policies: { nightly } }), /raised first/);
  });

  it('compare the pace with the rates of Step Functions and Lambda', () => {
    assert.match(said({ policies: { nightly } }), /89 state transitions a second, of 800/);
    assert.match(said({ policies: { nightly }, pacing: { snapshotsPerSecond: 100 } }), /turns will be missed/);
  });

  it('tell of volumes with one snapshot at a time, and of more than 10,000 instances', () => {
    assert.match(said({ policies: { nightly } }), /st1 or sc1 volume has one snapshot in flight/);
    assert.match(said({ policies: { nightly } }), /more than 10000 instances/);
  });

  it('are all said at synth', async () => {
    const plan = { policies: { nightly } };
    const app = freezeframeApp({ context: contextWith(plan) });
    const notes = app.synth().stacks.flatMap(({ messages }) => messages.map(({ entry }) => String(entry.data)));
    for (const sentence of limitsOf(parsePlan(plan))) assert.ok(notes.includes(`Freezeframe: ${sentence}`), sentence);
  });
});
