import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longestGapMs, parseAcknowledgements } from '../../lab/workload.ts';

test('a half-written last acknowledgement does not count', () => {
  assert.deepEqual(parseAcknowledgements('1 100\n2 150\n3 1'), [
    { id: 1, ms: 100 },
    { id: 2, ms: 150 },
  ]);
});

test('the longest gap is that between two acknowledgements after the given time', () => {
  const acknowledged = parseAcknowledgements('1 0\n2 900\n3 1000\n4 1300\n5 1350\n');
  assert.equal(longestGapMs(acknowledged), 900);
  assert.equal(longestGapMs(acknowledged, 900), 300);
  assert.equal(longestGapMs([], 0), 0);
});
