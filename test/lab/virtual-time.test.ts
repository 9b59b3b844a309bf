import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as timerOfNode } from 'node:timers';
import { VirtualTime } from '../../lab/virtual-time.ts';

const abandoned = new AsyncLocalStorage<boolean>();
VirtualTime.begin(() => abandoned.getStore() ?? false);
const HOUR = 3_600_000;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test('a day passes at once, and the clock says so', async () => {
  const [from, real] = [Date.now(), performance.now()];
  await sleep(24 * HOUR);
  assert.equal(Date.now() - from, 24 * HOUR);
  assert.equal(new Date().toISOString(), new Date(Date.now()).toISOString());
  assert.ok(performance.now() - real < HOUR / 100);
});

test('timers come in the order of their time, equal ones in the order in which they were set', async () => {
  const order: string[] = [];
  const at = (ms: number, name: string) => sleep(ms).then(() => order.push(name));
  await Promise.all([at(20, 'd'), at(10, 'b'), at(10, 'c'), at(5, 'a')]);
  assert.deepEqual(order, ['a', 'b', 'c', 'd']);
});

test('time stands still until promises and files have come to an end', async () => {
  const from = Date.now();
  const late = sleep(1);
  for (let turn = 0; turn < 1_000; turn += 1) await Promise.resolve();
  await readFile(import.meta.filename);
  await readFile(import.meta.filename);
  const readAt = Date.now();
  await late;
  assert.deepEqual([readAt - from, Date.now() - from], [0, 1]);
});

test('a timer that was cleared does not come', async () => {
  let came = false;
  const timer = setTimeout(() => {
    came = true;
  }, 10);
  clearTimeout(timer);
  await sleep(20);
  assert.equal(came, false);
});

test('an AbortSignal’s timeout, and timers that were imported from Node, are of this time, too', async () => {
  const signal = AbortSignal.timeout(HOUR);
  await sleep(HOUR - 1);
  assert.equal(signal.aborted, false);
  await new Promise<void>((resolve) => timerOfNode(resolve, 2));
  assert.equal(signal.reason.name, 'TimeoutError');
});

test('a timer runs in the context in which it was set, and not at all when that is over', async () => {
  const seen: unknown[] = [];
  abandoned.run(false, () => setTimeout(() => seen.push(abandoned.getStore()), 10));
  abandoned.run(true, () => setTimeout(() => seen.push('nobody waits for this'), 10));
  await sleep(20);
  assert.deepEqual(seen, [false]);
});
