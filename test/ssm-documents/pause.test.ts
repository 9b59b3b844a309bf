/** How a document looks out for the holder: without a process of its own, and never faster than it says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { readScript } from '../../lib/documents.ts';

/** Milliseconds that CODE took in bash, after the functions that all roles share, and how many times it called sleep. */
const play = (code: string): { ms: number; sleeps: number } => {
  const script = `set -Eeuo pipefail
    ${readScript('common.sh')}
    sleeps=0
    sleep() { sleeps=$((sleeps + 1)); command sleep "$1"; }
    REPLY=kept
    began=\${EPOCHREALTIME/./}
    ${code}
    [ "$REPLY" = kept ]
    echo "{\\"ms\\":$(( (\${EPOCHREALTIME/./} - began) / 1000 )),\\"sleeps\\":$sleeps}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
};

test('a pause takes its time, again and again, and starts no process for it', () => {
  const { ms, sleeps } = play('for _ in 1 2 3 4 5; do pause 0.1; done');
  assert.ok(ms >= 490, `${ms} ms for five of 100`);
  assert.equal(sleeps, 0);
});

test('a pause takes its time where its descriptor was closed or given to another file', () => {
  const closed = play('pause 0.1; eval "exec $PAUSE_FD>&-"; pause 0.3');
  assert.ok(closed.ms >= 390, `${closed.ms} ms`);
  const other = play('pause 0.1; eval "exec $PAUSE_FD</dev/null"; pause 0.3');
  assert.ok(other.ms >= 390, `${other.ms} ms`);
});

test('a pause in a child that closed its descriptors leaves what was opened since alone', () => {
  play(`pause 0.01
    (
      close_descriptors
      exec {fd}<> <(:)
      [ "$fd" = 10 ]
      echo words >&"$fd"
      pause 0.1
      read -r -t 0.1 -u "$fd"
      [ "$REPLY" = words ]
    )`);
});
