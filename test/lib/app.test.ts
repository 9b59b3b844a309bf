/** The app as `npm run synth` and a deployment run it: a process of its own, with all validations on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { synth } from '../support/synth.ts';

const { resources } = await synth();
const ROOT = join(import.meta.dirname, '../..');
const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));

/** What a program of lib/ says; validations on. */
function run(words: readonly string[], env: Record<string, string> = {}) {
  const out = mkdtempSync(join(tmpdir(), 'freezeframe-app-'));
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: ROOT,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: out, CDK_OUTDIR: out, CDK_VALIDATION: 'true', ...env },
    });
    return { status, stdout, stderr };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const withPlan = (freezeframe: unknown) => ({ CDK_CONTEXT_JSON: JSON.stringify({ ...context, freezeframe }) });

describe('the app', () => {
  it('synthesises as it comes, with every option of the plan, and for an account that gets copies, without a finding of cdk-nag or of the template validation', () =>
    assert.deepEqual(run(['--import', './test/support/other-apps.ts', 'lib/app.ts'], withPlan(context.freezeframe)), {
      status: 0,
      stdout: '',
      stderr: '',
    }));

  it('tells a wrong plan in plain lines, without a stack trace, and fails', () => {
    const plan = { policies: { nightly: { schedule: 'rate(1 day)', retain: {}, grad: 1 } } };
    const { status, stderr } = run(['lib/app.ts'], withPlan(plan));
    assert.equal(status, 1);
    const lines = stderr.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(':')[0]),
      ['freezeframe.policies.nightly.retain', 'freezeframe.policies.nightly.grad'],
    );
  });
});

describe('the stack', () => {
  const byType = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);

  it('gives the documents fixed names and new versions, so that no run loses its thaw to a deployment', () => {
    const documents = byType('AWS::SSM::Document').map(({ Properties }) => Properties);
    assert.deepEqual(documents.map(({ Name }) => Name).sort(), [
      'Freezeframe-DLM',
      'Freezeframe-Freeze',
      'Freezeframe-Inspect',
      'Freezeframe-InspectWindows',
      'Freezeframe-Restore',
      'Freezeframe-Thaw',
      'Freezeframe-Verify',
    ]);
    // The tag lets Data Lifecycle Manager's role run a document; it is for the one that is made for it.
    for (const { Name, Tags } of documents)
      assert.deepEqual(
        Tags,
        Name === 'Freezeframe-DLM' ? [{ Key: 'DLMScriptsAccess', Value: 'true' }] : undefined,
        Name,
      );
    for (const { UpdateMethod, TargetType, DocumentType } of documents) {
      assert.deepEqual([UpdateMethod, TargetType, DocumentType], ['NewVersion', '/AWS::EC2::Instance', 'Command']);
    }
  });

  it('keeps the receipts, whatever becomes of the stack', () => {
    const [bucket, ...others] = Object.values(resources).filter(({ Type }) => Type === 'AWS::S3::Bucket');
    assert.deepEqual(others, []);
    assert.equal((bucket as unknown as { DeletionPolicy: string }).DeletionPolicy, 'Retain');
    assert.equal(bucket?.Properties.VersioningConfiguration.Status, 'Enabled');
    assert.ok(Object.values(bucket?.Properties.PublicAccessBlockConfiguration).every((blocked) => blocked === true));
  });

  it('writes no payload into the log of the state machine', () => {
    const [machine] = byType('AWS::StepFunctions::StateMachine');
    const { IncludeExecutionData, Level } = machine?.Properties.LoggingConfiguration ?? {};
    assert.deepEqual([IncludeExecutionData, Level], [false, 'ALL']);
  });

  it('traces every function, and lets no log grow for ever', () => {
    for (const { Properties } of byType('AWS::Lambda::Function')) assert.equal(Properties.TracingConfig.Mode, 'Active');
    const logs = byType('AWS::Logs::LogGroup');
    assert.ok(logs.length > byType('AWS::Lambda::Function').length);
    for (const { Properties } of logs) assert.ok(Properties.RetentionInDays > 0);
  });
});
