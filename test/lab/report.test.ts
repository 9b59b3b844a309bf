import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Report, refute } from '../../lab/suite/report.ts';

function recorded(): { report: Report; lines(): string[] } {
  let text = '';
  const out = new Writable({
    write(part, _encoding, done) {
      text += part;
      done();
    },
  });
  return { report: new Report(out), lines: () => text.trimEnd().split('\n') };
}

test('a case that throws has failed, and the next one is tried all the same', async () => {
  const { report, lines } = recorded();
  assert.equal(await report.try('part', 'torn', () => Promise.reject(new Error('the set is torn'))), false);
  assert.equal(await report.try('part', 'whole', async () => 'the set is whole'), true);
  report.summary();
  assert.equal(lines().at(-1), '1 passed, 1 failed');
  assert.match(lines().join('\n'), /torn .*FAILED.* the set is torn/);
});

test('all that is wrong is told at once', () => {
  refute([false, undefined]);
  assert.throws(() => refute([false, 'a lock is held', 'a unit is left']), /^Error: a lock is held; a unit is left$/);
});
