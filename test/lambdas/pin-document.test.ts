/** Which version of a document a run keeps to, and how often SSM is asked for it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { pinDocument } from '../../lambdas/shared/ssm.ts';
import { awsError, FakeClock, failure } from './fakes.ts';

/** SSM with one document, whose versions are deployed one after another. */
class FakeDocuments {
  version = 1;
  asked = 0;
  fault: Error | undefined;

  send = async () => {
    this.asked += 1;
    if (this.fault) throw this.fault;
    return { Document: { DocumentVersion: String(this.version), Hash: `hash-${this.version}` } };
  };
}

const pinned = (ssm: FakeDocuments, clock = new FakeClock()) => pinDocument(ssm as unknown as SSMClient, clock.now);

describe('the version that runs keep to', () => {
  test('is asked for once by all runs of a minute', async () => {
    const ssm = new FakeDocuments();
    const pin = pinned(ssm);
    const pins = await Promise.all(Array.from({ length: 100 }, () => pin('Freezeframe-Freeze')));
    assert.deepEqual(new Set(pins.map(({ version }) => version)), new Set(['1']));
    assert.equal(ssm.asked, 1);
  });

  test('of each document is its own', async () => {
    const ssm = new FakeDocuments();
    const pin = pinned(ssm);
    await pin('Freezeframe-Freeze');
    await pin('Freezeframe-Thaw');
    assert.equal(ssm.asked, 2);
  });

  test('is the new one a minute after it was deployed', async () => {
    const [ssm, clock] = [new FakeDocuments(), new FakeClock()];
    const pin = pinned(ssm, clock);
    await pin('Freezeframe-Freeze');
    ssm.version = 2;
    await clock.sleep(60_000);
    assert.deepEqual(await pin('Freezeframe-Freeze'), { version: '2', hash: 'hash-2' });
  });

  test('is asked for anew after SSM has refused', async () => {
    const ssm = new FakeDocuments();
    const pin = pinned(ssm);
    ssm.fault = awsError('InvalidDocument');
    assert.equal((await failure(pin('Freezeframe-Freeze'))).name, 'DocumentMissingError');
    ssm.fault = undefined;
    assert.equal((await pin('Freezeframe-Freeze')).version, '1');
  });
});
