import { styleText } from 'node:util';
import type { HistoryEvent } from '../aws/execution.ts';

/** Live progress, a line a thing that happened, with the seconds since the start. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #began = performance.now();
  readonly #entered = new Map<string, number>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  title(text: string): void {
    this.#out.write(`\n${styleText('bold', text, { stream: this.#out })}\n`);
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1).padStart(6);
    this.#out.write(`${styleText('dim', `${seconds} s`, { stream: this.#out })}  ${text}\n`);
  }

  /** A state of the workflow as it goes by: only those that do work or tell the end. */
  state({ type, state = '', stateType, at, error, cause }: HistoryEvent): void {
    if (type === 'StateEntered') this.#entered.set(state, at);
    if (type === 'StateFailed') this.say(`${this.#red('✘')} ${state}: ${error}: ${cause}`);
    const silent = ['Choice', 'Wait', 'Pass', 'Fail'].includes(stateType ?? '');
    if (type === 'StateExited' && !silent) {
      this.say(`${this.#green('✔')} ${state.padEnd(26)}${Math.round(at - (this.#entered.get(state) ?? at))} ms`);
    }
  }

  #green(text: string): string {
    return styleText('green', text, { stream: this.#out });
  }

  #red(text: string): string {
    return styleText('red', text, { stream: this.#out });
  }
}
