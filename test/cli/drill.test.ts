/** drill: what it starts, and what it says a drill has shown. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { DRILL_TAG } from '../../lambdas/shared/names.ts';
import { ModelAccount } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open();
});
after(() => account.close());

const backedUp = async (policy = 'drilled') => {
  const server = account.launch({ policy, mode: 'fs-freeze' });
  return { server, set: (await account.backup(server)).name };
};

it('drills the newest set on a machine of its own, and says what was found good', async () => {
  const { server, set } = await backedUp();
  const said = await freezeframe(account, `drill ${server.id} --name drill-1`);
  assert.equal(said.exit, 0, said.err + said.out);
  assert.match(
    said.out,
    new RegExp(
      `✔ drill-1: set ${set} \\(application\\) is verified, restored in .*, verified in .*\\. Nothing of it is left\\.`,
    ),
  );
  assert.match(said.out, /^ {2}✔ +\/srv\/data /m);
  const shown = await freezeframe(account, `show ${set}`);
  assert.match(shown.out, /drilled +found good \d{4}-\d\d-\d\d/);
  assert.match((await freezeframe(account, `list ${server.id}`)).out, /whole, drilled$/m);
});

it('ends with 1 where the set is damaged, with what was found', async () => {
  const { server, set } = await backedUp();
  account.onScratch.set('drill-2', (host) => {
    host.trouble.verdicts = { mysql: ['damaged', 'CHECK TABLE: shop.orders error Corrupt'] };
  });
  const said = await freezeframe(account, `drill ${server.id} --name drill-2 --json`);
  assert.equal(said.exit, 1);
  assert.equal(said.json.error.name, 'DamagedSetError');
  assert.match(said.json.error.cause, /shop\.orders error Corrupt/);
  assert.match((await freezeframe(account, `show ${set}`)).out, /drilled +found wanting/);
});

it('hands on what was asked for, and refuses what could not be', async () => {
  const [{ server, set }, target] = [await backedUp('nightly'), account.launch()];
  const said = await freezeframe(
    account,
    `drill ${server.id} --set ${set} --target ${target.id} --grade crash --name drill-3 --json`,
  );
  assert.equal(said.exit, 0, said.err);
  const execution = account.stepFunctions.executions.find(({ name }) => name === 'drill-3');
  assert.deepEqual(execution?.input, { instanceId: server.id, set, grade: 'crash', target: target.id });
  assert.equal((await freezeframe(account, `drill ${server.id} --target web-1`)).exit, 2);
});

it('has no other command take the machine of a drill for one that is backed up', async () => {
  account.world.ec2.instances.get(account.launch({ policy: '@drill' }).id)?.tags.set(DRILL_TAG, 'drill-9');
  const { json } = await freezeframe(account, 'plan --json');
  assert.ok(json.plans.every(({ policy }: { policy: string }) => policy !== '@drill'));
});
