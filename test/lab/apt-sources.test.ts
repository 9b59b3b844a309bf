import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourcesFrom } from '../../lab/apt-sources.ts';

test('the guest is built from the Debian sources of this machine and from no others', () => {
  const sources = sourcesFrom(
    'bookworm',
    [
      'Debian|Debian|http://mirror.invalid/debian/',
      'Debian|Debian|http://mirror.invalid/debian/',
      'Debian|Debian-Security|http://mirror.invalid/security/',
      'Example|Third party|http://other.invalid/apt/',
    ].join('\n'),
  );
  assert.deepEqual(
    sources.map((line) => line.split('] ')[1]),
    [
      'http://mirror.invalid/debian/ bookworm main',
      'http://mirror.invalid/debian/ bookworm-updates main',
      'http://mirror.invalid/security/ bookworm-security main',
    ],
  );
});

test('a machine without Debian sources is told how to name a mirror', () => {
  assert.throws(
    () => sourcesFrom('bookworm', 'Ubuntu|Ubuntu|http://mirror.invalid/ubuntu/'),
    /FREEZEFRAME_DEBIAN_MIRROR/,
  );
});
