import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this process may install what is missing. */
export const mayInstall = (): boolean => process.getuid?.() === 0;

/** Installs Debian packages, after all others that are at it: tests run side by side. Lists are fetched only when they lack something. */
export function install(...packages: readonly string[]): void {
  try {
    apt('install', '-y', '--no-install-recommends', ...packages);
  } catch {
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...packages);
  }
}

function apt(...words: readonly string[]): void {
  execFileSync('flock', [join(tmpdir(), 'freezeframe-apt.lock'), 'apt-get', '-qq', ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
