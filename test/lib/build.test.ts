import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { bundlePath, hashOf, isCurrent } from '../../build.ts';
import { FUNCTIONS, type FunctionName } from '../../lib/functions.ts';
import { synth } from '../support/synth.ts';

// Bytes are cold-start time inside the frozen window: 300 KB load in about 60 ms, 850 KB in twice that.
const WITH_EC2 = 400_000;
// Once a firing, before anything is frozen: it has EC2, SSM and S3.
const WITH_ALL = 450_000;
const WITHOUT_EC2 = 300_000;
const USES_EC2: readonly FunctionName[] = [
  'inspect-host',
  'create-snapshots',
  'grade',
  'lock',
  'check-snapshots',
  'check-vss',
  'discard',
  'find-set',
  'plan-restore',
  'launch-instance',
  'create-volumes',
  'attach-volumes',
  'restore-host',
  'remove-volumes',
  'choose-set',
  'launch-scratch',
  'wait-for-agent',
  'judge',
  'tear-down',
  'sweep-drills',
  'list-sets',
  'decide',
  'delete',
];

describe('bundles', async () => {
  await synth();

  it('there is a function for every folder that has a handler, and for no other', () => {
    const lambdas = new URL('../../lambdas/', import.meta.url);
    const folders = readdirSync(lambdas).filter((name) => existsSync(new URL(`${name}/handler.ts`, lambdas)));
    assert.deepEqual(folders.sort(), Object.keys(FUNCTIONS).sort());
  });

  for (const name of Object.keys(FUNCTIONS) as FunctionName[]) {
    const limit = name === 'find-targets' ? WITH_ALL : USES_EC2.includes(name) ? WITH_EC2 : WITHOUT_EC2;
    it(`${name} is smaller than ${limit / 1000} KB`, () => {
      const { size } = statSync(bundlePath(name));
      assert.ok(size > 0 && size < limit, `${size} bytes`);
    });

    it(`${name} brings along all that it imports`, () => {
      const code = readFileSync(bundlePath(name), 'utf8');
      const imports = [...code.matchAll(/\bfrom\s?"([^"]+)"/g)].map(([, module]) => module as string);
      assert.deepEqual(
        imports.filter((module) => !/^(node:|[a-z_/]+$)/.test(module)),
        [],
      );
    });
  }

  it('are made anew when a file that went into them is another, or gone', () => {
    assert.ok(isCurrent(), 'those of this test are what the sources say');
    const folder = mkdtempSync(join(tmpdir(), 'freezeframe-build-'));
    const [source, record] = [join(folder, 'source.ts'), join(folder, 'made-of.json')];
    assert.ok(!isCurrent(record), 'nothing was built yet');
    writeFileSync(source, 'one');
    writeFileSync(record, JSON.stringify({ [source]: hashOf(source) }));
    assert.ok(isCurrent(record));
    writeFileSync(source, 'two');
    assert.ok(!isCurrent(record));
    rmSync(source);
    assert.ok(!isCurrent(record));
    rmSync(folder, { recursive: true });
  });
});
