import * as z from 'zod/mini';
import { type Check, DrillWish, Judged } from '../lambdas/shared/drill-contracts.ts';
import { faultsOf } from '../lambdas/shared/input-faults.ts';
import { DRILL, GRADES } from '../lambdas/shared/names.ts';
import { instanceIdOf, messageIn, nameIn, runName } from './backup.ts';
import type { Command, Options } from './command.ts';
import { consoleLink } from './desk.ts';
import { EXIT, UsageError } from './failures.ts';
import { type Ended, follow } from './follow.ts';
import { table } from './table.ts';
import { type Paint, paintFor } from './terminal.ts';
import { duration } from './words.ts';

export const drill: Command = {
  name: 'drill',
  summary: 'restore a set, verify it, and throw the restore away again',
  about: [
    'Starts Freezeframe-Drill: a scratch instance where the plan says so, or one of yours (--target), the set restored onto it, its file systems and databases verified, the verdict stamped on the set, and everything taken away. The original is never touched. docs/drill.md has what it needs.',
    'Ends with 1 when the set is damaged, or nothing could be shown.',
  ],
  arguments: [{ name: 'instance' }],
  options: {
    set: { type: 'string', value: 'ID', help: 'this very set; else the newest that fits' },
    before: {
      type: 'string',
      value: 'TIME',
      help: 'the newest set that was begun then or earlier: 2026-11-22T03:00:00Z',
    },
    grade: { type: 'string', choices: GRADES, help: 'the least grade that will do; else that of the policy' },
    target: { type: 'string', value: 'INSTANCE', help: 'restore to this running instance, and leave it running' },
    name: { type: 'string', value: 'NAME', help: 'name of the drill; else one of instance and time' },
    'no-wait': { type: 'boolean', help: 'start it, print its name, and do not follow it' },
  },
  examples: [
    ['freezeframe drill i-0123456789abcdef0', 'The newest set, on a machine that is thrown away.'],
    [
      'freezeframe drill i-0123456789abcdef0 --target i-0fedcba9876543210',
      'On an instance of yours; then the plan needs no drill.',
    ],
  ],
  run: async ({ arguments: [instance = ''], options, desk, terminal }) => {
    const wish = wishOf(instanceIdOf(instance), options);
    const name = options.text('name') ?? `drill-${runName(instance, desk.clock.now())}`;
    const arn = await desk.start(DRILL, name, wish);
    if (options.has('no-wait')) {
      const started = { drill: nameIn(arn), link: consoleLink(arn) };
      return { json: started, text: `${started.drill}  ${started.link}` };
    }
    const [ended] = await follow([{ subject: instance, arn }], desk, terminal);
    const outcome = outcomeOf(ended as Ended);
    return {
      json: outcome,
      text: described(outcome, paintFor(terminal.out)),
      exit: outcome.status === 'SUCCEEDED' ? EXIT.done : EXIT.bad,
    };
  },
};

const wishOf = (instanceId: string, options: Options): object => {
  const asked = ['set', 'before', 'grade', 'target'].flatMap((name) => {
    const value = options.text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const wish = { instanceId, ...Object.fromEntries(asked) };
  const parsed = DrillWish.safeParse(wish);
  if (!parsed.success) throw new UsageError(faultsOf(parsed.error.issues, wish));
  return wish;
};

/** Of the output of a drill, what it has shown. */
const Drilled = z.object({ set: z.object({ id: z.string(), grade: z.string() }), judged: Judged });

interface Outcome {
  drill: string;
  status: Ended['status'];
  drilled: z.infer<typeof Drilled> | null;
  error: { name: string; cause: string } | null;
  link: string;
}

const outcomeOf = ({ name, status, output, error, cause, link }: Ended): Outcome => ({
  drill: name,
  status,
  drilled: Drilled.safeParse(output).data ?? null,
  error: error === undefined ? null : { name: error, cause: messageIn(cause ?? '') },
  link,
});

const described = ({ drill: name, status, drilled, error, link }: Outcome, paint: Paint): string => {
  if (status !== 'SUCCEEDED') {
    const why = error
      ? `${paint.bad(error.name)}: ${error.cause}`
      : `it was ${status.toLowerCase().replace('_', ' ')}: the sweeper takes away what it has made`;
    return `\n${paint.bad('✘')} ${paint.bold(name)} ended red. ${why}\n${link}`;
  }
  if (!drilled) return `\n${paint.good('✔')} ${paint.bold(name)} is done.\n${link}`;
  const { set, judged } = drilled;
  const { restore, verify } = judged.seconds;
  const took =
    restore === null
      ? ''
      : `, restored in ${duration(restore * 1_000)}${verify === null ? '' : `, verified in ${duration(verify * 1_000)}`}`;
  return [
    `\n${paint.good('✔')} ${paint.bold(name)}: set ${set.id} (${set.grade}) is ${judged.verdict}${took}. Nothing of it is left.`,
    table(judged.checks.map((check) => [`  ${markOf(check, paint)}`, check.name, check.said])),
  ].join('\n');
};

const markOf = ({ verdict }: Check, paint: Paint): string =>
  verdict === 'ok' ? paint.good('✔') : verdict === 'damaged' ? paint.bad('✘') : paint.warn('?');
