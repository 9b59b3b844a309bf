import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { shellQuote, withArguments } from '../../lab/shell.ts';

const AWKWARD = ['', 'plain', 'two words', "it's", '$HOME `id` "x"', 'a\nb', '-n', '\\', 'ä'];

test('a quoted word reaches the program unchanged', () => {
  for (const word of AWKWARD) {
    assert.equal(execFileSync('bash', ['-c', `printf %s ${shellQuote(word)}`], { encoding: 'utf8' }), word);
  }
});

test('a script finds its arguments', () => {
  const output = execFileSync('bash', ['-c', withArguments('printf "<%s>" "$@"', AWKWARD)], { encoding: 'utf8' });
  assert.equal(output, AWKWARD.map((word) => `<${word}>`).join(''));
});
