/** shellcheck over the scripts as they stand, and over what unpacks them in each document. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { install, mayInstall } from '../../lab/apt.ts';
import { type DocumentNoun, renderDocuments, scriptsOf, THAW_AT_ONCE } from '../../lib/documents.ts';

const LINUX = new URL('../../ssm-documents/linux', import.meta.url);
const isMissing = () => spawnSync('shellcheck', ['--version'], { stdio: 'ignore' }).error !== undefined;
if (isMissing() && mayInstall()) install('shellcheck');
assert.ok(!isMissing(), 'shellcheck is missing; install it (apt-get install shellcheck) and try again');

/** What shellcheck has to say of files, or of a script on its standard input. */
function findings(words: readonly string[], input = ''): string {
  const all = ['--severity=style', '--shell=bash', ...words];
  const { status, stdout, stderr } = spawnSync('shellcheck', all, { input, cwd: LINUX, encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

describe('shellcheck finds nothing', () => {
  const documents = renderDocuments();
  const nouns = Object.keys(documents) as DocumentNoun[];

  it('in the scripts', () => assert.equal(findings([...new Set([...nouns.flatMap(scriptsOf), THAW_AT_ONCE])]), ''));

  for (const noun of nouns) {
    const lines = documents[noun].mainSteps[0].inputs.runCommand;
    it(`in ${noun} as it ships`, () => assert.equal(findings(['-'], lines.join('\n')), ''));
  }
});
