import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as offered from 'freezeframe';

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8');
const page = read('docs/api.md');
const cells = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);

describe('the page of the construct', () => {
  it('speaks of everything that the package offers', () => {
    const types = [...read('lib/index.ts').matchAll(/type (\w+)/g)].map(([, name]) => name as string);
    for (const name of [...Object.keys(offered), ...types]) assert.match(page, new RegExp(`\\b${name}\\b`), name);
  });

  it('has every property and every prop, and no other', () => {
    const source = read('lib/freezeframe.ts').split('constructor(')[0] ?? '';
    const members = [...source.matchAll(/^ {2}readonly (\w+)[?:]/gm)].map(([, name]) => name);
    assert.deepEqual(cells.sort(), members.sort());
  });
});
