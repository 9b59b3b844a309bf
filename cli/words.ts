/** How the commands write times, sizes and money. */

/** 42 ms, 1.82 s, 3 min 5 s. */
export const seconds = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1_000).toFixed(2)} s` : duration(ms);

/** 42 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export const duration = (ms: number): string => {
  const all = Math.round(ms / 1_000);
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const at = units.findIndex(([size]) => all >= size);
  if (at < 0) return '0 s';
  const [size, unit] = units[at] as (typeof units)[number];
  const next = units[at + 1];
  const rest = next ? Math.floor((all % size) / next[0]) : 0;
  return `${Math.floor(all / size)} ${unit}${next && rest > 0 ? ` ${rest} ${next[1]}` : ''}`;
};

/** To the minute, in UTC: 2026-11-24 03:00. */
export const moment = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');

export const count = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? '' : 's'}`;

export const dollars = (amount: number): string =>
  amount !== 0 && amount < 0.01 ? `$${amount.toFixed(4)}` : `$${amount.toFixed(2)}`;

/** Text in lines of so many characters, each behind `indent`. */
export const wrapped = (text: string, width: number, indent = ''): string => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(indent + line);
  return lines.join('\n');
};
