/** As much of CloudWatch Logs Insights as the dashboard's queries need. What it does not know it refuses. */
export interface LogEvent {
  readonly group: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The fields of a line that is JSON. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export type Row = Readonly<Record<string, unknown>>;

export function insights(query: string, events: readonly LogEvent[]): Row[] {
  const commands = query.split('|').map((part) => part.trim());
  const groups = commands.flatMap((command) => /^SOURCE '([^']+)'$/.exec(command)?.[1] ?? []);
  let rows: Row[] = events
    .filter(({ group }) => groups.includes(group))
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, fields }) => ({ ...fields, '@timestamp': at }));
  for (const command of commands.filter((each) => !each.startsWith('SOURCE '))) rows = run(command, rows);
  return rows;
}

function run(command: string, rows: readonly Row[]): Row[] {
  const [, verb, rest = ''] = /^(\w+) ([\s\S]*)$/.exec(command) ?? [];
  switch (verb) {
    case 'fields': {
      const [, names = '', as = ''] = /^coalesce\(([^)]*)\) as (\w+)$/.exec(rest) ?? refused(command);
      const fields = names.split(',').map((name) => name.trim());
      return rows.map((row) => ({ ...row, [as]: fields.map((name) => row[name]).find(isPresent) }));
    }
    case 'filter': {
      const wanted = condition(rest);
      return rows.filter(wanted);
    }
    case 'stats':
      return stats(rest, rows);
    case 'sort': {
      const [, name = ''] = /^(\S+) desc$/.exec(rest) ?? refused(command);
      return rows.toSorted((a, b) => Number(b[name]) - Number(a[name]));
    }
    case 'limit':
      return rows.slice(0, Number(rest));
    default:
      return refused(command);
  }
}

function stats(text: string, rows: readonly Row[]): Row[] {
  const [, list = '', by = ''] = /^(.*) by (\w+)$/.exec(text) ?? refused(text);
  const columns = list.split(/,\s*(?=\w+\()/).map((each) => {
    const [, how = '', field = '', as = ''] = /^(\w+)\(([^)]*)\) as (\w+)$/.exec(each) ?? refused(each);
    return { how, field, as };
  });
  const groups = Map.groupBy(rows, (row) => row[by]);
  return [...groups].map(([value, members]) =>
    Object.fromEntries([[by, value], ...columns.map(({ how, field, as }) => [as, aggregate(how, field, members)])]),
  );
}

function aggregate(how: string, field: string, rows: readonly Row[]): unknown {
  const values = rows.map((row) => row[field]).filter(isPresent);
  switch (how) {
    case 'count':
      return rows.length;
    case 'latest':
      return values.at(-1);
    case 'max':
      return Math.max(...values.map(Number));
    default:
      return refused(how);
  }
}

/** `ispresent(a) and (ispresent(b) or c = "text")`. */
function condition(text: string): (row: Row) => boolean {
  const tokens = text.match(/ispresent\(\w+\)|\w+ = "[^"]*"|and|or|[()]/g) ?? [];
  if (tokens.join('').replaceAll(' ', '') !== text.replaceAll(' ', '')) return refused(text);
  let at = 0;
  const either = (): ((row: Row) => boolean) => {
    const all = [both()];
    while (tokens[at] === 'or') {
      at += 1;
      all.push(both());
    }
    return (row) => all.some((each) => each(row));
  };
  const both = (): ((row: Row) => boolean) => {
    const all = [one()];
    while (tokens[at] === 'and') {
      at += 1;
      all.push(one());
    }
    return (row) => all.every((each) => each(row));
  };
  const one = (): ((row: Row) => boolean) => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token === '(') {
      const inner = either();
      at += 1;
      return inner;
    }
    const present = /^ispresent\((\w+)\)$/.exec(token)?.[1];
    if (present) return (row) => isPresent(row[present]);
    const [, name = '', value] = /^(\w+) = "(.*)"$/.exec(token) ?? refused(text);
    return (row) => row[name] === value;
  };
  return either();
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

function refused(text: string): never {
  throw new Error(`the lab does not play this query: ${text}`);
}
