import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskFailure } from '../../../lab/aws/lambda.ts';
import { workflows } from './workflow-setup.ts';

const WORKER = 'Freezeframe-Worker';
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ['no error', {}],
    (error: TaskFailure) => [error.name, JSON.parse(error.message)],
  );

test('a function keeps its environment warm, sees its own variables and its role, and its lines are kept', async () => {
  await using on = await workflows({});
  const first = (await on.lambdas.invoke(WORKER, { a: 1 })) as Record<string, unknown>;
  const second = (await on.lambdas.invoke(WORKER, {})) as Record<string, unknown>;
  assert.deepEqual([first.served, second.served], [1, 2]);
  assert.deepEqual([first.event, first.left, first.secret], [{ a: 1 }, true, 'red-eu-central-1']);
  assert.equal(on.world.principalOf(String(first.key)), 'arn:aws:iam::111122223333:role/Freezeframe-WorkerRole');
  await on.lambdas.close();
  assert.deepEqual(on.lambdas.logs[0]?.json, { message: 'served', served: 1, name: WORKER });
});

test('two invocations at once are handled by two environments', async () => {
  await using on = await workflows({});
  const answers = await Promise.all([1, 2].map(() => on.lambdas.invoke(WORKER, { sleep: 30 })));
  assert.deepEqual(
    answers.map((answer) => (answer as { served: number }).served),
    [1, 1],
  );
});

test('an error is told by its name, with type, message and trace as its cause', async () => {
  await using on = await workflows({});
  const [name, cause] = await failure(
    on.lambdas.invoke(WORKER, { fail: 'LockTimeout', message: 'a query is in its way' }),
  );
  assert.equal(name, 'LockTimeout');
  assert.deepEqual([cause.errorType, cause.errorMessage], ['LockTimeout', 'a query is in its way']);
  assert.ok(Array.isArray(cause.trace));
});

test('a timeout and an exit end the environment; the next invocation starts a new one', async () => {
  await using on = await workflows({}, { functionTimeout: 10, lambdaTimeScale: 0.1 });
  assert.equal(((await on.lambdas.invoke(WORKER, {})) as { served: number }).served, 1);
  const [timeout, cause] = await failure(on.lambdas.invoke(WORKER, { sleep: 5_000 }));
  assert.equal(timeout, 'Sandbox.Timedout');
  assert.match(cause.errorMessage, /Task timed out after 10.00 seconds/);
  const [exit] = await failure(on.lambdas.invoke(WORKER, { exit: true }));
  assert.equal(exit, 'Runtime.ExitError');
  assert.equal(((await on.lambdas.invoke(WORKER, {})) as { served: number }).served, 1);
});

test('planned faults: before, in the middle and after the act', async () => {
  await using on = await workflows({});
  const faults = [
    { kind: 'throttle' },
    { kind: 'killBefore' },
    { kind: 'error', error: 'Lambda.ServiceException' },
    { kind: 'lostAnswer' },
  ] as const;
  faults.forEach((fault, index) => {
    on.lambdas.faults.add({ functionName: WORKER, nth: index + 1, fault });
  });
  on.lambdas.faults.add({ functionName: WORKER, nth: 5, fault: { kind: 'malformed', payload: { colour: 'red' } } });
  on.lambdas.faults.add({ state: 'Freeze', nth: 1, fault: { kind: 'killAfter', ms: 20 } });
  const names: string[] = [];
  for (const _ of faults)
    names.push(
      await on.lambdas.invoke(WORKER, {}).then(
        () => 'ok',
        (e: Error) => e.name,
      ),
    );
  assert.deepEqual(names, [
    'Lambda.TooManyRequestsException',
    'Runtime.ExitError',
    'Lambda.ServiceException',
    'Lambda.Unknown',
  ]);
  assert.deepEqual(await on.lambdas.invoke(WORKER, {}), { colour: 'red' });
  // Only the lost answer and the malformed one came to the handler.
  assert.equal(((await on.lambdas.invoke(WORKER, {})) as { served: number }).served, 3);
  const [killed] = await failure(on.lambdas.invoke(WORKER, { sleep: 5_000 }, 'Freeze'));
  assert.equal(killed, 'Runtime.ExitError');
});

test('a function that is unknown, and payloads beyond 6 MB, are refused', async () => {
  await using on = await workflows({});
  const name = (promise: Promise<unknown>) =>
    promise.then(
      () => 'ok',
      (error: Error) => error.name,
    );
  assert.equal(await name(on.lambdas.invoke('Nobody', {})), 'Lambda.ResourceNotFoundException');
  const big = 6 * 1024 * 1024 + 1;
  assert.equal(await name(on.lambdas.invoke(WORKER, { x: 'x'.repeat(big) })), 'Lambda.RequestEntityTooLargeException');
  assert.equal(await name(on.lambdas.invoke(WORKER, { big })), 'Function.ResponseSizeTooLarge');
});
