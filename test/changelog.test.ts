import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8');

describe('the changelog', () => {
  it('has what is not released yet first, then versions, the newest before the older ones', () => {
    const [first, ...versions] = [...read('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map(
      ([, heading]) => heading as string,
    );
    assert.equal(first, 'Unreleased');
    const numbers = versions.map((version) => version.split('.').map(Number) as [number, number, number]);
    for (const [major, minor, patch] of numbers) assert.ok([major, minor, patch].every(Number.isInteger));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]),
    );
    assert.equal(versions[0], JSON.parse(read('package.json')).version);
  });
});
