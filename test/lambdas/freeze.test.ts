import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freeze, freezeParameters } from '../../lambdas/freeze/freeze.ts';
import { DOCUMENT_PARAMETERS, PARAMETER_PATTERNS } from '../../lambdas/shared/contracts.ts';
import { atFreeze, NOW, receipt, run } from './builders.ts';
import { awsError, FakeClock, FakeSsm, failure } from './fakes.ts';

const frozen = { contract: 1, receipt: atFreeze(receipt()) };
const ssm = () => new FakeSsm(new FakeClock());

describe('Freeze', () => {
  test('an answer that leaves too little of the lease for a set is an error, since thawing is all that is left to do', async () => {
    const host = ssm().next({ answer: frozen, afterMs: 21_000 });
    const error = await failure(freeze(run(), host, host.clock));
    assert.equal(error.name, 'LeaseTooShortError');
    assert.match(error.message, /raise freeze\.leaseSeconds/);
  });

  test('an answer that does not come is waited for until the lease is over, and no longer', async () => {
    const host = ssm().next({ answer: frozen, afterMs: 600_000 });
    assert.equal((await failure(freeze(run(), host, host.clock))).name, 'HostSilentError');
    const waited = host.clock.now() - NOW;
    assert.ok(waited > 28_000 && waited <= 30_000, `${waited} ms`);
  });

  test('a freeze whose answer is lost is not sent again', async () => {
    const host = ssm().next(awsError('TimeoutError', null));
    assert.equal((await failure(freeze(run(), host, host.clock))).name, 'HostSilentError');
    assert.equal(host.sent.length, 1);
  });

  test('a throttled command is sent again, as late as the host is told', async () => {
    const host = ssm().next(awsError('ThrottlingException')).next({ answer: frozen });
    const result = await freeze(run(), host, host.clock);
    const [first, second] = host.sent;
    assert.equal(result.sentAt, second?.at);
    const later = Number(second?.parameters.NotAfter) - Number(first?.parameters.NotAfter);
    assert.ok(later > 0 && later <= 2, `${later} s`);
  });

  test('a turn that is over is not frozen in, though the first command was throttled in time', async () => {
    const host = ssm().next(awsError('ThrottlingException')).next({ answer: frozen });
    const turn = { startBefore: NOW, freezeBefore: NOW + 45_000, dryRun: false };
    assert.equal((await failure(freeze(run({ turn }), host, host.clock))).name, 'TurnOverError');
    assert.equal(host.sent.length, 1);
  });

  test("another run's receipt is no proof", async () => {
    const host = ssm().next({ answer: { contract: 1, receipt: { ...frozen.receipt, run: 'other' } } });
    assert.equal((await failure(freeze(run(), host, host.clock))).name, 'UnexpectedAnswerError');
  });

  test('a receipt that does not say frozen is no proof', async () => {
    const host = ssm().next({ answer: { contract: 1, receipt: { ...frozen.receipt, frozenAt: null } } });
    assert.equal((await failure(freeze(run(), host, host.clock))).name, 'UnexpectedAnswerError');
  });

  test('the moment before sending and the moment of the answer are handed on with the receipt', async () => {
    const host = ssm().next({ answer: frozen });
    const result = await freeze(run(), host, host.clock);
    assert.equal(result.sentAt, NOW);
    assert.ok(result.answeredAt > result.sentAt);
    assert.equal(result.receipt.frozenAt, 1011);
  });

  test("the run's pinned document version and hash are sent", async () => {
    const host = ssm().next({ answer: frozen });
    await freeze(run(), host, host.clock);
    assert.equal(host.first.document, 'Freezeframe-Freeze');
    assert.deepEqual(host.first.pinned, run().documents.freeze);
  });

  test("a late start is refused in the host's own clock: 15 s after now, counted from Inspect", () => {
    assert.equal(freezeParameters(run(), NOW + 8_400).NotAfter, String(1008 + 15));
  });

  test('the host may freeze for the lease less the reserve for the set and the thaw', () => {
    const { Lease, Within } = freezeParameters(run(), NOW);
    assert.deepEqual([Lease, Within], ['30', '15']);
  });

  test('every parameter of the document is there and passes its pattern, with and without applications', () => {
    const hook = { document: 'Shop-Quiet', version: '3', hash: '', script: 'c2hvcA==' };
    for (const apps of [[], ['mysql'], ['mysql', 'postgresql']]) {
      const parameters = freezeParameters(run({ apps, hook }), NOW);
      assert.deepEqual(Object.keys(parameters).sort(), [...DOCUMENT_PARAMETERS.freeze].sort());
      for (const [name, value] of Object.entries(parameters)) {
        assert.match(value, new RegExp(PARAMETER_PATTERNS[name as keyof typeof PARAMETER_PATTERNS]), name);
      }
    }
  });
});
