/** The drivers and the verifiers against real servers on this machine: files of node's own test runner, one at a time. */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from 'node:test';
import type { Account } from '../account.ts';
import type { Report } from './report.ts';

const FOLDER = join(import.meta.dirname, '../../test/servers');

export async function servers(_: Account, report: Report, { only }: { only: readonly string[] }): Promise<void> {
  report.title('Drivers and verifiers, with real servers');
  for (const file of globSync('*.test.ts', { cwd: FOLDER }).sort()) {
    const name = basename(file, '.test.ts');
    if (only.length > 0 && !only.some((text) => name.includes(text))) continue;
    await report.try('servers', name, () => passes(join(FOLDER, file)));
  }
}

/** How many tests of a file passed; throws with the names of those that did not, and why. */
async function passes(file: string): Promise<string> {
  let passed = 0;
  const failed: string[] = [];
  for await (const { type, data } of run({ files: [file] })) {
    // A file without tests is itself one that passes.
    if (type === 'test:pass' && data.details.type !== 'suite' && !file.endsWith(data.name)) passed++;
    if (type === 'test:fail') failed.push(`${data.name}: ${data.details.error.cause ?? data.details.error.message}`);
  }
  if (failed.length > 0) throw new Error(failed.join('\n'));
  if (passed === 0) throw new Error(`${file} has no test`);
  return `${passed} tests`;
}
