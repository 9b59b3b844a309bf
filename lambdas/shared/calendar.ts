/** Days, weeks, months and years as they are counted in a time zone. */

/** Kinds of calendar periods, of which retention keeps one set each. */
export const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const;
export type PeriodName = (typeof PERIODS)[number];

export interface Calendar {
  /** Number of the period that a moment (ms since 1970) lies in: one more for each day, week, month or year that follows. */
  period(kind: PeriodName, at: number): number;
  /** The period for people: `2026-11-22`, `week of 2026-11-16`, `2026-11`, `2026`. */
  label(kind: PeriodName, at: number): string;
}

/** The calendar of an IANA time zone. Weeks begin on Monday. */
export const calendarOf = (timeZone: string): Calendar => {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  const known = new Map<number, Record<PeriodName, number>>();

  const periodsOf = (at: number): Record<PeriodName, number> => {
    // No zone has a boundary of days inside a quarter of an hour.
    const quarter = Math.floor(at / QUARTER_MS);
    const found = known.get(quarter);
    if (found) return found;
    const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0 } = part;
    const daily = Date.UTC(year, month - 1, day) / DAY_MS;
    const periods = { daily, weekly: weekOf(daily), monthly: year * 12 + month - 1, yearly: year };
    known.set(quarter, periods);
    return periods;
  };

  return {
    period: (kind, at) => periodsOf(at)[kind],
    label: (kind, at) => {
      const { daily, weekly } = periodsOf(at);
      if (kind === 'weekly') return `week of ${written(weekly * 7 - THURSDAY)}`;
      return written(daily).slice(0, kind === 'daily' ? 10 : kind === 'monthly' ? 7 : 4);
    },
  };
};

export const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
/** 1970-01-01 was one: three days after the Monday of its week. */
const THURSDAY = 3;

const weekOf = (day: number): number => Math.floor((day + THURSDAY) / 7);

const written = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
