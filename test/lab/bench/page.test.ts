import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { imageAt, PAGE, readResults, textOf, withPart } from '../../../lab/bench/page.ts';
import { PARTS } from '../../../lab/bench/parts.ts';
import { spreadOf, told } from '../../../lab/bench/spread.ts';

describe('the page of benchmarks', () => {
  const page = readFileSync(PAGE, 'utf8');

  for (const [name, part] of Object.entries(PARTS)) {
    it(`says of ${name} what was measured, and nothing else`, () =>
      assert.equal(withPart(page, name, textOf(part, readResults(name))), page));

    const results = readResults(name);
    if (part.drawing && results) {
      const { file, draw } = part.drawing;
      it(`shows of ${name} what was measured`, () => assert.equal(readFileSync(imageAt(file), 'utf8'), draw(results)));
    }
  }

  it('says with each part which command makes it', () => {
    for (const name of Object.keys(PARTS)) assert.ok(page.includes(`\`npm run bench -- ${name}\``), name);
  });

  it('that has no place for a part is refused', () =>
    assert.throws(() => withPart('# Nothing', 'sizes', 'text'), /no place for it/));
});

describe('a spread', () => {
  it('is the middle of what was measured, and the least and the most', () => {
    assert.deepEqual(spreadOf([3, 1, 2, 10]), { median: 2.5, least: 1, most: 10, times: 4 });
    assert.equal(told(spreadOf([1.26]), 1), '1.3 (1.3–1.3)');
  });

  it('of nothing is refused', () => assert.throws(() => spreadOf([]), /nothing was measured/));
});
