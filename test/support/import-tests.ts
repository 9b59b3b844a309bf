import hooks from 'node:async_hooks';
import { globSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Imports the tests of a folder of `test/`, of which there must be some; those in folders of it want a process of their own.
 *
 * node:test follows each promise that a process makes, to tell which test an error belongs to that nobody catches. The
 * played AWS makes millions, and a fifth of the time went there. Such an error now fails the folder and not the test.
 */
export async function importTests(folder: string): Promise<void> {
  const cwd = join(import.meta.dirname, '..', folder);
  const files = globSync('*.test.ts', { cwd }).sort();
  if (files.length === 0) throw new Error(`there are no tests in ${cwd}`);
  const { createHook } = hooks;
  hooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false });
  for (const file of files) await import(join(cwd, file));
}
