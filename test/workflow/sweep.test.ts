/** The sweeper and runs that go on: what hangs while its host is frozen is thawed, what needs nothing is left alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import { LONGEST_LEASE_SECONDS } from '../../lambdas/shared/budget.ts';
import { SET_TAGS, STATES } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import type { Server } from '../support/model-account.ts';
import { ringing } from '../support/ringing.ts';

// Snapshots that take an hour: a run goes on for long without anything being wrong with it.
const { account, refused } = await judgedAccount({ latency: { snapshotCompletionMs: 3_600_000 } });
const { stepFunctions, clock, deployment } = account;

const MINUTE = 60_000;
/** What the sweeper leaves every run that goes on: the longest lease, and two minutes for its own thaw. */
const OVERDUE_MS = LONGEST_LEASE_SECONDS * 1_000 + 2 * MINUTE;

async function cameTo(run: Execution, state: string): Promise<void> {
  while (run.status === 'RUNNING' && !run.path.includes(state)) await clock.sleep(500);
  assert.equal(run.status, 'RUNNING');
}

/** The function of a state of this server's runs hangs before it has done anything, until that is taken back. */
const hangIn = ({ id }: Server, state: string): (() => void) =>
  deployment.lambdas.faults.add({
    state,
    when: (event) => JSON.stringify(event).includes(id) && !JSON.stringify(event).includes('"askedBy":"rescue"'),
    fault: { kind: 'stuck' },
  });

/** The sweeper comes round; what it started has ended. */
async function swept(run: Execution): Promise<Execution[]> {
  await stepFunctions.tick();
  return await Promise.all(account.rescuesOf(run).map(({ ended }) => ended));
}

const thawsOf = ({ host }: Server) => host.steps.filter(({ document }) => document === 'Freezeframe-Thaw').length;

describe('the sweeper', { concurrency: 3 }, () => {
  it('thaws the host of a run that hangs, once its freeze is older than every lease, and the run ends red', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.watchdogAsleep = true;
    const goesOn = hangIn(server, STATES.thaw);
    const run = account.start(server);
    await cameTo(run, STATES.thaw);
    const frozenAt = clock.now();
    assert.deepEqual(await swept(run), [], 'its own thaw still has its time');
    assert.equal(server.host.frozen, true);

    await clock.sleep(frozenAt + OVERDUE_MS - clock.now());
    const [rescue] = await swept(run);
    assert.deepEqual([rescue?.name, rescue?.status, run.status], [run.name, 'SUCCEEDED', 'RUNNING']);
    assert.deepEqual([server.host.frozen, server.host.receipt(run.name)?.thawedBy], [false, 'rescue']);
    assert.equal((await swept(run)).length, 1, 'once');

    goesOn();
    await cameTo(run, STATES.checkSnapshots);
    const set = account.snapshotsOf(run.name);
    assert.deepEqual([set.length, ...new Set(set.map(({ tags }) => tags.get(SET_TAGS.grade)))], [3, 'crash']);
    for (const snapshot of set) snapshot.state = 'completed';
    const { status, error } = await run.ended;
    assert.deepEqual([status, error], ['FAILED', 'GradeMissedError']);
  });

  it('leaves a run alone that hangs before its freeze', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    const goesOn = hangIn(server, STATES.inspect);
    const run = account.start(server);
    await clock.sleep(OVERDUE_MS + MINUTE);
    assert.deepEqual([await swept(run), run.status, server.host.steps.length], [[], 'RUNNING', 0]);
    goesOn();
  });

  it('leaves a run alone that has thawed, however long it waits for its snapshots', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    const run = account.start(server);
    await cameTo(run, STATES.checkSnapshots);
    await clock.sleep(OVERDUE_MS + MINUTE);
    assert.deepEqual([await swept(run), run.status, thawsOf(server)], [[], 'RUNNING', 1]);
    assert.equal(server.host.receipt(run.name)?.thawedBy, 'asked');
  });
});

it('no alarm rings for any of that, and no call was made that its role does not allow', () =>
  assert.deepEqual([ringing(account), refused], [[], []]));
