/** prune --dry-run decides as the prune does; cost adds up what can be known. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { estimateOf, firingsInMonth, PRICES } from '../../cli/cost.ts';
import { PRUNE, SET_TAGS, USER_TAGS } from '../../lambdas/shared/names.ts';
import { ModelAccount } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open();
});
after(() => account.close());

describe('prune --dry-run', () => {
  it('says of each set what the workflow says of it, and deletes nothing', async () => {
    const server = account.launch({ policy: 'loose' });
    const runs: string[] = [];
    for (let backups = 0; backups < 5; backups += 1) runs.push((await account.backup(server)).name);
    // The plan of the tests keeps the last three.
    for (const { tags } of account.snapshotsOf(runs[0] as string)) tags.set(USER_TAGS.hold, 'court order');
    // Sets of the account's clock, which may be ahead of this process's.
    for (const run of runs) {
      for (const snapshot of account.snapshotsOf(run))
        Object.assign(snapshot, { startedAt: snapshot.startedAt - 3_600_000 });
    }
    const { exit, json } = await freezeframe(account, 'prune --dry-run --json');
    assert.equal(exit, 0);
    const fates = Object.fromEntries(
      json.decisions.map(({ set, keep, due }: Record<string, unknown>) => [
        set,
        keep ? (due ? 'held' : 'stays') : 'goes',
      ]),
    );
    assert.deepEqual(
      runs.map((run) => fates[run]),
      ['held', 'goes', 'stays', 'stays', 'stays'],
    );
    assert.equal(account.snapshotsOn(server).length, 15);

    const { out } = await freezeframe(account, 'prune --dry-run');
    assert.match(out, new RegExp(`^goes +${runs[1]} .* no rule of its policy keeps it$`, 'm'));
    assert.match(out, new RegExp(`^held +${runs[0]} .* held by the tag freezeframe:hold$`, 'm'));
    assert.match(out, /1 set would go \(3 snapshots\), 1 due but held, 3 stay\. Nothing was deleted\./);

    const prune = await account.stepFunctions.run(PRUNE, { dryRun: false });
    assert.equal(prune.status, 'SUCCEEDED', prune.cause);
    const left = new Set(account.snapshotsOn(server).map(({ tags }) => tags.get(SET_TAGS.set)));
    assert.deepEqual(left, new Set(runs.filter((run) => fates[run] !== 'goes')));
  });

  it('wants to be told that it only looks', async () => {
    const { exit, err } = await freezeframe(account, 'prune');
    assert.equal(exit, 2);
    assert.match(err, /prune only looks: say --dry-run/);
  });
});

describe('cost', () => {
  it('counts the runs of the month ahead from schedules and tags, and adds them up', async () => {
    account.launch({ policy: 'nightly' });
    account.launch({ policy: 'nightly loose' });
    const { exit, json } = await freezeframe(account, 'cost --json');
    assert.equal(exit, 0);
    const [nightly] = json.policies.filter(({ policy }: { policy: string }) => policy === 'nightly');
    assert.deepEqual([nightly.instances, nightly.firings, nightly.runs], [2, 30, 60]);
    const { transitions, lambda, metrics, certain } = json.months;
    assert.ok(Math.abs(transitions + lambda + metrics - certain) < 1e-9);
    assert.ok(json.unknown.length > 0);
  });

  it('puts storage between the largest set of each instance and all sets in full', () => {
    const set = (instance: string, gib: number) => ({ instance, startedAt: 0, fullBytes: gib * 2 ** 30, sizeGiB: 500 });
    const { storage, months } = estimateOf([], [set('i-1', 100), set('i-1', 120), set('i-2', 10)]);
    assert.deepEqual(storage, { floorGB: 130, ceilingGB: 230, sized: true });
    assert.equal(months.storageFloor, 130 * PRICES.snapshotGB);
  });

  it('knows no floor where EC2 has told no full size', () => {
    const { storage } = estimateOf([], [{ instance: 'i-1', startedAt: 0, fullBytes: null, sizeGiB: 500 }]);
    assert.deepEqual(storage, { floorGB: 0, ceilingGB: 500, sized: false });
  });

  it('counts firings of cron expressions and rates', () => {
    const at = Date.UTC(2026, 10, 1);
    assert.equal(firingsInMonth({ schedule: 'cron(0 3 * * ? *)', timeZone: 'UTC' }, at), 30);
    assert.equal(firingsInMonth({ schedule: 'rate(6 hours)', timeZone: 'UTC' }, at), 120);
    assert.equal(firingsInMonth({ schedule: 'cron(0 3 ? * SUN *)', timeZone: 'Europe/Berlin' }, at), 5);
  });
});
