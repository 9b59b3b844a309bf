/** restore and thaw: what they start, what they say of its end, and that an emergency needs no workflow. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOCUMENTS } from '../../lambdas/shared/names.ts';
import { ModelAccount, type Server } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open();
});
after(() => account.close());

describe('restore', () => {
  let server: Server;
  let set: string;
  before(async () => {
    server = account.launch({ mode: 'fs-freeze' });
    set = (await account.backup(server)).name;
  });

  it('restores the newest set, and says where each file system is now', async () => {
    const { exit, json } = await freezeframe(account, `restore ${server.id} --name restore-1 --json`);
    assert.equal(exit, 0);
    assert.deepEqual([json.restore, json.status, json.restored.set.id], ['restore-1', 'SUCCEEDED', set]);
    const [mount] = json.restored.mounted.mounts;
    assert.deepEqual(
      [mount.mount, mount.at, mount.readOnly],
      ['/srv/data', '/mnt/freezeframe/restore-1/srv/data', true],
    );
    assert.deepEqual(server.host.restored.get('restore-1'), ['/mnt/freezeframe/restore-1/srv/data']);
  });

  it('hands on what was asked for, checked beforehand as the workflow would', async () => {
    const target = account.launch();
    const said = await freezeframe(
      account,
      `restore ${server.id} --set ${set} --target ${target.id} --access rw --under /mnt/x --mount /srv/data --keep-on-failure --name restore-2 --no-wait --json`,
    );
    assert.equal(said.exit, 0, said.err);
    const execution = account.stepFunctions.executions.find(({ name }) => name === 'restore-2');
    assert.deepEqual(execution?.input, {
      instanceId: server.id,
      set,
      target: target.id,
      access: 'rw',
      under: '/mnt/x',
      mounts: ['/srv/data'],
      keepOnFailure: true,
    });
    await execution?.ended;
    for (const [line, fault] of [
      ['--rate 5', /--rate is 5, expected/],
      ['--before yesterday', /before is "yesterday", expected/],
      ['--target web-1', /target is "web-1", expected/],
    ] as const) {
      const refused = await freezeframe(account, `restore ${server.id} ${line}`);
      assert.equal(refused.exit, 2);
      assert.match(refused.err, fault);
    }
  });

  it('ends with 1 where there is no such set, with the sets that there are', async () => {
    const { exit, out } = await freezeframe(account, `restore ${server.id} --set nix`);
    assert.equal(exit, 1);
    assert.match(
      out,
      /ended red\. NoSuchSetError: .* has no set nix in this account and Region; the newest there are: i-/,
    );
  });

  it('refuses a name that was taken', async () => {
    const { exit, err } = await freezeframe(account, `restore ${server.id} --set ${set} --name restore-1`);
    assert.equal(exit, 2);
    assert.match(err, /there was an execution restore-1 already/);
  });
});

describe('thaw', () => {
  /** A host that a run has frozen, and which the run does not thaw. */
  const frozen = async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    // Frozen, and no answer: the run waits for the end of the lease.
    server.host.trouble.hang = (document) => (document === 'freeze' ? 'after' : undefined);
    const execution = account.start(server);
    while (!server.host.frozen) await account.clock.sleep(200);
    return { server, execution };
  };

  it('finds the run that holds a host, and thaws it', async () => {
    const { server, execution } = await frozen();
    const { exit, json } = await freezeframe(account, `thaw ${server.id} --json`);
    assert.equal(server.host.frozen, false);
    assert.equal(exit, 0);
    assert.deepEqual(
      json.runs.map(({ run, thawedBy }: Record<string, string>) => [run, thawedBy]),
      [[execution.name, 'hand']],
    );
    await execution.ended;
  });

  it('thaws for a run that is named without asking Step Functions', async () => {
    const { server, execution } = await frozen();
    account.world.authorize = ({ service, principal }) => service !== 'states' || !principal.endsWith('operator');
    const { exit, out } = await freezeframe(account, `thaw ${server.id} --run ${execution.name}`);
    account.world.authorize = undefined;
    assert.equal(server.host.frozen, false);
    assert.equal(exit, 0);
    assert.match(out, /thawed by this command, after .*\. Nothing of it is frozen\./);
    await execution.ended;
  });

  it('never sends anything but Thaw', async () => {
    const { server, execution } = await frozen();
    const from = account.world.log.length;
    await freezeframe(account, `thaw ${server.id}`);
    const ours = account.world.log
      .slice(from)
      .filter(({ principal, action }) => principal.endsWith('operator') && !/^(Describe|Get|List)/.test(action));
    assert.deepEqual(
      ours.map(({ action, input }) => [action, (input as { DocumentName: string }).DocumentName]),
      [['SendCommand', DOCUMENTS.thaw]],
    );
    await execution.ended;
  });

  it('says what to do on the host where the agent is gone, and ends with 1', async () => {
    const { server, execution } = await frozen();
    server.host.online = false;
    const { exit, out } = await freezeframe(account, `thaw ${server.id} --run ${execution.name}`);
    server.host.online = true;
    assert.equal(exit, 1);
    assert.match(out, /Freezeframe-Thaw on .* look at the agent/);
    assert.match(out, /By hand, as root on .*\n {2}bash \/run\/freezeframe\/thaw/);
    await execution.ended;
  });

  it('says of a host that no run holds that there is nothing to thaw, and sends nothing', async () => {
    const server = account.launch();
    await account.backup(server);
    const from = account.world.log.length;
    const { exit, out } = await freezeframe(account, `thaw ${server.id}`);
    assert.equal(exit, 0);
    assert.match(out, /No run of the last days has frozen .* and not thawed it/);
    assert.ok(account.world.log.slice(from).every(({ action }) => action !== 'SendCommand'));
  });

  it('refuses what could not be the name of a run', async () =>
    assert.equal((await freezeframe(account, `thaw ${account.launch().id} --run a;b`)).exit, 2));
});
