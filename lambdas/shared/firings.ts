/** When a schedule fires: EventBridge Scheduler's cron and rate expressions, as the plan has checked them. */

export interface Schedule {
  /** `cron(…)` of six fields or `rate(…)`. */
  schedule: string;
  /** IANA time zone of the cron expression. */
  timeZone: string;
}

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
/** A cron expression that has not fired by then fires no more for our purposes (29 February: 8 years at most). */
const LONGEST_SEARCH_DAYS = 366 * 9;

/**
 * The next firing after `after` (ms since 1970); undefined when there is none. A rate counts from `after`, which
 * therefore has to be a firing: Scheduler counts from the schedule's creation, and nobody else knows it.
 */
export const nextFiring = ({ schedule, timeZone }: Schedule, after: number): number | undefined => {
  const [, kind, content = ''] = /^(cron|rate)\((.*)\)$/.exec(schedule) ?? [];
  return kind === 'rate' ? after + rateMs(content) : nextOfCron(content.split(' '), timeZone, after);
};

/** The longest time between two firings of the next few, in milliseconds: what a set's age is measured by. */
export const longestInterval = (schedule: Schedule, from: number): number => {
  let longest = 0;
  let at: number | undefined = nextFiring(schedule, from);
  for (let firings = 0; at !== undefined && firings < 10; firings += 1) {
    const next: number | undefined = nextFiring(schedule, at);
    if (next !== undefined) longest = Math.max(longest, next - at);
    at = next;
  }
  return longest || DAY;
};

const rateMs = (content: string): number => {
  const [value, unit = ''] = content.split(' ');
  const units: Record<string, number> = { minute: MINUTE, hour: 60 * MINUTE, day: DAY };
  return Number(value) * (units[unit.replace(/s$/, '')] ?? DAY);
};

const nextOfCron = (fields: readonly string[], timeZone: string, after: number): number | undefined => {
  const [minutes = '*', hours = '*', days = '*', months = '*', weekdays = '?', years = '*'] = fields;
  const times = within(hours, 0, 23).flatMap((hour) => within(minutes, 0, 59).map((minute) => ({ hour, minute })));
  const first = dateIn(timeZone, after);
  for (let day = 0; day <= LONGEST_SEARCH_DAYS; day += 1) {
    const date = new Date(Date.UTC(first.year, first.month - 1, first.day + day));
    if (!isDay(date, { days, months, weekdays, years })) continue;
    const firings = times
      .map(({ hour, minute }) => instant(timeZone, date.getTime() + (hour * 60 + minute) * MINUTE))
      // A time that the clocks skip in spring is no firing of that day.
      .filter((at) => at !== undefined && at > after) as number[];
    if (firings.length > 0) return Math.min(...firings);
  }
  return undefined;
};

const isDay = (
  date: Date,
  { days, months, weekdays, years }: Record<'days' | 'months' | 'weekdays' | 'years', string>,
) =>
  within(months, 1, 12, MONTHS).includes(date.getUTCMonth() + 1) &&
  within(years, 1970, 2199).includes(date.getUTCFullYear()) &&
  (days === '?' || days.split(',').some((item) => isDayOfMonth(date, item))) &&
  (weekdays === '?' || weekdays.split(',').some((item) => isWeekday(date, item)));

const isDayOfMonth = (date: Date, item: string): boolean => {
  const last = lastDay(date);
  if (item === 'L') return date.getUTCDate() === last;
  if (item.endsWith('W')) return date.getUTCDate() === workingDayNear(date, Number(item.slice(0, -1)));
  return within(item, 1, 31).includes(date.getUTCDate());
};

const isWeekday = (date: Date, item: string): boolean => {
  const weekday = date.getUTCDay() + 1;
  if (item === 'L') return weekday === 7;
  const [, nthDay, nth] = /^(\w+)#([1-5])$/.exec(item) ?? [];
  if (nthDay)
    return within(nthDay, 1, 7, WEEKDAYS).includes(weekday) && Math.ceil(date.getUTCDate() / 7) === Number(nth);
  if (item.endsWith('L')) {
    return within(item.slice(0, -1), 1, 7, WEEKDAYS).includes(weekday) && date.getUTCDate() > lastDay(date) - 7;
  }
  return within(item, 1, 7, WEEKDAYS).includes(weekday);
};

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** The numbers of a field: `*`, `8`, `8-17`, `MON-FRI`, each with `/2` behind it or not, in a list or alone. */
const within = (field: string, from: number, to: number, names: readonly string[] = []): number[] => {
  const numberOf = (text: string) => {
    const named = names.indexOf(text.toUpperCase());
    return named >= 0 ? from + named : Number(text);
  };
  const chosen = field.split(',').flatMap((item) => {
    const [base = '*', step] = item.split('/');
    const [low, high] = base === '*' ? [from, to] : base.split('-').map(numberOf);
    // `5/10` goes on to the end of the field; `5` is itself alone.
    const end = high ?? (step === undefined ? (low as number) : to);
    return range(low as number, end, Number(step ?? 1));
  });
  return [...new Set(chosen)];
};

const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.max(0, Math.floor((to - from) / step) + 1) }, (_, index) => from + index * step);

const lastDay = (date: Date): number =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();

/** The working day nearest to a day of the month, in the same month. */
const workingDayNear = (date: Date, wanted: number): number => {
  const last = lastDay(date);
  const day = Math.min(wanted, last);
  const weekday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay();
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === last ? day - 2 : day + 1;
  return day;
};

/** The calendar day of an instant in a time zone. */
const dateIn = (timeZone: string, at: number): { year: number; month: number; day: number } => {
  const local = new Date(at + offsetMs(timeZone, at));
  return { year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate() };
};

/** The instant that the clocks of a time zone show `local` at; the first of two; undefined when they skip it. */
const instant = (timeZone: string, local: number): number | undefined => {
  for (const guess of [local - offsetMs(timeZone, local - DAY), local - offsetMs(timeZone, local + DAY)]) {
    if (guess + offsetMs(timeZone, guess) === local) return guess;
  }
  return undefined;
};

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far a time zone is ahead of UTC at an instant. */
const offsetMs = (timeZone: string, at: number): number => {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
};
