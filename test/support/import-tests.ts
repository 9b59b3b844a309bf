import { globSync } from 'node:fs';
import { join } from 'node:path';

/** Imports the tests of a folder of `test/`, of which there must be some; those in folders of it want a process of their own. */
export async function importTests(folder: string): Promise<void> {
  const cwd = join(import.meta.dirname, '..', folder);
  const files = globSync('*.test.ts', { cwd }).sort();
  if (files.length === 0) throw new Error(`there are no tests in ${cwd}`);
  for (const file of files) await import(join(cwd, file));
}
