/** doctor: nothing where all is well, and for each thing that is not what to do about it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Finding } from '../../cli/doctor.ts';
import { BACKUP, DOCUMENTS, PRUNE, SET_TAGS, UNPROVEN } from '../../lambdas/shared/names.ts';
import { healthOf } from '../support/health.ts';
import { ModelAccount } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

let account: ModelAccount;
let health: ReturnType<typeof healthOf>;
before(async () => {
  account = await ModelAccount.open();
  health = healthOf(account);
  account.launch();
  account.launchWindows();
});
after(() => account.close());

const doctor = async () => {
  const { exit, json } = await freezeframe(account, 'doctor --json');
  const findings: Finding[] = json.findings;
  return { exit, findings, bad: findings.filter(({ level }) => level === 'bad') };
};

/** The one finding that a change of the world brings about. */
const finds = async (change: () => void, undo: () => void, check: string, what: RegExp, todo: RegExp) => {
  change();
  const { exit, bad } = await doctor();
  undo();
  assert.deepEqual(
    bad.map((each) => each.check),
    [check],
    JSON.stringify(bad),
  );
  assert.match(bad[0]?.what ?? '', what);
  assert.match(bad[0]?.todo ?? '', todo);
  assert.equal(exit, 1);
};

describe('doctor', () => {
  it('finds nothing where all is well, and ends with 0', async () => {
    const { exit, findings, bad } = await doctor();
    assert.deepEqual(bad, []);
    assert.equal(exit, 0);
    assert.deepEqual(
      [...new Set(findings.map(({ check }) => check))],
      [
        'workflows',
        'documents',
        'policies',
        'schedules',
        'alarms',
        'instances',
        'Windows roles',
        'sets',
        'frozen hosts',
      ],
    );
  });

  it('changes nothing, and sends no command', async () => {
    const from = account.world.log.length;
    await doctor();
    const acts = account.world.log.slice(from).filter(({ action }) => !/^(Describe|Get|List)/.test(action));
    assert.deepEqual(acts, []);
  });

  it('finds a workflow that is not there', async () => {
    const { stateMachines } = account.deployment.stack;
    const at = stateMachines.findIndex(({ name }) => name === 'Freezeframe-ThawRescue');
    const [machine] = stateMachines.splice(at, 1);
    const { bad } = await doctor();
    stateMachines.splice(at, 0, machine as (typeof stateMachines)[number]);
    assert.deepEqual(
      bad.map(({ what }) => what),
      ['not deployed: Freezeframe-ThawRescue'],
    );
  });

  it('says that nothing is deployed, and ends with 5', async () => {
    const { stateMachines } = account.deployment.stack;
    const all = stateMachines.splice(0);
    const { exit, err } = await freezeframe(account, 'doctor');
    stateMachines.push(...all);
    assert.equal(exit, 5);
    assert.match(err, /deploy Freezeframe here/);
  });

  it('finds a deployment of another version, whose plan can’t be read', async () => {
    const { definition } = account.stepFunctions.machine(PRUNE);
    const list = definition.States['List sets'] as unknown as { Parameters: { policies: object } };
    const { policies } = list.Parameters;
    await finds(
      () => Object.assign(list.Parameters, { policies: { nightly: { grade: 'application' } } }),
      () => Object.assign(list.Parameters, { policies }),
      'policies',
      /not of this version of freezeframe: its state List sets/,
      /^$/,
    );
  });

  it('finds a document that was deleted', async () => {
    const refuse = account.world.faults.add({
      action: 'DescribeDocument',
      when: (input) => (input as { Name: string }).Name === DOCUMENTS.thaw,
      fault: { kind: 'error', code: 'InvalidDocument' },
    });
    await finds(() => {}, refuse, 'documents', /Freezeframe-Thaw is not there/, /npx cdk deploy/);
  });

  it('finds a schedule that is off, and one that is gone', async () => {
    const { disabled, deleted } = health.scheduler;
    await finds(
      () => disabled.add('Freezeframe-nightly'),
      () => disabled.clear(),
      'schedules',
      /schedule of policy nightly is DISABLED/,
      /enable Freezeframe-nightly/,
    );
    await finds(
      () => deleted.add('Freezeframe-nightly'),
      () => deleted.clear(),
      'schedules',
      /policy nightly has no schedule/,
      /deploy again/,
    );
  });

  it('finds an alarm that rings, that of dead letters among them, and where to read on', async () => {
    const { ringing } = health.monitoring;
    await finds(
      () => ringing.set('Freezeframe-UndeliveredFiring', Date.now() - 3_600_000),
      () => ringing.clear(),
      'alarms',
      /Freezeframe-UndeliveredFiring has been ringing for 1 h: A schedule fired and could not start its backups/,
      /docs\/runbook\.md#undeliveredfiring/,
    );
  });

  for (const [what, change, said] of [
    [
      'an agent that is offline',
      (id: string) => Object.assign(account.servers.get(id)?.host ?? {}, { online: false }),
      /ConnectionLost/,
    ],
    [
      'an agent that is too old',
      (id: string) => Object.assign(account.servers.get(id)?.host ?? {}, { version: '3.1.300.0' }),
      /is 3\.1\.300\.0, and before 3\.1\.338\.0/,
    ],
    [
      'a policy that the plan does not have',
      (id: string) => tag(id, 'freezeframe:policy', 'nigthly'),
      /tagged with policy nigthly, which the plan does not have/,
    ],
    [
      'a mode that there is not',
      (id: string) => tag(id, 'freezeframe:mode', 'vss'),
      /freezeframe:mode = vss; on Linux it may be auto/,
    ],
  ] as const) {
    it(`finds ${what}`, async () => {
      const { id } = account.launch();
      await finds(
        () => change(id),
        () => account.world.ec2.instances.get(id)?.tags.delete('freezeframe:policy'),
        'instances',
        said,
        new RegExp(`freezeframe plan ${id}`),
      );
    });
  }

  it('finds a Windows instance whose role lacks the policy that VSS needs', async () => {
    const { id } = account.launchWindows({ role: false });
    await finds(
      () => {},
      () => account.world.ec2.instances.get(id)?.tags.delete('freezeframe:policy'),
      'Windows roles',
      new RegExp(`${id} has a role without the policy Freezeframe-VssInstance-eu-central-1`),
      /attach/,
    );
  });

  it('finds a set that was never graded, and one that lost a member', async () => {
    const server = account.launch();
    const { name } = await account.backup(server);
    const snapshots = account.snapshotsOf(name);
    const grades = snapshots.map(({ tags }) => tags.get(SET_TAGS.grade) ?? '');
    for (const snapshot of snapshots) {
      snapshot.tags.set(SET_TAGS.grade, UNPROVEN);
      Object.assign(snapshot, { startedAt: snapshot.startedAt - 7_200_000 });
    }
    await finds(
      () => {},
      () => {
        for (const [at, { tags }] of snapshots.entries()) tags.set(SET_TAGS.grade, grades[at] ?? '');
      },
      'sets',
      new RegExp(`${name} was never graded`),
      /freezeframe show/,
    );
    const [first] = snapshots;
    await finds(
      () => Object.assign(first ?? {}, { deleted: true }),
      () => Object.assign(first ?? {}, { deleted: false }),
      'sets',
      new RegExp(`${name} has lost a member`),
      /prune/,
    );
  });

  it('says of a check that may not be made that it was not, and judges by the others', async () => {
    account.world.authorize = ({ action }) => action !== 'DescribeAlarms';
    const { exit, findings } = await doctor();
    account.world.authorize = undefined;
    assert.equal(exit, 0);
    const [alarms] = findings.filter(({ check }) => check === 'alarms');
    assert.equal(alarms?.level, 'note');
    assert.match(alarms?.todo ?? '', /cloudwatch:DescribeAlarms is not allowed here/);
  });

  it('knows the runs whose host is frozen, and does not cry before a lease can be over', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.freezeMs = 20_000;
    const execution = account.start(server);
    while (!execution.history.some(({ state }) => state === 'Freeze')) await account.clock.sleep(100);
    const { findings } = await doctor();
    await execution.ended;
    const [seen] = findings.filter(({ check }) => check === 'frozen hosts');
    assert.equal(seen?.level, 'note');
    assert.match(seen?.what ?? '', new RegExp(`^${execution.name} holds its host just now`));
    assert.equal(execution.machine.name, BACKUP);
  });
});

const tag = (id: string, key: string, value: string) => account.world.ec2.instances.get(id)?.tags.set(key, value);
