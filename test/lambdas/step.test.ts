import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CreateSnapshotsInput, Run } from '../../lambdas/shared/contracts.ts';
import * as errors from '../../lambdas/shared/errors.ts';
import { step } from '../../lambdas/shared/step.ts';
import { INSTANCE, RUN, run } from './builders.ts';
import { failure } from './fakes.ts';

const context = {} as never;

/** What a handler writes while it works. */
const logOf = async (work: () => Promise<unknown>): Promise<string[]> => {
  const written: string[] = [];
  const write = process.stdout.write;
  process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
  try {
    await work().catch(() => undefined);
  } finally {
    process.stdout.write = write;
  }
  return written;
};

const quietly = async (work: () => Promise<unknown>): Promise<Error> => {
  let error: Error | undefined;
  await logOf(async () => {
    error = await failure(work());
  });
  return error as Error;
};

describe('a step', () => {
  test('names path, value and expectation of everything that is wrong with its input', async () => {
    const handler = step(Run, 'Freeze').handler(async () => 'never');
    const error = await quietly(() =>
      handler({ ...run(), instanceId: 'web-1', policy: { ...run().policy, leaseSeconds: 7 } }, context),
    );
    assert.equal(error.name, 'BadInputError');
    assert.match(error.message, /instanceId is "web-1", expected an instance id such as i-/);
    assert.match(error.message, /policy\.leaseSeconds is 7, expected at least 20/);
  });

  test('keeps the name and the message of an error and cuts its stack to the nearest frames', async () => {
    const handler = step(Run, 'Freeze').handler(async () => {
      throw new errors.LeaseTooShortError('too short', { cause: new Error('the reason') });
    });
    const error = await quietly(() => handler(run(), context));
    assert.equal(error.name, 'LeaseTooShortError');
    assert.equal(error.message, 'too short');
    assert.ok(!error.stack?.includes('too short'));
    assert.ok((error.stack ?? '').split('\n').length <= 3);
  });

  test('logs one line with run, instance, state, outcome and duration, and nothing of the payload', async () => {
    const handler = step(Run, 'Freeze').handler(async () => 'done');
    const lines = await logOf(() => handler(run({ why: 'SECRET' }), context));
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines.join());
    assert.deepEqual(
      [line.level, line.runId, line.instanceId, line.state, line.outcome],
      ['INFO', RUN, INSTANCE, 'Freeze', 'ok'],
    );
    assert.equal(typeof line.durationMs, 'number');
    assert.ok(!lines.join().includes('SECRET'));
  });

  test('logs a failure with its causes, told by the act where several states share a function', async () => {
    const handler = step(CreateSnapshotsInput, ({ act }) => `state of ${act}`).handler(async () => {
      throw new errors.NotPermittedError('no', { cause: new TypeError('why') });
    });
    const [line] = await logOf(() => handler({ act: 'rehearse', run: run() }, context));
    const { level, runId, instanceId, state, outcome, causes } = JSON.parse(line ?? '');
    assert.deepEqual(
      { level, runId, instanceId, state, outcome, causes },
      {
        level: 'ERROR',
        runId: RUN,
        instanceId: INSTANCE,
        state: 'state of rehearse',
        outcome: 'NotPermittedError',
        causes: ['TypeError: why'],
      },
    );
  });
});

describe('errors', () => {
  test('every class says its own name, since bundling shortens class names', () => {
    for (const [name, made] of Object.entries(errors)) {
      if (!name.endsWith('Error') || typeof made !== 'function' || name === 'HostError') continue;
      const error = new (made as new (message: string) => Error)('m');
      assert.equal(error.name, name);
      assert.ok(error instanceof Error);
    }
  });
});
