import { InstanceId } from '../lambdas/shared/contracts.ts';
import type { Desk } from './desk.ts';
import { type Exit, UsageError } from './failures.ts';
import type { Terminal } from './terminal.ts';

export interface Option {
  /** A switch takes no value. */
  type: 'string' | 'boolean';
  /** What the value is, for the help: ID, REGION … */
  value?: string;
  choices?: readonly string[];
  multiple?: boolean;
  help: string;
}

export interface Argument {
  name: string;
  optional?: boolean;
  many?: boolean;
  choices?: readonly string[];
}

/** One command: what the help says of it, and what it does. */
export interface Command {
  name: string;
  /** One line, as an imperative. */
  summary: string;
  /** Paragraphs: what it does, what it does not, what its output means. */
  about: readonly string[];
  arguments: readonly Argument[];
  options: Readonly<Record<string, Option>>;
  examples: readonly (readonly [line: string, what: string])[];
  run(call: Call): Promise<Result>;
}

export interface Call {
  arguments: readonly string[];
  options: Options;
  desk: Desk;
  terminal: Terminal;
}

/** The options as they were given. */
export class Options {
  readonly #values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

  constructor(values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  texts(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];
  }

  /** Those of these that were given, by name. */
  given(...names: string[]): Record<string, string> {
    return Object.fromEntries(names.flatMap((name) => this.texts(name).map((value) => [name, value])));
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== false;
  }
}

export interface Result {
  /** What `--json` prints. */
  json: unknown;
  text: string;
  /** @default done */
  exit?: Exit;
}

/** An instance id, or a fault of the command line. */
export const instanceIdOf = (text: string): string => {
  if (InstanceId.safeParse(text).success) return text;
  throw new UsageError(`${text} is no instance id such as i-0123456789abcdef0`);
};

/** Options of every command. */
export const COMMON: Readonly<Record<string, Option>> = {
  region: {
    type: 'string',
    value: 'REGION',
    help: 'Region of the deployment; else AWS_REGION, or that of the profile',
  },
  profile: { type: 'string', value: 'NAME', help: 'profile of ~/.aws/config, also one of SSO; else AWS_PROFILE' },
  json: { type: 'boolean', help: 'print one JSON document to stdout; progress goes to stderr' },
  help: { type: 'boolean', help: 'print this' },
};
