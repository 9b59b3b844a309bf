import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ThawInput } from '../../lambdas/shared/contracts.ts';
import { thaw } from '../../lambdas/thaw/thaw.ts';
import { BOOT, gradeInput, INSTANCE, RUN, receipt } from './builders.ts';
import { awsError, FakeClock, FakeSsm, failure } from './fakes.ts';

const answer = { contract: 1, bootId: BOOT, receipt: receipt(), swept: [] };
const ssm = () => new FakeSsm(new FakeClock());

describe('Thaw', () => {
  test('a host that does not answer in a minute is an error, so that the workflow asks again', async () => {
    const host = ssm().next({ answer, afterMs: 300_000 });
    assert.equal((await failure(thaw(ThawInput.parse(gradeInput()), host, host.clock))).name, 'HostSilentError');
  });

  test('a throttled command is sent again within half a second: the host is still frozen', async () => {
    const host = ssm().next(awsError('ThrottlingException')).next({ answer });
    const { sentAt } = await thaw(ThawInput.parse(gradeInput()), host, host.clock);
    assert.ok(sentAt - host.first.at <= 500, `${sentAt - host.first.at} ms`);
  });

  test("the host's own failure keeps its name", async () => {
    const failed = { contract: 1, error: { code: 'ThawFailed', message: '/data is still frozen' } };
    const host = ssm().next({ details: 'Failed', code: 23, answer: failed });
    assert.equal((await failure(thaw(ThawInput.parse(gradeInput()), host, host.clock))).name, 'ThawFailedError');
  });

  test('needs of the state no more than run, instance and document, whatever went wrong before', () => {
    const parsed = ThawInput.parse({
      run: RUN,
      instanceId: INSTANCE,
      documents: { thaw: { version: '8', hash: 'e' } },
      mode: 7,
    });
    assert.equal(parsed.askedBy, undefined);
  });

  test('a rescue that knows only run and instance thaws with the default version', async () => {
    const host = ssm().next({ answer });
    await thaw(ThawInput.parse({ run: RUN, instanceId: INSTANCE, askedBy: 'rescue' }), host, host.clock);
    assert.equal(host.first.pinned, undefined);
    assert.deepEqual(host.first.parameters, { Run: RUN, Why: 'rescue' });
  });

  test('only a run with a set asks by the word after which applications record a backup', async () => {
    for (const [input, word] of [
      [gradeInput(), 'asked'],
      [gradeInput({ snapshots: undefined }), 'rescue'],
      [{ ...gradeInput(), askedBy: 'hand' }, 'hand'],
    ] as const) {
      const host = ssm().next({ answer });
      await thaw(ThawInput.parse(input), host, host.clock);
      assert.equal(host.first.parameters.Why, word);
    }
  });

  test('a host that never froze thaws as well, with no receipt', async () => {
    const host = ssm().next({ answer: { ...answer, receipt: null } });
    assert.equal((await thaw(ThawInput.parse(gradeInput()), host, host.clock)).receipt, null);
  });

  test('brings back the receipt, the boot and when it was asked for', async () => {
    const host = ssm().next({ answer });
    const result = await thaw(ThawInput.parse(gradeInput()), host, host.clock);
    assert.deepEqual(result, { sentAt: host.first.at, bootId: BOOT, receipt: receipt() });
    assert.deepEqual(host.first.pinned, gradeInput().documents.thaw);
  });
});
