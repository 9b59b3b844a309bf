/** Where a command speaks: results to stdout, what goes on meanwhile beside it; live on a terminal, plain lines in a pipe. */
import { stripVTControlCharacters, styleText } from 'node:util';

/** The part of a stream that is used. */
export interface Out {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

type Format = Parameters<typeof styleText>[0];

/** Colours for one stream: none where it is no terminal, or NO_COLOR asks for none. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  accent(text: string): string;
}

export const paintFor = (out: Out): Paint => {
  const with_ = (format: Format) => (text: string) =>
    out.isTTY || process.env.FORCE_COLOR
      ? styleText(format, text, {
          stream: out as NodeJS.WriteStream,
          validateStream: process.env.NO_COLOR !== undefined && !process.env.FORCE_COLOR,
        })
      : text;
  return {
    bold: with_('bold'),
    dim: with_('dim'),
    good: with_('green'),
    bad: with_('red'),
    warn: with_('yellow'),
    accent: with_('cyan'),
  };
};

const FRAMES = [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'];
const FRAME_MS = 100;

export class Terminal {
  readonly out: Out;
  readonly err: Out;
  /** Progress goes beside a JSON document, and before a text. */
  #progress: Out;
  #live: readonly string[] = [];
  #drawn = 0;
  #frame = 0;
  #ticking: NodeJS.Timeout | undefined;
  #goesOn = '';

  constructor(out: Out, err: Out) {
    this.out = out;
    this.err = err;
    this.#progress = out;
  }

  /** Leaves stdout to one JSON document. */
  progressBeside(): void {
    this.#progress = this.err;
  }

  get paint(): Paint {
    return paintFor(this.#progress);
  }

  /** The result. */
  print(text: string): void {
    this.settle();
    this.out.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
  }

  /** A line that stays. */
  say(line: string): void {
    this.#wipe();
    this.#progress.write(`${line}\n`);
    this.#draw();
  }

  /** Lines that are under way, drawn anew as time passes; a pipe gets none of them. `~` is where the spinner turns. */
  show(lines: readonly string[]): void {
    if (!this.#progress.isTTY) return;
    this.#wipe();
    this.#live = lines;
    this.#draw();
    this.#ticking ??= setInterval(() => {
      this.#frame += 1;
      this.#wipe();
      this.#draw();
    }, FRAME_MS).unref();
  }

  /** Nothing is under way any more. */
  settle(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.#wipe();
    this.#live = [];
    this.#goesOn = '';
  }

  /** What goes on in AWS although somebody presses Ctrl-C here. */
  goesOn(text: string): void {
    this.#goesOn = text;
  }

  /** Says it, where something does, and ends what is under way here. */
  leave(): void {
    const text = this.#goesOn;
    this.settle();
    if (text) this.err.write(`\n${text}\n`);
  }

  #draw(): void {
    const width = this.#progress.columns ?? 80;
    const frame = FRAMES[this.#frame % FRAMES.length] ?? '';
    for (const line of this.#live) this.#progress.write(`${fitting(line.replace('~', frame), width)}\n`);
    this.#drawn = this.#live.length;
  }

  #wipe(): void {
    if (this.#drawn > 0) this.#progress.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}

/** A line that broke would be wiped in part only. */
const fitting = (line: string, width: number): string => {
  const plain = stripVTControlCharacters(line);
  return plain.length < width ? line : `${plain.slice(0, width - 2)}…`;
};
