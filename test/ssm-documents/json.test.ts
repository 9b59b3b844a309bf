import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { readScript } from '../../lib/documents.ts';

/** What `json_string` makes of each text; texts go in as separate arguments, bytes as they are. */
const strings = (texts: readonly string[], encoding: BufferEncoding = 'utf8'): unknown[] => {
  const octal = (text: string) =>
    `$'${[...Buffer.from(text, encoding)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}'`;
  const script = `set -Eeuo pipefail; export LC_ALL=C\n${readScript('json.sh')}
json_strings ${texts.map(octal).join(' ')}\nprintf '%s' "$REPLY"`;
  const { status, stdout, stderr } = spawnSync('bash', { input: script, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};

test('any text goes through a JSON string unchanged', () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 }).filter((it) => !it.includes('\0') && it.isWellFormed());
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (texts) => {
      assert.deepEqual(strings(texts), texts);
    }),
    { numRuns: 20, seed: 7 },
  );
});

test('bytes that are no UTF-8 are left out, those around them stay', () => {
  assert.deepEqual(strings(['a\xffb', '\xc3\x28', '\xed\xa0\x80x', '\xf5\x80\x80\x80', '\xe2\x82\xac'], 'latin1'), [
    'ab',
    '(',
    'x',
    '',
    '€',
  ]);
});

test('a number is a number in any notation that the kernel or lvm uses', () => {
  const script = `set -Eeuo pipefail\n${readScript('json.sh')}
for value in 0 007 12.50 -3 '' none 0.5 00.5; do json_number "$value"; printf '%s ' "$REPLY"; done`;
  assert.equal(spawnSync('bash', { input: script, encoding: 'utf8' }).stdout, '0 7 12.50 -3 0 0 0.5 0.5 ');
});
