import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { longestInterval, nextFiring } from '../../lambdas/shared/firings.ts';

const CASES: ReadonlyArray<readonly [schedule: string, timeZone: string, after: string, next: string | undefined]> = [
  ['cron(0 3 * * ? *)', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T03:00:00Z'],
  ['cron(0 3 * * ? *)', 'UTC', '2026-01-01T03:00:00Z', '2026-01-02T03:00:00Z'],
  ['cron(0 3 * * ? *)', 'Europe/Berlin', '2026-07-01T00:00:00Z', '2026-07-01T01:00:00Z'],
  ['cron(0 3 * * ? *)', 'Europe/Berlin', '2026-12-31T12:00:00Z', '2027-01-01T02:00:00Z'],
  // The clocks go from 02:00 to 03:00 on 29 March 2026: there is no 02:30 that day.
  ['cron(30 2 * * ? *)', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
  // And from 03:00 back to 02:00 on 25 October: the first 02:30 counts.
  ['cron(30 2 * * ? *)', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
  ['cron(0/15 8-9 ? * MON-FRI *)', 'UTC', '2026-01-02T09:45:00Z', '2026-01-05T08:00:00Z'],
  ['cron(0 0 L * ? *)', 'UTC', '2026-02-01T00:00:00Z', '2026-02-28T00:00:00Z'],
  ['cron(0 0 15W * ? *)', 'UTC', '2026-08-01T00:00:00Z', '2026-08-14T00:00:00Z'],
  ['cron(0 0 ? * TUE#2 *)', 'UTC', '2026-01-01T00:00:00Z', '2026-01-13T00:00:00Z'],
  ['cron(0 0 ? * 6L *)', 'UTC', '2026-01-01T00:00:00Z', '2026-01-30T00:00:00Z'],
  ['cron(0 0 29 FEB ? *)', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['cron(0 3 * * ? 2025)', 'UTC', '2026-01-01T00:00:00Z', undefined],
  ['rate(12 hours)', 'UTC', '2026-01-01T03:00:00Z', '2026-01-01T15:00:00Z'],
  ['rate(1 day)', 'UTC', '2026-01-01T03:00:00Z', '2026-01-02T03:00:00Z'],
];

describe('the next firing', () => {
  for (const [schedule, timeZone, after, next] of CASES) {
    it(`of ${schedule} in ${timeZone} after ${after} is ${next ?? 'none'}`, () =>
      assert.equal(nextFiring({ schedule, timeZone }, Date.parse(after)), next && Date.parse(next)));
  }
});

it('the longest interval of working days is the weekend', () =>
  assert.equal(
    longestInterval({ schedule: 'cron(0 3 ? * MON-FRI *)', timeZone: 'UTC' }, Date.parse('2026-01-01T00:00:00Z')),
    3 * 86_400_000,
  ));
