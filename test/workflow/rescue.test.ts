/** The second ring: the rescue of runs that were stopped, and the sweeper behind it, on hosts that do not thaw themselves. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import { RESCUE_STATES, STATES } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import type { Server } from '../support/model-account.ts';
import { synth } from '../support/synth.ts';

const { account, refused, judged } = await judgedAccount();
const { stepFunctions, clock } = account;
const stopAt = new Map<string, string>();
stepFunctions.onEnter = (run, state) => {
  if (stopAt.get(run.name) === state) run.stop('Stopped', 'by the operator');
};
const lost = new Set<string>();
stepFunctions.loseEvent = ({ detail }) => lost.has(String(detail.name));

/** A run that is stopped while its host is frozen, on a host whose watchdog sleeps. */
async function stoppedWhileFrozen({ eventLost = false } = {}): Promise<{ server: Server; run: Execution }> {
  const server = account.launch({ mode: 'fs-freeze' });
  server.host.trouble.watchdogAsleep = true;
  const run = account.start(server);
  stopAt.set(run.name, STATES.createSnapshots);
  if (eventLost) lost.add(run.name);
  await run.ended;
  assert.deepEqual([run.status, server.host.frozen], ['ABORTED', true]);
  return { server, run };
}

async function rescues(run: Execution): Promise<Execution[]> {
  await clock.sleep(1_000);
  return await Promise.all(account.rescuesOf(run).map(({ ended }) => ended));
}

const thaws = ({ host }: Server) => host.steps.filter(({ document }) => document.endsWith('-Thaw'));

describe('the rescue', { concurrency: 6 }, () => {
  it('thaws the host of a run that was stopped while it was frozen', async () => {
    const { server, run } = await stoppedWhileFrozen();
    const [rescue, ...more] = await rescues(run);
    assert.deepEqual([rescue?.status, more.length, server.host.frozen], ['SUCCEEDED', 0, false]);
    assert.equal(server.host.receipt(run.name)?.thawedBy, 'rescue');
    assert.deepEqual(server.host.witnessed, []);
  });

  it('leaves a host in peace that its run has thawed', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.lostLocks = ['mysql'];
    const run = await account.backup(server);
    const [rescue] = await rescues(run);
    assert.deepEqual([run.status, rescue?.status, rescue?.path.at(-1)], ['FAILED', 'SUCCEEDED', 'Nothing to thaw']);
    assert.equal(thaws(server).length, 1);
  });

  it('leaves a host in peace that its run has not frozen', async () => {
    const server = account.launch({ mode: 'magic' });
    const [rescue] = await rescues(await account.backup(server));
    assert.equal(rescue?.path.at(-1), 'Nothing to thaw');
    assert.deepEqual(server.host.steps, []);
  });

  it('has nothing to do for a run whose input never was one', async () => {
    for (const input of [{}, 'i-1', { instanceId: 'localhost; reboot' }, null]) {
      const run = stepFunctions.start('Freezeframe-Backup', input, `odd-${JSON.stringify(input).length}`);
      await run.ended;
      const [rescue] = await rescues(run);
      assert.deepEqual([run.status, rescue?.status, rescue?.path.at(-1)], ['FAILED', 'SUCCEEDED', 'Nothing to thaw']);
    }
  });

  it('is not started by a run that ends green', async () => {
    const run = await account.backup(account.launch({ mode: 'fs-freeze' }));
    assert.deepEqual([run.status, await rescues(run)], ['SUCCEEDED', []]);
  });
});

describe('the sweeper', () => {
  it('starts the rescue of a run whose event got lost, once', async () => {
    const { server, run } = await stoppedWhileFrozen({ eventLost: true });
    await stepFunctions.tick();
    assert.deepEqual(await rescues(run), [], 'the event still has its time');
    await clock.sleep(125_000);
    await stepFunctions.tick();
    const [rescue] = await rescues(run);
    assert.deepEqual([rescue?.name, rescue?.status, server.host.frozen], [run.name, 'SUCCEEDED', false]);
    await stepFunctions.tick();
    assert.equal((await rescues(run)).length, 1);
  });

  it('does not mind a run that goes on well', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    const run = account.start(server);
    while (run.status === 'RUNNING' && !run.path.includes(STATES.grade)) await clock.sleep(500);
    await stepFunctions.tick();
    assert.equal((await run.ended).status, 'SUCCEEDED');
    assert.equal(thaws(server).length, 1);
  });
});

it('every call that was made is one that the synthesised policies allow', () => {
  assert.deepEqual(refused, []);
  for (const call of ['states:ListExecutions', 'states:GetExecutionHistory', 'states:StartExecution']) {
    assert.ok(judged.has(call), call);
  }
});

describe('the definition of the rescue', async () => {
  const { rescue, resources } = await synth();
  const byType = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);

  it('is one that Step Functions takes', () => {
    const { isValid, errorsText } = createRequire(import.meta.url)('asl-validator')(rescue);
    assert.ok(isValid, isValid ? '' : errorsText('\n'));
  });

  it('tries each of its two tasks again for minutes, whatever the error, and gives each a timeout', () => {
    const tasks = Object.entries(rescue.States).filter(([, { Type }]) => Type === 'Task');
    assert.deepEqual(tasks.map(([name]) => name).sort(), Object.values(RESCUE_STATES).sort());
    for (const [, { Retry = [], TimeoutSeconds = 0 }] of tasks) {
      assert.deepEqual(Retry[0]?.ErrorEquals, ['States.ALL']);
      assert.ok((Retry[0]?.MaxAttempts ?? 0) >= 10 && TimeoutSeconds > 0);
    }
  });

  it('catches nothing, so that a host that could not be thawed ends it red', () =>
    assert.deepEqual(
      Object.values(rescue.States).flatMap(({ Catch = [] }) => Catch),
      [],
    ));

  it('has a dead letter queue behind every event, and an alarm for each way in which the ring can fail', () => {
    for (const { Properties } of byType('AWS::Events::Rule')) {
      for (const { DeadLetterConfig } of Properties.Targets) assert.ok(DeadLetterConfig?.Arn);
    }
    const alarms = byType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.AlarmName);
    for (const name of ['FailedRescue', 'FailingSweep', 'StoppedRescue', 'UndeliveredRescue']) {
      assert.ok(alarms.includes(`Freezeframe-${name}`), name);
    }
  });
});
