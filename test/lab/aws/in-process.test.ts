/** AWS and Lambda in one process and in virtual time: what must be as it is with sockets and threads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { isOver } from '../../../lab/aws/in-process.ts';
import type { TaskFailure } from '../../../lab/aws/lambda.ts';
import { VirtualTime } from '../../../lab/virtual-time.ts';
import { workflows } from './workflow-setup.ts';

VirtualTime.begin(isOver);
const WORKER = 'Freezeframe-Worker';
const deployed = () => workflows({}, { functionTimeout: 3, inProcess: { requestMs: () => 10, computeMs: () => 30 } });
const nameOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: TaskFailure) => error.name,
  );

test('a function sees its own variables and its role, and its lines are kept', async () => {
  await using on = await deployed();
  const answer = (await on.lambdas.invoke(WORKER, { a: 1 })) as Record<string, unknown>;
  assert.deepEqual([answer.event, answer.left, answer.secret], [{ a: 1 }, true, 'red-eu-central-1']);
  assert.equal(on.world.principalOf(String(answer.key)), 'arn:aws:iam::111122223333:role/Freezeframe-WorkerRole');
  assert.deepEqual(on.lambdas.logs[0]?.json, { message: 'served', served: 1, name: WORKER });
  assert.equal(process.env.COLOUR, undefined);
});

test('two deployments have modules of their own', async () => {
  await using one = await deployed();
  await using other = await deployed();
  for (const { lambdas } of [one, other]) {
    assert.equal(((await lambdas.invoke(WORKER, {})) as { served: number }).served, 1);
  }
});

test('an invocation takes the time that it computes and waits', async () => {
  await using on = await deployed();
  const from = Date.now();
  await on.lambdas.invoke(WORKER, { sleep: 2_000 });
  assert.equal(Date.now() - from, 2_030);
});

test('a timeout ends it when the function’s time is over', async () => {
  await using on = await deployed();
  const from = Date.now();
  assert.equal(await nameOf(on.lambdas.invoke(WORKER, { sleep: 5_000 })), 'Sandbox.Timedout');
  assert.equal(Date.now() - from, 3_030);
});

test('an invocation that is killed does nothing more, though its promise chain goes on nowhere', async () => {
  await using on = await deployed();
  on.lambdas.faults.add({ functionName: WORKER, nth: 1, fault: { kind: 'killAfter', ms: 500 } });
  assert.equal(await nameOf(on.lambdas.invoke(WORKER, { sleep: 1_000, thenAsk: true })), 'Runtime.ExitError');
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  assert.deepEqual(on.world.log, []);
  assert.equal(await nameOf(on.lambdas.invoke(WORKER, { sleep: 1_000, thenAsk: true })), 'ok');
  assert.deepEqual(
    on.world.log.map(({ action, principal }) => [action, principal]),
    [['DescribeInstances', 'arn:aws:iam::111122223333:role/Freezeframe-WorkerRole']],
  );
});

test('what a killed invocation has asked for already is done, and its answer finds nobody', async () => {
  await using on = await deployed();
  on.lambdas.faults.add({ functionName: WORKER, nth: 1, fault: { kind: 'killAfter', ms: 1_005 } });
  assert.equal(await nameOf(on.lambdas.invoke(WORKER, { sleep: 1_000, thenAsk: true })), 'Runtime.ExitError');
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  assert.equal(on.world.log.length, 1);
  assert.deepEqual(
    on.lambdas.logs.filter(({ text }) => /answered/.test(text)),
    [],
  );
});

test('an object so large that the SDK asks before it sends is no later than a small one', async () => {
  await using on = await deployed();
  on.world.s3.addBucket('lists');
  const s3 = new S3Client({
    endpoint: on.server.endpoint,
    forcePathStyle: true,
    region: on.world.region,
    credentials: { accessKeyId: on.world.accessKeyFor('a role'), secretAccessKey: 'lab' },
  });
  const from = Date.now();
  await s3.send(new PutObjectCommand({ Bucket: 'lists', Key: 'targets.json', Body: 'x'.repeat(3_000_000) }));
  assert.ok(Date.now() - from < 100, `${Date.now() - from} ms`);
  assert.equal(on.world.s3.get('lists', 'targets.json').body.length, 3_000_000);
});
