import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scheduleFault } from '../../lib/schedule.ts';

const SIX_FIELDS = 'six fields with one space between: cron(minutes hours day-of-month month day-of-week year)';
const ONE_QUESTION_MARK = '? in exactly one of day of month and day of week';
const SOME_SCHEDULE = 'a schedule such as cron(0 3 * * ? *) or rate(12 hours)';

describe('a schedule is refused when', () => {
  const CASES: ReadonlyArray<readonly [title: string, schedule: string, expected: string]> = [
    ['it is neither cron nor rate', 'daily', SOME_SCHEDULE],
    ['it runs once', 'at(2026-01-01T00:00:00)', SOME_SCHEDULE],
    ['there is more behind it', 'rate(1 day) ', SOME_SCHEDULE],
    ['it has the five fields of a crontab', 'cron(0 3 * * *)', SIX_FIELDS],
    ['it has two spaces in a row', 'cron(0  3 * * ? *)', SIX_FIELDS],
    ['both days are *', 'cron(0 3 * * * *)', ONE_QUESTION_MARK],
    ['both days are ?', 'cron(0 3 ? * ? *)', ONE_QUESTION_MARK],
    ['both days are given', 'cron(0 3 1 * MON *)', ONE_QUESTION_MARK],
    ['? stands in another field', 'cron(? 3 * * ? *)', 'minutes from 0 to 59, not "?"'],
    ['a minute is 60', 'cron(60 3 * * ? *)', 'minutes from 0 to 59, not "60"'],
    ['an hour is 24', 'cron(0 24 * * ? *)', 'hours from 0 to 23, not "24"'],
    ['a day is 0', 'cron(0 3 0 * ? *)', 'day of month from 1 to 31, not "0"'],
    ['a month is 13', 'cron(0 3 * 13 ? *)', 'month from 1 to 12 (JAN to DEC), not "13"'],
    ['a month is misspelt', 'cron(0 3 * JUNE ? *)', 'month from 1 to 12 (JAN to DEC), not "JUNE"'],
    ['Sunday is 0, as in a crontab', 'cron(0 3 ? * 0 *)', 'day of week from 1 to 7 (SUN to SAT), not "0"'],
    [
      'a weekday is the sixth of its month',
      'cron(0 3 ? * MON#6 *)',
      'day of week from 1 to 7 (SUN to SAT), not "MON#6"',
    ],
    ['# is part of a list', 'cron(0 3 ? * MON#1,TUE *)', 'day of week from 1 to 7 (SUN to SAT), not "MON#1"'],
    ['a working day is the 32nd', 'cron(0 3 32W * ? *)', 'day of month from 1 to 31, not "32W"'],
    ['W stands in the day of week', 'cron(0 3 ? * 2W *)', 'day of week from 1 to 7 (SUN to SAT), not "2W"'],
    ['a year is before 1970', 'cron(0 3 * * ? 1969)', 'year from 1970 to 2199, not "1969"'],
    ['a range runs backwards', 'cron(0 17-8 * * ? *)', 'hours from 0 to 23, not "17-8"'],
    ['a range has no end', 'cron(0 8- * * ? *)', 'hours from 0 to 23, not "8-"'],
    ['a range has three ends', 'cron(0 1-2-3 * * ? *)', 'hours from 0 to 23, not "1-2-3"'],
    ['an increment is 0', 'cron(0/0 * * * ? *)', 'minutes from 0 to 59, not "0/0"'],
    ['an increment is larger than its field', 'cron(0/90 * * * ? *)', 'minutes from 0 to 59, not "0/90"'],
    ['a list has a hole', 'cron(0,,30 3 * * ? *)', 'minutes from 0 to 59, not ""'],
    ['a rate is 0', 'rate(0 days)', 'a rate above 0'],
    ['one of many', 'rate(1 hours)', 'rate(1 hour), in the singular'],
    ['many of one', 'rate(12 hour)', 'rate(12 hours), in the plural'],
    ['its unit is unknown', 'rate(2 weeks)', 'rate(value unit), the unit being minutes, hours or days'],
    ['its value is negative', 'rate(-1 days)', 'rate(value unit), the unit being minutes, hours or days'],
    ['its value is a fraction', 'rate(1.5 hours)', 'rate(value unit), the unit being minutes, hours or days'],
  ];
  for (const [title, schedule, expected] of CASES) {
    it(`${title}: ${schedule}`, () => assert.equal(scheduleFault(schedule), expected));
  }
});

describe('a schedule is good:', () => {
  const GOOD = [
    'rate(1 minute)',
    'rate(12 hours)',
    'cron(0 3 * * ? *)',
    'cron(15,45 0-6/2 1,15,L * ? 2026-2030)',
    'cron(0/15 * ? JAN-MAR,dec MON-FRI *)',
    'cron(*/5 8-17 15W * ? *)',
    'cron(0 0 ? * 6L *)',
    'cron(0 0 ? * tue#2 *)',
    'cron(0 0 L * ? *)',
  ];
  for (const schedule of GOOD) it(schedule, () => assert.equal(scheduleFault(schedule), undefined));
});
