/** What the kernel tells of processes, against this machine's own kernel. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { withFunctions } from './fake-host.ts';

test('a server is found every time, however often its state changes while it is looked at', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'freezeframe-processes-'));
  const program = join(folder, 'flickering');
  copyFileSync('/bin/bash', program);
  // Now it runs, now it sleeps: words of different length, early in /proc/PID/status.
  const script = 'exec 9<> <(:); while :; do read -t 0.0002 -u 9; for ((i = 0; i < 300; i++)); do :; done; done';
  const server = spawn(program, ['-c', script], { stdio: 'ignore' });
  t.after(() => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const looks = withFunctions(`
    missed=0
    for ((look = 0; look < 1500; look++)); do
      servers_of flickering
      if [ "\${PIDS[*]}" != ${server.pid} ]; then missed=$((missed + 1)); fi
    done
    echo "$missed"`);
  assert.equal(execFileSync('bash', ['-c', 'eval "$(cat)"'], { input: looks, encoding: 'utf8' }), '0\n');
});

test('no script reads a file of the kernel line by line', () => {
  const cwd = join(import.meta.dirname, '../../ssm-documents/linux');
  const loops = globSync('**/*.sh', { cwd }).flatMap((file) =>
    readFileSync(join(cwd, file), 'utf8')
      .split('\n')
      .filter(
        (line) => /\bdone\b[^(]*<\s*"?([$][{]?FF_(PROC|SYS)|\/(proc|sys)\/)/.test(line) && !line.includes("-d ''"),
      )
      .map((line) => `${file}: ${line.trim()}`),
  );
  assert.deepEqual(loops, [], 'rows_of reads it in one piece');
});
