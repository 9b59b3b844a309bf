/** plan: what it says beforehand is what a run then does, and it changes nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Planned } from '../../cli/plan.ts';
import { planOf } from '../../cli/plan.ts';
import { DOCUMENTS, INSPECT_WINDOWS } from '../../lambdas/shared/names.ts';
import { logFs, mariadb, postgres, run, topology } from '../lambdas/builders.ts';
import { ModelAccount } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open();
});
after(() => account.close());

const plan = async (line = '') => {
  const said = await freezeframe(account, `plan --json ${line}`);
  return { ...said, plans: said.json.plans as Planned[] };
};

describe('plan', () => {
  for (const [what, options] of [
    ['fs-freeze', { mode: 'fs-freeze' }],
    ['lvm-snapshot, chosen by itself', {}],
    ['crash', { policy: 'loose' }],
    ['a policy of grade filesystem', { policy: 'files' }],
  ] as const) {
    it(`says the mode, the reason and the grade that a run then has: ${what}`, async () => {
      const server = account.launch(options);
      const { exit, plans } = await plan(server.id);
      const evidence = account.evidenceOf(server, (await account.backup(server)).name) as unknown as Record<
        string,
        unknown
      >;
      assert.equal(exit, 0);
      assert.deepEqual(
        [plans[0]?.mode, plans[0]?.why, plans[0]?.expected],
        [evidence.mode, evidence.why, evidence.grade],
      );
    });
  }

  it('sends no other document than Inspect, and takes nothing', async () => {
    const [linux, windows] = [account.launch(), account.launchWindows()];
    const from = account.world.log.length;
    await plan(`${linux.id} ${windows.id}`);
    const calls = account.world.log.slice(from);
    const sent = calls
      .filter(({ action }) => action === 'SendCommand')
      .map(({ input }) => (input as { DocumentName: string }).DocumentName);
    assert.deepEqual(sent.sort(), [DOCUMENTS.inspect, INSPECT_WINDOWS].sort());
    const others = calls.filter(({ action }) => !/^(Describe|Get|List)/.test(action) && action !== 'SendCommand');
    assert.deepEqual(others, []);
    assert.equal(linux.host.frozen, false);
    assert.deepEqual(account.snapshotsOn(linux), []);
  });

  it('names an instance that is offline with the reason, beside those that are well, and ends with 1', async () => {
    const [well, offline] = [account.launch(), account.launch()];
    offline.host.online = false;
    const { exit, plans } = await plan(`${well.id} ${offline.id}`);
    assert.equal(exit, 1);
    assert.deepEqual(
      plans.map((each) => [each.instance, each.reaches, each.refused?.name]),
      [
        [well.id, true, undefined],
        [offline.id, false, 'AgentOfflineError'],
      ],
    );
    assert.match(
      plans[1]?.refused?.message ?? '',
      /is ConnectionLost; on the host: systemctl restart amazon-ssm-agent/,
    );
  });

  it('names what is missing for the grade', async () => {
    const server = account.launch();
    for (const app of server.host.topology.apps)
      Object.assign(app, { ready: false, problem: 'Access denied for root' });
    const { out, exit } = await freezeframe(account, `plan ${server.id}`);
    assert.equal(exit, 1);
    assert.match(out, /✘ filesystem, and the policy asks for application/);
    assert.match(out, /! MariaDB 10\.11\.6 \(\/srv\/data\/mysql\): Access denied for root/);
    assert.match(out, /– \/ is not frozen: the SSM agent lives on it/);
  });

  it('plans for every policy that an instance is tagged with, and for the one asked for', async () => {
    const server = account.launch({ policy: 'nightly loose' });
    assert.deepEqual(
      (await plan(server.id)).plans.map(({ policy, mode }) => [policy, mode]),
      [
        ['nightly', 'lvm-snapshot'],
        ['loose', 'crash'],
      ],
    );
    assert.deepEqual(
      (await plan(`${server.id} --policy loose`)).plans.map(({ policy }) => policy),
      ['loose'],
    );
  });

  it('refuses an instance whose tag is missing, with the words of the run', async () => {
    const server = account.launch({ policy: '' });
    const { plans } = await plan(server.id);
    assert.match(
      plans[0]?.refused?.message ?? '',
      /has no tag freezeframe:policy; set it to a policy of the plan: nightly/,
    );
  });

  it('tells the window of the sets before, and how long it can be at most', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    assert.deepEqual((await plan(server.id)).plans[0]?.window, { expectedMs: null, fromSets: 0, atMostSeconds: 30 });
    const { name } = await account.backup(server);
    const [snapshot] = account.snapshotsOf(name);
    const { window } = (await plan(server.id)).plans[0] as Planned;
    assert.deepEqual(window, {
      expectedMs: Number(snapshot?.tags.get('freezeframe:window-ms')),
      fromSets: 1,
      atMostSeconds: 30,
    });
  });

  it('ends with 5 for an instance that is not there', async () => {
    const said = await freezeframe(account, 'plan i-0000000000000dead');
    assert.equal(said.exit, 5);
    assert.match(said.err, /there is no instance i-0000000000000dead in this account and Region/);
  });

  it('ends with 4 where the operator may not send Inspect: no host is to blame', async () => {
    account.world.authorize = ({ action, principal }) => action !== 'SendCommand' || !principal.endsWith('operator');
    const said = await freezeframe(account, `plan ${account.launch().id}`);
    account.world.authorize = undefined;
    assert.equal(said.exit, 4);
    assert.match(said.err, /ssm:SendCommand Freezeframe-Inspect is not allowed here/);
  });

  it('takes every instance that bears the tag when none is named', async () => {
    const { plans } = await plan();
    assert.deepEqual(
      new Set(plans.map(({ instance }) => instance)),
      new Set(
        [...account.servers.values(), ...account.windowsServers.values()]
          .filter(({ id }) => account.world.ec2.instances.get(id)?.tags.has('freezeframe:policy'))
          .map(({ id }) => id),
      ),
    );
  });
});

describe('the steps of a run', () => {
  it('are in the order that the host does them: applications, deepest file system first, the one call', () => {
    const { steps } = planOf(
      run({ apps: ['mysql', 'postgresql'], topology: topology({ apps: [mariadb, postgres] }) }),
      [],
    );
    assert.deepEqual(steps, [
      'quiet MariaDB 10.11 (/data/mysql)',
      'quiet PostgreSQL 15 (/data/pg)',
      'freeze /data (xfs)',
      'CreateSnapshots of 3 volumes at once: /dev/xvda /dev/sdf /dev/sdg',
      'thaw in reverse',
    ]);
  });

  it('release the applications before the call in mode lvm-snapshot', () => {
    const filesystems = [...topology().filesystems, logFs];
    const { steps } = planOf(run({ mode: 'lvm-snapshot', topology: topology({ filesystems }) }), []);
    assert.deepEqual(steps.slice(1, 4), [
      'LVM snapshot of vg/data',
      'LVM snapshot of vg/log',
      'release the applications',
    ]);
    assert.match(steps[4] ?? '', /^CreateSnapshots/);
  });

  it('take the median of the windows, which one slow night does not move', () =>
    assert.equal(planOf(run(), [900, 1_000, 9_000, 1_100, 950]).window?.expectedMs, 1_000));
});
