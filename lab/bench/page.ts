import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** One part of the bench: what it measures is kept as JSON, and the page says of it what `render` says. */
export interface Part {
  measure(options: { readonly rounds?: number }): Promise<object>;
  // biome-ignore lint/suspicious/noExplicitAny: each part reads what it wrote
  render(results: any): string;
}

const DOCS = join(import.meta.dirname, '../../docs');
export const PAGE = join(DOCS, 'benchmarks.md');
const resultsOf = (part: string): string => join(DOCS, 'benchmarks', `${part}.json`);

export const readResults = (part: string): object => JSON.parse(readFileSync(resultsOf(part), 'utf8'));

export const writeResults = (part: string, results: object): void =>
  writeFileSync(resultsOf(part), `${JSON.stringify({ machine: machine(), ...results }, null, 2)}\n`);

export const writePage = (part: string, text: string): void =>
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), part, text));

/** The page with another text between the two marks of a part. */
export function withPart(page: string, part: string, text: string): string {
  const [from, to] = [`<!-- npm run bench -- ${part} -->\n`, `<!-- end of ${part} -->`];
  const [start, end] = [page.indexOf(from), page.indexOf(to)];
  if (start < 0 || end < start) throw new Error(`the page has no place for ${part}: ${from.trim()} … ${to}`);
  return `${page.slice(0, start + from.length)}${text.trim()}\n${page.slice(end)}`;
}

/** What it was measured on, and when. */
const machine = () => ({
  when: new Date().toISOString().slice(0, 10),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  processors: `${cpus().length} × ${cpus()[0]?.model ?? arch()}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
});
export type Machine = ReturnType<typeof machine>;

export const measuredOn = ({ machine: { when, commit, processors, memoryGiB, node } }: { machine: Machine }): string =>
  `Measured on ${when}, at commit ${commit}, on ${processors}, ${memoryGiB} GiB, Node ${node}, shared with other work.`;

/** A table in Markdown; numbers stand to the right. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), `|${heads.map((_, index) => (index === 0 ? '---' : '--:')).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
