/** The document Verify: what it finds in file systems and checks of the user's, and what it says when it can't tell. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Check, VerifyHost } from './verify-host.ts';

const files = (host: VerifyHost, name = 'files'): string => {
  host.file(`${name}/letter`, 'dear sir', 0o644);
  return join(host.world, name);
};
const verdictOf = (checks: Check[], name: string) => checks.find((check) => check.name === name)?.verdict;
const saidOf = (checks: Check[], name: string) => checks.find((check) => check.name === name)?.said ?? '';

test('a file system without a fault is checked and found so, and is mounted again as it was', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  host.filesystem('/data/inner dir', files(host, 'inner'));
  host.check(
    '50-mounts',
    'grep " /data" /proc/self/mountinfo | grep -c noatime; cat /data/letter "/data/inner dir/letter" >/dev/null',
  );
  const checks = host.verify();
  assert.deepEqual(
    checks.map(({ kind, name, verdict }) => [kind, name, verdict]),
    [
      ['filesystem', '/data', 'ok'],
      ['filesystem', '/data/inner dir', 'ok'],
      ['own', '50-mounts', 'ok'],
    ],
    JSON.stringify(checks),
  );
  assert.match(saidOf(checks, '50-mounts'), /2$/);
  assert.deepEqual(host.leftovers, []);
});

test('a file system with a fault is found damaged, and the rest is checked all the same', () => {
  using host = new VerifyHost();
  const image = host.filesystem('/data', files(host));
  // A file that is linked more often than its inode says.
  execFileSync('debugfs', ['-w', '-R', 'set_inode_field /letter links_count 7', image], { stdio: 'ignore' });
  host.check('50-any', 'exit 0');
  const checks = host.verify();
  assert.equal(verdictOf(checks, '/data'), 'damaged');
  assert.match(saidOf(checks, '/data'), /e2fsck ended with 4/);
  assert.equal(verdictOf(checks, '50-any'), 'ok');
});

test('what can’t be checked is never passed over: a tool that is missing, a file system in use or of another type', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  host.extra = `command() { if [[ $2 == e2fsck ]]; then return 1; fi; builtin command "$@"; }`;
  let checks = host.verify();
  assert.equal(verdictOf(checks, '/data'), 'unchecked');
  assert.match(saidOf(checks, '/data'), /e2fsck is not installed/);

  host.extra = '';
  host.breakage = `cd '${host.under}/drill-1/data'; sleep 4 >/dev/null 2>&1 & cd /; sleep 0.2`;
  checks = host.verify();
  assert.equal(verdictOf(checks, '/data'), 'unchecked');
  assert.match(saidOf(checks, '/data'), /in use/);

  host.breakage = `mkdir -p '${host.under}/drill-1/tmp'; mount -t tmpfs none '${host.under}/drill-1/tmp'`;
  checks = host.verify();
  assert.equal(verdictOf(checks, '/tmp'), 'unchecked');
  assert.match(saidOf(checks, '/tmp'), /tmpfs/);
});

test('without a restore there is nothing to verify, and two verifications at once are one too many', () => {
  using host = new VerifyHost();
  assert.equal(host.refusal(), 'FilesystemMissing');
  host.filesystem('/data', files(host));
  host.extra = 'flock() { return 1; }';
  assert.equal(host.refusal(), 'Busy');
});

test('an application that no verifier knows is not verified, unless a check of the user’s does', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  const app = { driver: 'oracle', name: 'Oracle SHOP', dataDir: '/data' };
  const name = 'Oracle SHOP (/data)';
  let checks = host.verify([app]);
  assert.equal(verdictOf(checks, name), 'unchecked');
  assert.match(saidOf(checks, name), /no verifier for oracle.*-oracle/);

  host.check('50-oracle', '[ "$FREEZEFRAME_DATA" = /data ] && grep -q sir /data/letter && echo "all there"');
  checks = host.verify([app]);
  assert.equal(verdictOf(checks, name), 'ok');
  assert.match(saidOf(checks, name), /50-oracle: all there/);
  assert.equal(checks.length, 2, 'it is not run once more at the end');

  host.check('50-oracle', 'echo "block 7 is bad"; exit 3');
  checks = host.verify([app]);
  assert.equal(verdictOf(checks, name), 'damaged');
  assert.match(saidOf(checks, name), /exit status 3.*block 7/);
});

test('a check that another user could change is not run', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  const marker = host.file('marker', '', 0o666);
  host.check('50-mine', `echo run >${marker}`, 0o777);
  const checks = host.verify();
  assert.equal(verdictOf(checks, '50-mine'), 'unchecked');
  assert.match(saidOf(checks, '50-mine'), /writable by nobody else/);
  assert.equal(readFileSync(marker, 'utf8'), '');
});

test('a check has no network, sees no process but its own, and can’t write to this host', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  const marker = join(host.world, 'marker');
  host.check(
    '50-box',
    `[ "$(ls /sys/class/net 2>/dev/null | wc -l)" = 0 ] || exit 1
    [ "$(grep -c : /proc/net/dev)" = 1 ] || exit 2
    [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 12 ] || exit 3
    ! touch /usr/freezeframe-test 2>/dev/null || exit 4
    echo x >'${marker}' 2>/dev/null
    [ -z "$(env | grep -i aws)" ] || exit 6`,
  );
  assert.deepEqual(
    host.verify().map(({ verdict, said }) => [verdict, said]),
    [
      ['ok', 'e2fsck found nothing'],
      ['ok', '50-box: yes'],
    ],
  );
  assert.equal(existsSync(marker), false);
});

test('what takes too long is ended and said not to be verified; nothing of it goes on', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  host.check('50-slow', 'trap "" TERM; sleep 100');
  host.extra = 'UNTIL_SECONDS=4\nverify_tools() { now_cs; UNTIL=$((REPLY + 400)); export FF_UNTIL=$UNTIL; }';
  const checks = host.verify();
  assert.equal(verdictOf(checks, '50-slow'), 'unchecked');
  assert.match(saidOf(checks, '50-slow'), /not done in time/);
  assert.deepEqual(host.leftovers, []);
});

test('an application whose files are not among what was restored is damaged', () => {
  using host = new VerifyHost();
  host.filesystem('/data', files(host));
  const app = { driver: 'mysql', name: 'MariaDB 10.11.6', dataDir: '/data/mysql' };
  const checks = host.verify([app]);
  assert.equal(verdictOf(checks, 'MariaDB 10.11.6 (/data/mysql)'), 'damaged');
});
