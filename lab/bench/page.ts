import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { between } from '../marks.ts';

/** One part of the bench: what it measures is kept as JSON, and the page says of it what `render` says. */
export interface Part {
  measure(options: MeasureOptions): Promise<object>;
  // biome-ignore lint/suspicious/noExplicitAny: each part reads what it wrote
  render(results: any): string;
  /** A drawing beside the page, in `docs/images/`. */
  readonly drawing?: {
    readonly file: string;
    // biome-ignore lint/suspicious/noExplicitAny: each part reads what it wrote
    draw(results: any): string;
  };
}

export interface MeasureOptions {
  readonly rounds?: number;
  /** Begins nothing new after so many minutes: the machine is others' as well. */
  readonly minutes?: number;
  /** What was measured before, to which this is added. */
  readonly before?: object | undefined;
  /** Keeps what there is so far: whatever ends the bench early, it was not for nothing. */
  save(results: object): void;
}

const DOCS = join(import.meta.dirname, '../../docs');
export const imageAt = (file: string): string => join(DOCS, 'images', file);
export const PAGE = join(DOCS, 'benchmarks.md');
const resultsOf = (part: string): string => join(DOCS, 'benchmarks', `${part}.json`);

/** Undefined for what was never measured. */
export const readResults = (part: string): object | undefined =>
  existsSync(resultsOf(part)) ? JSON.parse(readFileSync(resultsOf(part), 'utf8')) : undefined;

export const writeResults = (part: string, results: object): void =>
  writeFileSync(resultsOf(part), `${JSON.stringify({ machine: machine(), ...results }, null, 2)}\n`);

/** Writes what a part measured into the page. */
export function writePage(name: string, part: Part): void {
  const results = readResults(name);
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), name, textOf(part, results)));
  const { drawing } = part;
  if (drawing && results) writeFileSync(imageAt(drawing.file), drawing.draw(results));
}

/** What the page says of a part. */
export const textOf = ({ render }: Part, results: object | undefined): string =>
  results ? render(results) : 'Not measured to its end yet.';

/** The page with another text in the place of a part. */
export const withPart = (page: string, part: string, text: string): string =>
  between(page, { from: `npm run bench -- ${part}`, to: `end of ${part}` }, text);

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
