/** How the scripts tell that a holder lives: by its lock, and in doubt for its life. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { readScript } from '../../lib/documents.ts';

test('a lock is held while somebody holds it, and when it can’t be told', () => {
  const script = `set -Eeuo pipefail
    ${readScript('common.sh')}
    at=$(mktemp -d)
    trap 'rm -rf "$at"' EXIT
    : >"$at/lock"
    say() { if is_locked "$1"; then echo held; else echo free; fi; }
    say "$at/missing"
    say "$at/lock"
    exec 9>"$at/lock"
    flock 9
    say "$at/lock"
    exec 9>&-
    say "$at/lock"
    # No file can be opened any more.
    (ulimit -n 3; say "$at/lock")`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.deepEqual(stdout.trim().split('\n'), ['free', 'free', 'held', 'free', 'held'], stderr);
});
