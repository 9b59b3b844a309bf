import { styleText } from 'node:util';

/** One thing that was tried, and how it went. */
export interface Result {
  readonly part: string;
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** What was seen when all is well, what is wrong when not. */
  readonly detail: string;
}

/** Collects results, a line each as they come, and sums them up. */
export class Report {
  readonly results: Result[] = [];
  readonly #out: NodeJS.WritableStream;
  readonly #began = performance.now();

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  title(text: string): void {
    this.#out.write(`\n${styleText('bold', text, { stream: this.#out })}\n`);
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(0).padStart(5);
    this.#out.write(`${styleText('dim', `${seconds} s`, { stream: this.#out })}  ${text}\n`);
  }

  add(result: Result): void {
    this.results.push(result);
    const mark = this.#paint(result.passed, result.passed ? '✔' : '✘');
    this.say(`${mark} ${result.name}: ${result.detail}`);
  }

  /** Runs one case; what it throws is its failure. */
  async try(part: string, name: string, body: () => Promise<string>): Promise<boolean> {
    const began = performance.now();
    const ended = (passed: boolean, detail: string) => {
      this.add({ part, name, passed, detail, seconds: (performance.now() - began) / 1000 });
      return passed;
    };
    try {
      return ended(true, await body());
    } catch (error) {
      return ended(false, (error as Error).message);
    }
  }

  /** The whole as a table, then the line that people and machines look for. */
  summary(): void {
    this.title('Summary');
    const width = Math.max(0, ...this.results.map(({ name }) => name.length));
    for (const { part, name, passed, seconds, detail } of this.results) {
      const verdict = this.#paint(passed, passed ? 'passed' : 'FAILED');
      const why = passed ? '' : `  ${detail.split('\n')[0]}`;
      this.#out.write(
        `  ${part.padEnd(8)}  ${name.padEnd(width)}  ${verdict}  ${seconds.toFixed(1).padStart(6)} s${why}\n`,
      );
    }
    this.#out.write(`${this.passed} passed, ${this.failed} failed\n`);
  }

  get passed(): number {
    return this.results.filter(({ passed }) => passed).length;
  }

  get failed(): number {
    return this.results.length - this.passed;
  }

  #paint(passed: boolean, text: string): string {
    return styleText(passed ? 'green' : 'red', text, { stream: this.#out });
  }
}

/** Throws one error that names all that is wrong. */
export function refute(problems: readonly (string | false | undefined)[]): void {
  const found = problems.filter((problem) => typeof problem === 'string');
  if (found.length > 0) throw new Error(found.join('; '));
}
