import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ThawAnswer } from '../../lambdas/shared/contracts.ts';
import { type Command, runCommand, throughThrottles, URGENT } from '../../lambdas/shared/run-command.ts';
import { BOOT, INSTANCE } from './builders.ts';
import { awsError, FakeClock, FakeSsm, failure } from './fakes.ts';

const command: Command = {
  document: 'Freezeframe-Thaw',
  pinned: { version: '8', hash: 'e'.repeat(64) },
  instanceId: INSTANCE,
  parameters: { Run: 'r', Why: 'asked' },
  comment: 'a test',
};
const answer = { contract: 1, bootId: BOOT, receipt: null, swept: [] };

const ssm = () => new FakeSsm(new FakeClock());
const follow = (host: FakeSsm, patienceMs = 30_000) => runCommand(host, host.clock, command, ThawAnswer, patienceMs);

describe('a command that fails', () => {
  for (const [title, ending, name, says] of [
    [
      "the document's own error gives the name and the message",
      {
        details: 'Failed',
        code: 20,
        answer: { contract: 1, error: { code: 'LockTimeout', message: 'query 7 is in the way' } },
      },
      'LockTimeoutError',
      'query 7 is in the way',
    ],
    [
      'a failure without an answer of ours is told by its code and the end of stderr',
      { details: 'Failed', code: 127, stderr: 'bash: not found' },
      'UnexpectedAnswerError',
      /code 127.*stdout is empty.*bash: not found/,
    ],
    [
      'an answer cut off at 24,000 characters is not taken for one',
      { stdout: `{"contract":1,${' '.repeat(300)}--output truncated--` },
      'UnexpectedAnswerError',
      /cut off/,
    ],
    [
      'an answer of another contract is refused by path and value',
      { answer: { ...answer, contract: 2 } },
      'UnexpectedAnswerError',
      /contract is 2, expected 1/,
    ],
    [
      'a success without an answer is a step that was skipped, not a success',
      {},
      'UnexpectedAnswerError',
      /stdout is empty/,
    ],
    [
      'a document that the agent killed ran too long',
      { details: 'Execution Timed Out', code: 137 },
      'CommandTimeoutError',
      /killed/,
    ],
    [
      'a command that was never delivered leaves the host silent',
      { details: 'DeliveryTimedOut' },
      'HostSilentError',
      /did not reach/,
    ],
    [
      'an undeliverable command leaves the host silent',
      { details: 'Undeliverable' },
      'HostSilentError',
      /Undeliverable/,
    ],
    ['a cancelled command says so', { details: 'Cancelled' }, 'CommandCancelledError', /CloudTrail/],
    ['a missing tag is a lack of permission', { details: 'AccessDenied' }, 'NotPermittedError', /policy tag/],
    ['too many pending commands are a throttle', { details: 'Rate Exceeded' }, 'ThrottledError', /pending/],
  ] as const) {
    test(title, async () => {
      const error = await failure(follow(ssm().next(ending)));
      assert.equal(error.name, name);
      assert.match(error.message, new RegExp(says));
    });
  }

  test('a host that has not answered by the deadline is silent, and what was last seen is said', async () => {
    const host = ssm().next({ answer, afterMs: 60_000 });
    const error = await failure(follow(host));
    assert.equal(error.name, 'HostSilentError');
    assert.match(error.message, /last seen: InProgress/);
    assert.ok(host.clock.now() - host.first.at <= 30_000);
  });

  test('a code of the host that is no name does not become one', async () => {
    const error = await failure(
      follow(ssm().next({ details: 'Failed', answer: { contract: 1, error: { code: 'x"; rm', message: 'm' } } })),
    );
    assert.equal(error.name, 'InternalError');
  });

  test('an instance that SSM does not know is offline', async () => {
    assert.equal((await failure(follow(ssm().next(awsError('InvalidInstanceId'))))).name, 'AgentOfflineError');
  });

  test('a document that is gone is named with its version', async () => {
    const error = await failure(follow(ssm().next(awsError('InvalidDocumentVersion'))));
    assert.equal(error.name, 'DocumentMissingError');
    assert.match(error.message, /version 8/);
  });

  test('a SendCommand whose answer is lost leaves open whether it runs, and is not sent again', async () => {
    const host = ssm().next(awsError('TimeoutError', null));
    assert.equal((await failure(follow(host))).name, 'HostSilentError');
    assert.equal(host.sent.length, 1);
  });

  test('a refusal while polling ends the polling', async () => {
    const host = ssm().next({ answer }).failLooks(awsError('NotPermittedError', null));
    assert.equal((await failure(follow(host))).name, 'NotPermittedError');
  });
});

describe('a command that is throttled', () => {
  const throttle = () => awsError('ThrottlingException');
  const send = (host: FakeSsm, patienceMs = 10_000) =>
    throughThrottles(host.clock, { patienceMs, everyMs: 400 }, () => follow(host));

  test('is sent again until it is accepted, and counts from then', async () => {
    const host = ssm().next(throttle()).next(throttle()).next({ answer });
    const done = await send(host);
    assert.equal(host.sent.length, 3);
    assert.equal(done.sentAt, host.sent[2]?.at);
    assert.ok(done.sentAt - host.first.at < 1_000);
  });

  test('is given up on when patience ends', async () => {
    const host = ssm();
    for (let time = 0; time < 100; time += 1) host.next(throttle());
    assert.equal((await failure(send(host))).name, 'ThrottlingException');
    assert.ok(host.clock.now() - host.first.at <= 10_000);
  });

  test('is not sent again for any other error: it may be under way', async () => {
    const host = ssm().next(awsError('TimeoutError', null)).next({ answer });
    assert.equal((await failure(send(host))).name, 'HostSilentError');
    assert.equal(host.sent.length, 1);
  });

  test('while its answer is looked for costs a second of the frozen window at most', async () => {
    const host = ssm().next({ answer, afterMs: 900 }).failLooks(throttle(), throttle(), throttle());
    const { answeredAt, sentAt } = await runCommand(host, host.clock, command, ThawAnswer, 30_000, URGENT);
    assert.ok(answeredAt - sentAt <= 750 + 4 * 1_000, `${answeredAt - sentAt} ms`);
  });
});

describe('the answer of a freeze', () => {
  const frozenIn = async (host: FakeSsm) => {
    const { answeredAt, sentAt } = await runCommand(host, host.clock, command, ThawAnswer, 60_000, URGENT);
    return answeredAt - sentAt;
  };

  for (const afterMs of [900, 2_345, 4_600, 12_000, 25_000])
    test(`that is there after ${afterMs} ms waits for a quarter of a second, or a twentieth of what it took`, async () => {
      const waited = (await frozenIn(ssm().next({ answer, afterMs }))) - afterMs;
      assert.ok(waited <= Math.max(250, afterMs / 20), `${waited} ms`);
    });

  test('is looked for once a second by those who were throttled once: the rate is shared', async () => {
    const host = ssm().next({ answer, afterMs: 4_900 }).failLooks(awsError('ThrottlingException'));
    let looks = 0;
    const look = host.look;
    host.look = (id) => {
      looks += 1;
      return look(id);
    };
    const waited = (await frozenIn(host)) - 4_900;
    assert.ok(looks <= 7, `${looks} looks`);
    assert.ok(waited <= 1_000, `${waited} ms`);
  });
});

describe('a command that succeeds', () => {
  test('its answer is found though SSM does not know the command at first', async () => {
    const host = ssm().next({ answer });
    const done = await follow(host);
    assert.deepEqual(done.answer, answer);
    assert.equal(done.sentAt, host.first.at);
    assert.ok(done.answeredAt - done.sentAt < 4_000, `${done.answeredAt - done.sentAt} ms`);
  });

  test('throttles and stumbles while polling are waited out within the deadline', async () => {
    const host = ssm()
      .next({ answer })
      .failLooks(awsError('ThrottlingException'), awsError('InternalServerError', 500), awsError('ECONNRESET', null));
    assert.deepEqual((await follow(host)).answer, answer);
  });

  test('throttles that do not end are given up on at the deadline', async () => {
    const throttles = Array.from({ length: 100 }, () => awsError('ThrottlingException'));
    const host = ssm()
      .next({ answer })
      .failLooks(...throttles);
    const error = await failure(follow(host));
    assert.equal(error.name, 'HostSilentError');
    assert.match(error.message, /ThrottlingException/);
  });

  test('the least delivery timeout that SSM takes goes with it', async () => {
    const host = ssm().next({ answer });
    await follow(host);
    assert.equal(host.first.deliveryTimeoutSeconds, 30);
  });
});
