/**
 * Runs every test: npm test. A process a file, but for the folders whose tests load the same for seconds (the CDK, the
 * bundles, the emulated AWS): those share one, of together/. Without servers/, whose real databases are the lab's:
 * npm run test:lab -- servers.
 */
import { globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const cwd = import.meta.dirname;
const together = globSync('together/*.ts', { cwd });
const folders = together.map((file) => basename(file, '.ts'));
const others = globSync('**/*.test.ts', { cwd })
  .filter((file) => ![...folders, 'servers'].includes(dirname(file)))
  .sort();
// Those that take longest first, so that none of them runs alone at the end.
const files = [...together, ...others].map((file) => join(cwd, file));
// Twice the cores of the machines that run them: half of the files spend their time waiting for a lock or a lease.
run({ files, concurrency: 4 })
  .on('test:fail', ({ todo }) => {
    if (todo === undefined || todo === false) process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
