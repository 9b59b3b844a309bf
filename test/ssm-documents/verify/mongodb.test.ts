/** MongoDB's verifier against stand-ins of mongod and mongosh: npm and Debian have neither. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Check, VerifyHost } from './verify-host.ts';

const app = { driver: 'mongodb', name: 'MongoDB 7.0', dataDir: '/data/mongo', mounts: ['/data'] };

/** As the manuals have it: one server a directory, a socket where --bind_ip names one, nothing of a replica set. */
const MONGOD = `#!/bin/bash
while [ $# -gt 0 ]; do case $1 in --dbpath) path=$2; shift ;; --bind_ip) socket=$2; shift ;; --replSet | --port) exit 2 ;; esac; shift; done
[ ! -s "$path/mongod.lock" ] || { echo 'Unclean shutdown: mongod.lock is held'; exit 100; }
[ ! -e "$path/torn" ] || { echo 'WiredTiger error: file:WiredTiger.wt read checksum error'; exit 14; }
[ "$(id -u)" = 4711 ] || exit 3
echo "$path" >"$socket"
sleep 100`;
const MONGOSH = `#!/bin/bash
address=\${2#mongodb://} address=\${address%%/*} socket=\${address//%2F//}
path=$(cat "$socket" 2>/dev/null) || { echo 'MongoNetworkError: connect ENOENT'; exit 1; }
case $4 in
  *ping*) echo 1 ;;
  *validate*) if [ -e "$path/broken" ]; then echo 'invalid shop.goods'; else echo 'valid 7'; fi ;;
esac`;

function verify(more: Record<string, string> = {}): Check | undefined {
  using host = new VerifyHost();
  host.file('disk/bin/mongod', MONGOD, 0o755);
  host.file('disk/bin/mongosh', MONGOSH, 0o755);
  const files = { WiredTiger: 'WiredTiger 11', 'mongod.lock': '4242\n', ...more };
  for (const [name, content] of Object.entries(files)) host.file(`disk/mongo/${name}`, content);
  execFileSync('chown', ['-R', '4711:4711', join(host.world, 'disk/mongo')]);
  host.filesystem('/data', join(host.world, 'disk'));
  host.tools = '/data/bin';
  const checks = host.verify([app]);
  assert.deepEqual(host.leftovers, []);
  return checks.find(({ kind }) => kind === 'application');
}

const said = (check: Check | undefined): string => `${check?.verdict}: ${check?.said}`;

test('is verified when it starts, though the lock of the dead server is there, and validate finds nothing', () =>
  assert.match(said(verify()), /^ok: mongod started on it; validate found nothing in 7 collections/));

test('is damaged when validate says so, by the collection’s name', () =>
  assert.match(said(verify({ broken: '' })), /^damaged: validate: shop\.goods/));

test('is damaged when it does not start', () =>
  assert.match(said(verify({ torn: '' })), /^damaged: mongod does not start on it: .*checksum error/));
