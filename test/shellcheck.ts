/**
 * shellcheck over the scripts as they stand and over each document as it ships, unpacked. A part of `npm run check`;
 * installs shellcheck where it is missing and may be installed.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type DocumentNoun, renderDocuments, scriptsOf, unpackedScript } from '../lib/documents.ts';

const has = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined;

const install = (): void => {
  const apt = (...words: string[]) =>
    spawnSync('apt-get', words, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
      .status;
  if (process.getuid?.() === 0 && has('apt-get')) {
    if (apt('install', '-y', '-q', '--no-install-recommends', 'shellcheck') !== 0) {
      apt('update', '-q');
      apt('install', '-y', '-q', '--no-install-recommends', 'shellcheck');
    }
  }
  if (!has('shellcheck')) {
    console.error('shellcheck is missing; install it (apt-get install shellcheck) and try again');
    process.exit(1);
  }
};

const shellcheck = (words: readonly string[], input = ''): boolean =>
  spawnSync('shellcheck', ['--severity=style', '--shell=bash', ...words], {
    input,
    stdio: ['pipe', 'inherit', 'inherit'],
    cwd: fileURLToPath(new URL('../ssm-documents/linux', import.meta.url)),
  }).status === 0;

if (!has('shellcheck')) install();
const documents = renderDocuments();
let clean = shellcheck([...new Set((Object.keys(documents) as DocumentNoun[]).flatMap(scriptsOf))]);
// One file's directives end with it, so what they switch off is switched off for the whole.
// Locals of one name in two files, a list here and a text there, it takes for one variable.
const directives = '# shellcheck disable=SC1091,SC2034,SC2154,SC2128,SC2178,SC2179';
for (const document of Object.values(documents)) {
  clean = shellcheck(['-'], document.mainSteps[0].inputs.runCommand.join('\n')) && clean;
}
for (const noun of ['freeze', 'restore', 'verify'] as const) {
  clean = shellcheck(['-'], `#!/bin/bash\n${directives}\nDOCUMENT=any\n${unpackedScript(noun)}`) && clean;
}
process.exit(clean ? 0 : 1);
