import { globSync } from 'node:fs';
import { join } from 'node:path';

/** Imports the tests of a folder of `test/`; those in folders of it want a process of their own. */
export async function importTests(folder: string): Promise<void> {
  const cwd = join(import.meta.dirname, '..', folder);
  for (const file of globSync('*.test.ts', { cwd }).sort()) await import(join(cwd, file));
}
