/** The second ring when it fails for good: it ends red with the error, an alarm rings, and nothing claims to be thawed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import {
  GRADES,
  RESCUE_STATES,
  SET_TAGS,
  STATES,
  THAW_RESCUE,
  UNPROVEN,
  USER_TAGS,
} from '../../lambdas/shared/names.ts';
import { UNTIL_THAWED } from '../../lib/retries.ts';
import { authorizeBySynthesisedPolicies } from '../support/authorize.ts';
import { ModelAccount, type Server } from '../support/model-account.ts';
import { ringing } from '../support/ringing.ts';

const MINUTE = 60_000;
/** What the rescue waits between its tries: 2 + 4 + 8 + 16 + 12 × 30 s. */
const ALL_RETRIES_MS = 390_000;

const isThaw = (input: unknown): boolean => JSON.stringify(input).includes('Freezeframe-Thaw');

/** Each in an account of its own, since an alarm is about the whole account. */
async function open() {
  const account = await ModelAccount.open();
  const server = account.launch({ mode: 'fs-freeze' });
  server.host.trouble.watchdogAsleep = true;
  return { account, server, [Symbol.asyncDispose]: () => account.close() };
}

/** A run that is stopped while its host is frozen. */
async function stoppedWhileFrozen(account: ModelAccount, server: Server): Promise<Execution> {
  account.stepFunctions.onEnter = (run, state) => {
    if (state === STATES.createSnapshots) run.stop('Stopped', 'by the operator');
  };
  const run = await account.backup(server);
  assert.deepEqual([run.status, server.host.frozen], ['ABORTED', true]);
  return run;
}

async function rescueOf(account: ModelAccount, run: Execution): Promise<Execution> {
  while (account.rescuesOf(run).length === 0) await account.clock.sleep(100);
  return account.rescuesOf(run)[0] as Execution;
}

describe('a rescue', { concurrency: 6 }, () => {
  it('that SSM refuses for longer than it tries ends red with that error; started once more, it thaws', async () => {
    await using opened = await open();
    const { account, server } = opened;
    const mended = account.world.faults.add({
      service: 'ssm',
      action: 'SendCommand',
      when: isThaw,
      fault: { kind: 'error', code: 'AccessDeniedException', status: 403 },
    });
    const run = await stoppedWhileFrozen(account, server);
    const rescue = await (await rescueOf(account, run)).ended;
    assert.ok((rescue.stoppedAt ?? 0) - rescue.startedAt >= ALL_RETRIES_MS, 'it tried for as long as it says');
    assert.deepEqual([rescue.status, rescue.error, rescue.path.at(-1)], ['FAILED', 'NotPermittedError', STATES.thaw]);
    assert.match(rescue.cause ?? '', /ssm:SendCommand/);
    assert.deepEqual(ringing(account), ['Freezeframe-FailedRescue']);
    // The host is as it was, nobody says otherwise, and the run's own end is what it was.
    assert.deepEqual([server.host.frozen, server.host.receipt(run.name)], [true, undefined]);
    assert.deepEqual([run.status, run.error], ['ABORTED', 'Stopped']);

    mended();
    const input = { executionArn: run.arn, name: run.name, input: JSON.stringify(run.input) };
    const again = await account.stepFunctions.run(THAW_RESCUE, input);
    assert.deepEqual([again.status, server.host.frozen], ['SUCCEEDED', false]);
  });

  it('of an instance that is gone ends red, and the run with the error that came first', async () => {
    await using opened = await open();
    const { account, server } = opened;
    server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
    account.stepFunctions.onEnter = (_, state) => {
      const instance = account.world.ec2.instances.get(server.id);
      if (state === STATES.thaw && instance) instance.state = 'stopped';
    };
    const run = await account.backup(server);
    assert.deepEqual([run.status, run.error], ['FAILED', 'LockTimeoutError']);
    const rescue = await (await rescueOf(account, run)).ended;
    assert.deepEqual([rescue.status, rescue.error], ['FAILED', 'AgentOfflineError']);
    assert.match(rescue.cause ?? '', new RegExp(server.id));
    assert.deepEqual(ringing(account), ['Freezeframe-FailedRescue']);
    for (const { tags } of account.snapshotsOf(run.name)) {
      assert.ok([GRADES[0], UNPROVEN].includes(tags.get(SET_TAGS.grade) ?? ''));
    }
  });

  it('of a host whose policy tag was taken off is refused like the thaw of its run: the lease is what thaws', async () => {
    await using opened = await open();
    const { account, server } = opened;
    server.host.trouble.watchdogAsleep = false;
    authorizeBySynthesisedPolicies(account.world, account.deployment.stack);
    account.stepFunctions.onEnter = (_, state) => {
      if (state === STATES.thaw) account.world.ec2.instances.get(server.id)?.tags.delete(USER_TAGS.policy);
    };
    const run = await account.backup(server);
    const grades = account.snapshotsOf(run.name).map(({ tags }) => tags.get(SET_TAGS.grade));
    assert.deepEqual([run.status, run.error, ...new Set(grades)], ['FAILED', 'NotPermittedError', 'crash']);
    assert.deepEqual([server.host.frozen, server.host.receipt(run.name)?.thawedBy], [false, 'lease']);
    const rescue = await (await rescueOf(account, run)).ended;
    assert.deepEqual([rescue.status, rescue.error], ['FAILED', 'NotPermittedError']);
    assert.deepEqual(ringing(account), ['Freezeframe-FailedRescue']);
  });

  it('that somebody stops rings an alarm of its own', async () => {
    await using opened = await open();
    const { account, server } = opened;
    account.world.faults.add({
      service: 'ssm',
      action: 'SendCommand',
      when: isThaw,
      fault: { kind: 'error', code: 'AccessDeniedException', status: 403 },
    });
    const run = await stoppedWhileFrozen(account, server);
    const rescue = await rescueOf(account, run);
    while (!rescue.path.includes(RESCUE_STATES.thaw)) await account.clock.sleep(500);
    rescue.stop('Stopped', 'by the operator');
    await rescue.ended;
    assert.deepEqual([server.host.frozen, ringing(account)], [true, ['Freezeframe-StoppedRescue']]);
  });

  it('whose event cannot be delivered lies in the dead letter queue, rings, and the sweeper starts it', async () => {
    await using opened = await open();
    const { account, server } = opened;
    const { stepFunctions, clock } = account;
    stepFunctions.undeliverable = ({ arn }) => arn.endsWith(`:${THAW_RESCUE}`);
    const run = await stoppedWhileFrozen(account, server);
    await clock.sleep(2 * MINUTE + 5_000);
    const [letter, ...more] = stepFunctions.deadLetters;
    assert.deepEqual([(letter?.input as { name?: string } | undefined)?.name, more.length], [run.name, 0]);
    assert.deepEqual([server.host.frozen, account.rescuesOf(run).length], [true, 0]);
    await stepFunctions.tick();
    assert.equal((await (await rescueOf(account, run)).ended).status, 'SUCCEEDED');
    assert.deepEqual([server.host.frozen, ringing(account)], [false, ['Freezeframe-UndeliveredRescue']]);
  });

  it('that no sweep could start any more rings when three sweeps in a row have failed', async () => {
    await using opened = await open();
    const { stepFunctions, clock, world } = opened.account;
    world.faults.add({
      service: 'states',
      action: 'ListExecutions',
      fault: { kind: 'error', code: 'AccessDeniedException', status: 400 },
    });
    // As the schedule has it: one every five minutes, whether the one before has ended or not.
    const sweeps: Promise<unknown>[] = [];
    while (sweeps.length < 8 && ringing(opened.account).length === 0) {
      await clock.sleep(5 * MINUTE - (clock.now() % (5 * MINUTE)));
      sweeps.push(stepFunctions.tick());
    }
    assert.ok(sweeps.length >= 3, `after ${sweeps.length}`);
    await clock.sleep(4 * MINUTE);
    assert.deepEqual(ringing(opened.account), ['Freezeframe-FailingSweep']);
    await Promise.all(sweeps);
  });
});

it('the time that a rescue waits between its tries is the one told here', () => {
  const { interval, backoffRate = 1, maxDelay, maxAttempts = 0 } = UNTIL_THAWED;
  const waits = Array.from({ length: maxAttempts }, (_, n) =>
    Math.min((interval?.toSeconds() ?? 0) * backoffRate ** n, maxDelay?.toSeconds() ?? Number.POSITIVE_INFINITY),
  );
  assert.equal(waits.reduce((sum, each) => sum + each) * 1_000, ALL_RETRIES_MS);
});
