import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lab/aws/clock.ts';
import { FreezeAnswer, InspectAnswer, ThawAnswer } from '../../lambdas/shared/contracts.ts';
import { DOCUMENTS } from '../../lambdas/shared/names.ts';
import { MemoryStore } from './memory-store.ts';
import { ModelHost } from './model-host.ts';

function host() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const model = new ModelHost({
    rootVolume: 'vol-00000000',
    dataVolumes: ['vol-11111111', 'vol-22222222'],
    database: true,
    clock,
  });
  model.watch(store, 'i-1');
  let commands = 0;
  const run = async (document: string, parameters: Record<string, string>) => {
    commands += 1;
    const outcome = await model.run({
      commandId: `c${commands}`,
      document,
      parameters,
      script: '',
      timeoutSeconds: 60,
    });
    return { ...outcome, answer: outcome.stdout ? JSON.parse(outcome.stdout) : undefined };
  };
  return {
    clock,
    store,
    model,
    inspect: () => run(DOCUMENTS.inspect, { Apps: 'auto' }),
    thaw: (Run = 'run-1') => run(DOCUMENTS.thaw, { Run, Why: 'asked' }),
    freeze: (more: Record<string, string> = {}) =>
      run(DOCUMENTS.freeze, {
        Run: 'run-1',
        Mode: 'fs-freeze',
        Apps: 'mysql',
        Lease: '30',
        Within: '10',
        NotAfter: String(Math.ceil(model.uptime + 15)),
        BootId: model.bootId,
        Topology: model.topologyHash,
        ...more,
      }),
  };
}

test('it answers as the contract says, and is frozen from the answer of Freeze to that of Thaw', async () => {
  const { model, store, clock, inspect, freeze, thaw } = host();
  InspectAnswer.parse((await inspect()).answer);
  FreezeAnswer.parse((await freeze()).answer);
  const before = model.writes;
  await clock.advance(2_000);
  assert.equal(model.writes, before, 'nothing is written while it is frozen');
  await store.snapshot('i-1', ['vol-11111111']);
  assert.deepEqual([model.witnessed[0]?.filesystems, model.witnessed[0]?.apps], [['/srv/data'], ['mysql']]);
  const { receipt } = ThawAnswer.parse((await thaw()).answer);
  assert.deepEqual([receipt?.thawedBy, receipt?.apps[0]?.held, model.frozen], ['asked', true, false]);
  assert.ok(receipt?.writes.every(({ atFreeze, atThaw }) => atFreeze === atThaw));
  await clock.advance(1_000);
  assert.ok(model.writes > before);
});

test('the lease thaws it, and a thaw that comes later says so', async () => {
  const { model, clock, freeze, thaw } = host();
  await freeze();
  await clock.advance(29_999);
  assert.ok(model.frozen);
  await clock.advance(1);
  assert.ok(!model.frozen);
  assert.equal((await thaw()).answer.receipt.thawedBy, 'lease');
});

test('it refuses a freeze that is late, second, buried, of another boot or of another topology', async () => {
  const { model, freeze, thaw } = host();
  const code = async (more: Record<string, string>) => (await freeze(more)).answer.error?.code;
  assert.equal(await code({ NotAfter: '1' }), 'TooLate');
  assert.equal(await code({ BootId: '00000000-0000-0000-0000-000000000000' }), 'Rebooted');
  assert.equal(await code({ Topology: '0'.repeat(64) }), 'TopologyChanged');
  assert.equal(await code({ Run: "x'" }), 'Internal');
  await thaw('run-0');
  assert.equal(await code({ Run: 'run-0' }), 'AlreadyThawed');
  assert.equal(await code({}), undefined);
  assert.equal(await code({ Run: 'run-2' }), 'Busy');
  assert.ok(model.frozen);
});

test('a thaw during the freeze stops it; a holder that dies is seen in the receipt', async () => {
  const { model, clock, freeze, thaw } = host();
  model.trouble.freezeMs = 1_000;
  const freezing = freeze();
  await clock.advance(500);
  await thaw();
  await clock.advance(500);
  assert.equal((await freezing).answer.error.code, 'ThawedDuringFreeze');
  model.trouble.freezeMs = 0;
  await freeze({ Run: 'run-2' });
  model.killHolder();
  const { receipt } = (await thaw('run-2')).answer;
  assert.deepEqual([receipt.thawedBy, receipt.apps[0].held], ['watchdog', false]);
});

test('LVM snapshots release the applications at once and are removed by the thaw', async () => {
  const { model, freeze, thaw } = host();
  const { receipt } = (await freeze({ Mode: 'lvm-snapshot' })).answer;
  assert.deepEqual([model.held.apps, model.held.lvmSnapshots, receipt.apps[0].held], [[], ['data/lv'], true]);
  model.trouble.lvmOverflow = true;
  const after = (await thaw()).answer.receipt;
  assert.deepEqual([after.lvmSnapshots[0].valid, after.lvmSnapshots[0].removed], [false, true]);
});

test('a script that hangs is killed by its timeout, while the freeze it made stays until the lease', async () => {
  const { model, clock, freeze } = host();
  model.trouble.hang = () => 'after';
  const freezing = freeze({ Lease: '90' });
  await clock.advance(60_000);
  assert.equal((await freezing).status, 'TimedOut');
  assert.ok(model.frozen);
  await clock.advance(30_000);
  assert.ok(!model.frozen);
});
