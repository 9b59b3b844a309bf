/** A document of the user's own, named by the tag: what becomes of it on the way to the host. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../cli/doctor.ts';
import type { CommandDocument } from '../../lab/aws/ssm-documents.ts';
import { DOCUMENTS, STATES, USER_TAGS } from '../../lambdas/shared/names.ts';
import { hookDocument } from '../lambdas/builders.ts';
import { judgedAccount } from '../support/authorize.ts';
import { POLICIES, type Server, stackOf } from '../support/model-account.ts';
import { freezeframe } from '../support/operator.ts';

const nightly = { ...POLICIES.nightly, schedule: 'rate(1 day)', retain: { last: 3 } };
const stack = await stackOf({ policies: { nightly }, hookDocuments: ['Shop-Quiet', 'Not-There'] });
const { account, refused, judged } = await judgedAccount({ stack });

describe('a document that the tag names', () => {
  before(() => {
    put();
    account.world.ssm.documents.put('Payroll', hookDocument() as CommandDocument);
  });

  const put = (lines?: string[]) =>
    account.world.ssm.documents.put('Shop-Quiet', hookDocument(lines) as CommandDocument);
  const launch = (document = 'Shop-Quiet', mode?: string): Server =>
    account.launch({ ...(mode && { mode }), tags: { [USER_TAGS.hookDocument]: document } });
  const sent = ({ host }: Server, document: string) =>
    host.steps.filter((step) => step.document === document).map(({ parameters }) => parameters.Hook ?? '');
  const evidence = (server: Server, run: string) =>
    account.evidenceOf(server, run) as unknown as {
      hook?: object;
      grade: string;
      receipt: { apps: { driver: string; name: string; held: boolean }[] };
    };

  for (const mode of ['fs-freeze', 'lvm-snapshot']) {
    it(`is a hook of the run in mode ${mode}, and the evidence has its version`, async () => {
      const server = launch('Shop-Quiet', mode);
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', JSON.stringify(run.error));
      const [atInspect] = sent(server, DOCUMENTS.inspect);
      assert.deepEqual(sent(server, DOCUMENTS.freeze), [atInspect]);
      const { hook, grade, receipt } = evidence(server, run.name);
      assert.equal(grade, 'application');
      assert.deepEqual(
        receipt.apps.map(({ driver, held }) => [driver, held]),
        [
          ['hooks', true],
          ['mysql', true],
        ],
      );
      assert.match(JSON.stringify(hook), /^{"document":"Shop-Quiet","version":"1","hash":"[0-9a-f]{64}"}$/);
      assert.equal(server.host.frozen, false);
    });
  }

  it('is never sent to an instance, and asks nothing of those without the tag', async () => {
    const [named, other] = [launch(), account.launch()];
    await Promise.all([account.backup(named), account.backup(other)]);
    assert.deepEqual(new Set(named.host.steps.map(({ document }) => document)), new Set(Object.values(OF_A_RUN)));
    assert.deepEqual(sent(other, DOCUMENTS.freeze), ['none']);
  });

  it('is of one version throughout a run, even where a newer one comes in the middle', async () => {
    const server = launch();
    server.host.trouble.inspectMs = 5_000;
    const running = account.start(server);
    await account.clock.sleep(4_000);
    put(['#!/bin/sh', 'shop2-ctl {{ command }}']);
    assert.equal((await running.ended).status, 'SUCCEEDED');
    assert.deepEqual(sent(server, DOCUMENTS.freeze), sent(server, DOCUMENTS.inspect));

    await account.clock.sleep(60_000);
    const later = await account.backup(server);
    assert.match(JSON.stringify(evidence(server, later.name).hook), /"version":"2"/);
    assert.notEqual(sent(server, DOCUMENTS.freeze)[0], sent(server, DOCUMENTS.freeze)[1]);
  });

  it('whose hold was lost lowers the grade, and the run says so', async () => {
    const server = launch('Shop-Quiet', 'fs-freeze');
    server.host.trouble.lostLocks = ['hooks'];
    const run = await account.backup(server);
    assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError']);
    assert.match(run.cause ?? '', /document:Shop-Quiet/);
    assert.equal(server.host.frozen, false);
  });

  for (const [title, document, error, says] of [
    ['that the plan does not list', 'Payroll', 'BadTagError', /hook-document = Payroll; .*Shop-Quiet, Not-There/],
    ['that is not there', 'Not-There', 'DocumentMissingError', /Not-There is not there .*freezeframe:hook-document/],
  ] as const) {
    it(`${title} ends the run in Inspect host, and the host is not asked`, async () => {
      const server = launch(document);
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['FAILED', error]);
      assert.match(run.cause ?? '', says);
      assert.ok(run.history.some((event) => JSON.stringify(event).includes(STATES.inspect)));
      assert.deepEqual(server.host.steps, []);
    });
  }

  it('is read by the right that the plan gives, and nothing was asked for that is not given', () => {
    assert.ok(judged.has('ssm:GetDocument'));
    assert.deepEqual(refused, []);
  });

  it('is in what the command line says of a run beforehand', async () => {
    const server = launch('Shop-Quiet', 'fs-freeze');
    const { out } = await freezeframe(account, `plan ${server.id}`);
    assert.match(out, /1\. quiet hooks document:Shop-Quiet/);
    assert.deepEqual(sent(server, DOCUMENTS.freeze), []);
  });

  it('is missed by doctor where the plan lists one that nobody has made', async () => {
    const { json } = await freezeframe(account, 'doctor --json');
    const findings = (json.findings as Finding[]).filter(({ check }) => check === 'documents');
    assert.deepEqual(
      findings.map(({ level, what }) => [level, what]),
      [['bad', 'the SSM document Not-There, a hook of the plan, is not there in this Region']],
    );
  });
});

const { inspect, freeze, thaw } = DOCUMENTS;
const OF_A_RUN = { inspect, freeze, thaw };
