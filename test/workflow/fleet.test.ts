/**
 * The fleet end to end: a schedule fires, and the synthesised workflows with the shipped Lambdas back up what is tagged,
 * in virtual time. Each test says what the world must be like afterwards.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import { DEFAULT_LIMITS } from '../../lab/aws/limits.ts';
import { BACKUP, DOCUMENTS, FLEET, FLEET_EVENT, SET_TAGS, STATES, USER_TAGS } from '../../lambdas/shared/names.ts';
import { ModelAccount, type Server } from '../support/model-account.ts';
import { stateMachine, synth } from '../support/synth.ts';

const { resources, resolve } = await synth();
const account = await ModelAccount.open({ limits: DEFAULT_LIMITS });
const { stepFunctions, world, clock } = account;

afterEach(async () => {
  stepFunctions.onEnter = undefined;
  stepFunctions.loseEvent = undefined;
  world.ec2.instances.clear();
  stepFunctions.executions.length = 0;
  stepFunctions.putEvents.length = 0;
  // Past the turns that the firing had booked.
  await clock.sleep(3_600_000);
});

const executions = (machine: string) => stepFunctions.executions.filter((each) => each.machine.name === machine);

/** A policy's schedule fires, so many times for one and the same moment, and everything that comes of it ends. */
async function fire(policy: string, { times = 1, at = clock.now() } = {}): Promise<Execution> {
  for (let time = 0; time < times; time += 1) await stepFunctions.fire(`Freezeframe-${policy}`, at);
  await stepFunctions.idle();
  return executions(FLEET).at(-1) as Execution;
}

interface Reported {
  red: boolean;
  subject: string;
  message: string;
  event: {
    missed: number;
    grades: Record<string, number>;
    instances: { instanceId: string; error: string; why: string }[];
  };
}
const reported = (fleet: Execution): Reported => {
  const exit = fleet.history.find(({ type, state }) => type === 'StateExited' && state === 'Report');
  assert.ok(exit, 'the fleet has not come to Report');
  return (exit.output as { reported: Reported }).reported;
};
const grades = ({ volumes }: Server) =>
  [...world.ec2.snapshots.all.values()]
    .filter(({ volumeId }) => volumes.includes(volumeId))
    .map(({ tags }) => tags.get(SET_TAGS.grade));

describe('a firing', () => {
  it('backs up every instance of its policy, tells so, and ends green', async () => {
    const servers = Array.from({ length: 3 }, () => account.launch());
    const other = account.launch({ policy: 'files' });
    const fleet = await fire('nightly');
    assert.deepEqual([fleet.status, fleet.cause], ['SUCCEEDED', undefined]);
    for (const server of servers) {
      assert.deepEqual(grades(server), ['application', 'application', 'application']);
      assert.equal(server.host.frozen, false);
    }
    assert.deepEqual(grades(other), []);
    assert.equal(reported(fleet).subject, 'Freezeframe nightly: 3 backed up');
    assert.match(reported(fleet).message, /Next run: 20/);
    const [event] = stepFunctions.putEvents as { Source: string; DetailType: string; Detail: object }[];
    assert.deepEqual([event?.Source, event?.DetailType], [FLEET_EVENT.source, FLEET_EVENT.detailType]);
  });

  it('names each run by its instance, the time and the policy', async () => {
    const server = account.launch({ policy: 'nightly strict' });
    await fire('strict');
    const [run] = executions(BACKUP);
    assert.match(run?.name ?? '', new RegExp(`^${server.id}-\\d{4}-\\d\\d-\\d\\dT\\d{6}Z-strict$`));
    assert.deepEqual([run?.status, executions(BACKUP).length], ['SUCCEEDED', 1]);
  });

  it('that is delivered twice starts one run', async () => {
    const server = account.launch();
    await fire('nightly', { times: 2 });
    assert.deepEqual([executions(FLEET).length, executions(BACKUP).length], [1, 1]);
    // And once more when all is over.
    const at = executions(FLEET)[0]?.input as { time: string };
    await fire('nightly', { at: Date.parse(at.time) });
    assert.deepEqual([executions(FLEET).length, executions(BACKUP).length], [1, 1]);
    assert.equal(grades(server).length, server.volumes.length);
    assert.ok(stepFunctions.executions.every(({ status }) => status === 'SUCCEEDED'));
  });

  it('ends red for one bad instance, and the others are backed up all the same', async () => {
    const good = Array.from({ length: 4 }, () => account.launch());
    const bad = account.launch();
    bad.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
    const fleet = await fire('nightly');
    assert.deepEqual([fleet.status, fleet.error], ['FAILED', 'InstancesMissedError']);
    for (const server of good) assert.deepEqual(new Set(grades(server)), new Set(['application']));
    const { event, subject } = reported(fleet);
    assert.equal(subject, 'Freezeframe nightly: 1 of 5 missed');
    assert.deepEqual(
      event.instances.map(({ instanceId, error }) => [instanceId, error]),
      [[bad.id, 'LockTimeoutError']],
    );
    assert.equal(bad.host.frozen, false);
  });

  it('tells of every tagged instance that it does not back up, and why', async () => {
    account.launch();
    const misspelt = account.launch({ policy: 'nihgtly' });
    const unmanaged = account.launch();
    (world.ec2.instances.get(unmanaged.id) as { agent: undefined }).agent = undefined;
    const fleet = await fire('nightly');
    assert.equal(fleet.status, 'FAILED');
    assert.deepEqual(
      reported(fleet).event.instances.map(({ instanceId, error }) => [instanceId, error]),
      [
        [misspelt.id, 'UnknownPolicyError'],
        [unmanaged.id, 'AgentMissingError'],
      ],
    );
    assert.equal(executions(BACKUP).length, 1);
  });

  it('tells of an instance whose agent has lost its connection', async () => {
    const server = account.launch();
    server.host.online = false;
    const fleet = await fire('nightly');
    const { instances } = reported(fleet).event;
    assert.deepEqual(
      instances.map(({ instanceId, error }) => [instanceId, error]),
      [[server.id, 'AgentOfflineError']],
    );
    assert.match(instances[0]?.why ?? '', /ConnectionLost|connection/);
  });

  it('goes on with the documents that it began with when others are deployed meanwhile', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    const names = [DOCUMENTS.freeze, DOCUMENTS.thaw];
    const { documents, invocations } = world.ssm;
    const sentBefore = invocations.length;
    const before = names.map((name) => documents.find(name).version);
    stepFunctions.onEnter = (run, state) => {
      if (run.machine.name !== BACKUP || state !== STATES.freeze) return;
      for (const name of names) documents.put(name, { ...documents.find(name).content, description: 'newer' });
      stepFunctions.onEnter = undefined;
    };
    await fire('nightly');
    const sent = () =>
      names.map(
        (name) => invocations.slice(sentBefore).findLast(({ document }) => document.name === name)?.document.version,
      );
    assert.deepEqual(sent(), before);
    assert.deepEqual(new Set(grades(server)), new Set(['application']));
    // The next firing is of the new deployment.
    await fire('nightly', { at: account.clock.now() + 60_000 });
    assert.deepEqual(
      sent(),
      names.map((name) => documents.find(name).version),
    );
    assert.notDeepEqual(sent(), before);
  });

  it('with nobody tagged ends green', async () => {
    const fleet = await fire('nightly');
    assert.deepEqual([fleet.status, reported(fleet).subject], ['SUCCEEDED', 'Freezeframe nightly: 0 backed up']);
  });

  it('never freezes two members of a group at the same time', async () => {
    const members = Array.from({ length: 3 }, () =>
      account.launch({ mode: 'fs-freeze', tags: { [USER_TAGS.group]: 'cluster-a' } }),
    );
    const fleet = await fire('nightly');
    assert.deepEqual([fleet.status, fleet.cause], ['SUCCEEDED', undefined]);
    const times = members.flatMap(({ host }) => host.witnessed.map(({ at }) => at)).sort((a, b) => a - b);
    assert.equal(times.length, 3);
    for (const [index, at] of times.slice(1).entries()) assert.ok(at - (times[index] as number) > 60_000);
  });

  it('gives another turn to a run that is throttled, which touches no host before it', async () => {
    const servers = Array.from({ length: 2 }, () => account.launch({ mode: 'fs-freeze' }));
    const throttled = world.faults.add({
      service: 'ssm',
      action: 'SendCommand',
      nth: 1,
      fault: { kind: 'error', code: 'ThrottlingException' },
    });
    const fleet = await fire('nightly');
    throttled();
    assert.deepEqual([fleet.status, fleet.cause], ['SUCCEEDED', undefined]);
    for (const server of servers) assert.deepEqual(new Set(grades(server)), new Set(['application']));
    const runs = executions(BACKUP);
    assert.deepEqual(runs.map(({ status }) => status).sort(), ['FAILED', 'SUCCEEDED', 'SUCCEEDED']);
    const missed = runs.find(({ status }) => status === 'FAILED');
    assert.deepEqual([missed?.error, missed?.path], ['TurnMissedError', [STATES.inspect]]);
    assert.ok(runs.some(({ name, status }) => name === `${missed?.name}-2` && status === 'SUCCEEDED'));
    assert.match(reported(fleet).message, /1 of 2 runs missed their turn/);
  });

  it('gives two turns and no more', async () => {
    const server = account.launch();
    const throttled = world.faults.add({
      service: 'ssm',
      action: 'SendCommand',
      fault: { kind: 'error', code: 'ThrottlingException' },
    });
    const fleet = await fire('nightly');
    throttled();
    assert.deepEqual([fleet.status, executions(BACKUP).length, grades(server)], ['FAILED', 2, []]);
    assert.deepEqual(
      reported(fleet).event.instances.map(({ instanceId, error }) => [instanceId, error]),
      [[server.id, 'TurnMissedError']],
    );
  });

  it('thaws the host of a run that somebody stops, although its watchdog sleeps', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.watchdogAsleep = true;
    // No event comes of it: the fleet's own catch is what is left.
    stepFunctions.loseEvent = () => true;
    stepFunctions.onEnter = (run, state) => {
      if (run.machine.name === BACKUP && state === STATES.createSnapshots) run.stop();
    };
    const fleet = await fire('nightly');
    assert.deepEqual([fleet.status, server.host.frozen], ['FAILED', false]);
    assert.equal(reported(fleet).event.instances[0]?.error, 'Execution ABORTED');
  });
});

describe('the definitions', () => {
  for (const name of [FLEET, 'Freezeframe-Firing']) {
    it(`${name} is one that Step Functions takes`, () => {
      const definition = JSON.parse(String(resolve(stateMachine(resources, name).Properties.DefinitionString)));
      const { isValid, errorsText } = createRequire(import.meta.url)('asl-validator')(definition);
      assert.ok(isValid, isValid ? '' : errorsText('\n'));
    });
  }

  it('lets no red run stop the others', () => {
    const { States } = JSON.parse(String(resolve(stateMachine(resources, FLEET).Properties.DefinitionString)));
    assert.equal(States['For each target'].ToleratedFailurePercentage, 100);
  });
});
