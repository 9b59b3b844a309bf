/** What goes to npm: a tarball that an empty folder can use. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pack } from '../pack.ts';

const ROOT = join(import.meta.dirname, '..');
const tarball = pack();
const folder = mkdtempSync(join(tmpdir(), 'freezeframe-package-'));
after(() => rmSync(folder, { recursive: true }));

// As npm would put it there. What it depends on comes from this repository: the tests use no network.
const installed = join(folder, 'node_modules/freezeframe');
mkdirSync(installed, { recursive: true });
execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
for (const name of [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies), '@types']) {
  symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
}
const node = (...words: string[]) =>
  execFileSync(process.execPath, words, { cwd: folder, encoding: 'utf8', env: { ...process.env, CDK_OUTDIR: 'out' } });

describe('the package', () => {
  const files = globSync('**/*', { cwd: installed, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));

  it('has code, types, bundles and scripts, and nothing of the tests or the lab', () => {
    for (const file of [
      'lib/index.js',
      'lib/index.d.ts',
      'dist/freeze/index.mjs',
      'ssm-documents/linux/freeze.sh',
      'LICENSE',
    ]) {
      assert.ok(files.includes(file), file);
    }
    const allowed = /^(lib|lambdas\/shared|ssm-documents)\/|^dist\/[a-z-]+\/\w+\.mjs$|^(package\.json|[A-Z]+(\.md)?)$/;
    assert.deepEqual(
      files.filter((file) => !allowed.test(file)),
      [],
    );
    assert.deepEqual(
      files.filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file)),
      [],
    );
  });

  it('says its version and what it needs, and nothing that only this repository needs', () => {
    const root = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.match(manifest.version, /^\d+\.\d+\.\d+$/);
    assert.equal(manifest.version, root.version);
    assert.deepEqual(Object.keys(manifest.peerDependencies).sort(), ['aws-cdk-lib', 'constructs']);
    for (const key of ['private', 'scripts', 'devDependencies', 'optionalDependencies'])
      assert.ok(!(key in manifest), key);
    for (const path of Object.values<string>(manifest.bin ?? {})) assert.ok(existsSync(join(installed, path)), path);
  });

  it('lets an app in an empty folder synthesise', () => {
    // Its types are of no use to Node, which runs it as it stands.
    cpSync(join(ROOT, 'examples/own-app.ts'), join(folder, 'app.ts'));
    node('app.ts');
    assert.match(readFileSync(join(folder, 'out/Backups.template.json'), 'utf8'), /Freezeframe-Backup/);
  });

  it('brings types that the app is checked by', () => {
    const wrong = readFileSync(join(folder, 'app.ts'), 'utf8').replace('plan: parsePlan', 'pln: parsePlan');
    writeFileSync(join(folder, 'wrong.ts'), wrong);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const words = '--singleThreaded --noEmit --strict --skipLibCheck --module nodenext --target es2024 --types node';
    assert.throws(
      () => node(tsc, ...words.split(' '), 'app.ts', 'wrong.ts'),
      ({ stdout }: { stdout: string }) =>
        /^wrong\.ts\S+ error TS\d+: .*'pln'.*$/s.test(stdout) && !stdout.includes('app.ts'),
    );
  });
});
