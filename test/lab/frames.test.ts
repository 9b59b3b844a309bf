import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameReader } from '../../lab/frames.ts';

test('a frame comes back as it was sent, bytes and all', () => {
  const payload = Buffer.from([0, 10, 13, 255, 1]);
  assert.deepEqual(new FrameReader().read(Buffer.from(encodeFrame('OUT', 'cmd-1', payload))), [
    { verb: 'OUT', id: 'cmd-1', payload },
  ]);
});

test('frames may arrive in pieces and several at once', () => {
  const bytes = Buffer.from(encodeFrame('OUT', '1', 'one') + encodeFrame('END', '1', '0'));
  const reader = new FrameReader();
  const seen = [...bytes].flatMap((byte) => reader.read(Buffer.from([byte])));
  assert.deepEqual(
    seen.map(({ verb, payload }) => [verb, payload.toString()]),
    [
      ['OUT', 'one'],
      ['END', '0'],
    ],
  );
});

test('the half-written word of a killed agent spoils nothing but itself', () => {
  const cut = encodeFrame('OUT', '1', 'x'.repeat(100)).slice(0, 21);
  const frames = new FrameReader().read(Buffer.from(`${cut}\n${encodeFrame('HELLO', '0', 'boot')}`));
  assert.equal(frames.at(-1)?.verb, 'HELLO');
  assert.equal(frames.at(-1)?.payload.toString(), 'boot');
});
