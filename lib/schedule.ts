/** Schedule expressions of EventBridge Scheduler, checked before anything is deployed: it would refuse them only then. */

/** What is expected in place of this expression; undefined when it is right. */
export function scheduleFault(expression: string): string | undefined {
  const [, kind, content] = /^(cron|rate)\((.*)\)$/.exec(expression) ?? [];
  if (kind === 'cron') return cronFault((content as string).split(' '));
  if (kind === 'rate') return rateFault(content as string);
  return 'a schedule such as cron(0 3 * * ? *) or rate(12 hours)';
}

function rateFault(content: string): string | undefined {
  const [, value, unit, plural] = /^(\d{1,6}) (minute|hour|day)(s?)$/.exec(content) ?? [];
  if (!unit) return 'rate(value unit), the unit being minutes, hours or days';
  if (Number(value) === 0) return 'a rate above 0';
  if (Number(value) === 1 && plural) return `rate(1 ${unit}), in the singular`;
  if (Number(value) !== 1 && !plural) return `rate(${value} ${unit}s), in the plural`;
  return undefined;
}

interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Names that stand for numbers, the first one for `from`. */
  readonly names?: readonly string[];
  /** Forms of this field alone; a form with `alone` can't be part of a list. */
  readonly special?: (item: string, inList: boolean) => boolean;
}

const DAY = { name: 'day of month', from: 1, to: 31 };
const WEEKDAY = { name: 'day of week', from: 1, to: 7, names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] };
const FIELDS: readonly Field[] = [
  { name: 'minutes', from: 0, to: 59 },
  { name: 'hours', from: 0, to: 23 },
  {
    ...DAY,
    // L: last day of the month; 15W: working day nearest to the 15th.
    special: (item) => item === 'L' || (item.endsWith('W') && number(DAY, item.slice(0, -1)) !== undefined),
  },
  {
    name: 'month',
    from: 1,
    to: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  {
    ...WEEKDAY,
    // L: Saturday; 5L: last Thursday of the month; TUE#2: its second Tuesday (which can't be part of a list).
    special: (item, inList) => {
      const [, day = '', nth] = /^(\w+)#([1-5])$/.exec(item) ?? [];
      if (nth) return !inList && number(WEEKDAY, day) !== undefined;
      return item === 'L' || (item.endsWith('L') && number(WEEKDAY, item.slice(0, -1)) !== undefined);
    },
  },
  { name: 'year', from: 1970, to: 2199 },
];
const [DAY_OF_MONTH, DAY_OF_WEEK] = [2, 4] as const;

function cronFault(fields: readonly string[]): string | undefined {
  if (fields.length !== FIELDS.length || fields.includes('')) {
    return 'six fields with one space between: cron(minutes hours day-of-month month day-of-week year)';
  }
  const days = [fields[DAY_OF_MONTH], fields[DAY_OF_WEEK]];
  if (days.filter((day) => day === '?').length !== 1) return '? in exactly one of day of month and day of week';
  for (const [index, field] of FIELDS.entries()) {
    const text = fields[index] as string;
    if (text === '?' && (index === DAY_OF_MONTH || index === DAY_OF_WEEK)) continue;
    const items = text.split(',');
    const wrong = items.find((item) => !isItem(field, item, items.length > 1));
    if (wrong !== undefined) return `${field.name} ${range(field)}, not ${JSON.stringify(wrong)}`;
  }
  return undefined;
}

/** `*`, `8`, `8-17`, each with `/2` behind it or not, or a form of the field's own. */
function isItem(field: Field, item: string, inList: boolean): boolean {
  if (field.special?.(item, inList)) return true;
  const [base = '', increment, ...tooMany] = item.split('/');
  if (tooMany.length > 0) return false;
  if (
    increment !== undefined &&
    !(/^\d{1,4}$/.test(increment) && Number(increment) > 0 && Number(increment) <= field.to)
  )
    return false;
  if (base === '*') return true;
  const bounds = base.split('-').map((text) => number(field, text));
  const [from, to] = bounds;
  return from !== undefined && (bounds.length === 1 || (bounds.length === 2 && to !== undefined && from <= to));
}

function number(field: Field, text: string): number | undefined {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return field.from + named;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.from && value <= field.to ? value : undefined;
}

const range = ({ from, to, names }: Field): string =>
  `from ${from} to ${to}${names ? ` (${names[0]} to ${names.at(-1)})` : ''}`;
