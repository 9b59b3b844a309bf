/** What the commands have in common that start executions: how one is named, started and followed, and how its end is told. */
import type * as z from 'zod/mini';
import { sentenceOf } from '../lambdas/shared/causes.ts';
import { type Call, instanceIdOf, type Option, type Options, type Result } from './command.ts';
import { consoleLink } from './desk.ts';
import { EXIT } from './failures.ts';
import { type Ended, follow } from './follow.ts';
import { type Paint, paintFor } from './terminal.ts';

/** A workflow of which each execution is about a set of one instance. */
export interface OfOneSet<Output> {
  /** What an execution of it is called: in its name, and in the JSON. */
  kind: string;
  machine: string;
  /** The execution's input, checked as the workflow will check it. */
  wishOf(instanceId: string, options: Options): object;
  /** Of its output, what a person goes on with; `outcome`: the key of that in the JSON. */
  output: z.ZodMiniType<Output>;
  outcome: string;
  /** Of a green end: what comes after its name. */
  described(output: Output, paint: Paint): string;
  /** What becomes of what one has made that was stopped. */
  whenStopped: string;
}

/** Starts one execution, and follows it to its end unless it is told not to. */
export const startOne = async <Output>(
  { arguments: [instance = ''], options, desk, terminal }: Call,
  { kind, machine, wishOf, output, outcome, described, whenStopped }: OfOneSet<Output>,
): Promise<Result> => {
  const wish = wishOf(instanceIdOf(instance), options);
  const name = options.text('name') ?? `${kind}-${runName(instance, desk.clock.now())}`;
  const arn = await desk.start(machine, name, wish);
  const link = consoleLink(arn);
  if (options.has('no-wait')) return { json: { [kind]: nameIn(arn), link }, text: `${nameIn(arn)}  ${link}` };
  const [ended] = (await follow([{ subject: instance, arn }], desk, terminal)) as [Ended];
  const paint = paintFor(terminal.out);
  const seen = output.safeParse(ended.output).data ?? null;
  const json = { [kind]: ended.name, status: ended.status, [outcome]: seen, error: errorOf(ended), link };
  if (ended.status !== 'SUCCEEDED') {
    return { json, text: `${redEnd(ended, paint, `: ${whenStopped}`)}\n${link}`, exit: EXIT.bad };
  }
  return { json, text: greenEnd(ended, paint, seen ? described(seen, paint) : ` is done.\n${link}`) };
};

/** Which set of the instance. */
export const SET_OPTIONS = {
  set: { type: 'string', value: 'ID', help: 'this very set; else the newest that fits' },
  before: {
    type: 'string',
    value: 'TIME',
    help: 'the newest set that was begun then or earlier: 2026-11-22T03:00:00Z',
  },
} as const satisfies Record<string, Option>;

export const startOptions = (kind: string): Record<string, Option> => ({
  name: { type: 'string', value: 'NAME', help: `name of the ${kind}; else one of instance and time` },
  'no-wait': { type: 'boolean', help: 'start it, print its name, and do not follow it' },
});

/** The name of a run is the id of its set: `<instance>-2026-11-24T030000Z`. */
export const runName = (instanceId: string, at: number): string =>
  `${instanceId}-${new Date(at).toISOString().slice(0, 19).replaceAll(':', '')}Z`;

export const nameIn = (executionArn: string): string => executionArn.split(':').at(-1) ?? '';

/** For scripts: what an execution died of. */
export const errorOf = ({ error, cause = '' }: Ended): { name: string; cause: string } | null =>
  error === undefined ? null : { name: error, cause: sentenceOf(cause) };

export const greenEnd = ({ name }: Ended, paint: Paint, text: string): string =>
  `\n${paint.good('✔')} ${paint.bold(name)}${text}`;

export const redEnd = (ended: Ended, paint: Paint, whenStopped = ''): string => {
  const error = errorOf(ended);
  const why = error
    ? `${paint.bad(error.name)}: ${error.cause}`
    : `it was ${ended.status.toLowerCase().replace('_', ' ')}${whenStopped}`;
  return `\n${paint.bad('✘')} ${paint.bold(ended.name)} ended red. ${why}`;
};
