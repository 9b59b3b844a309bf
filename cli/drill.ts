import * as z from 'zod/mini';
import { type Check, DrillWish, Judged } from '../lambdas/shared/drill-contracts.ts';
import { faultsOf } from '../lambdas/shared/input-faults.ts';
import { DRILL, GRADES } from '../lambdas/shared/names.ts';
import type { Command, Options } from './command.ts';
import { SET_OPTIONS, startOne, startOptions } from './execution.ts';
import { UsageError } from './failures.ts';
import { table } from './table.ts';
import type { Paint } from './terminal.ts';
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
    ...SET_OPTIONS,
    grade: { type: 'string', choices: GRADES, help: 'the least grade that will do; else that of the policy' },
    target: { type: 'string', value: 'INSTANCE', help: 'restore to this running instance, and leave it running' },
    ...startOptions('drill'),
  },
  examples: [
    ['freezeframe drill i-0123456789abcdef0', 'The newest set, on a machine that is thrown away.'],
    [
      'freezeframe drill i-0123456789abcdef0 --target i-0fedcba9876543210',
      'On an instance of yours; then the plan needs no drill.',
    ],
  ],
  run: (call) =>
    startOne(call, {
      kind: 'drill',
      machine: DRILL,
      wishOf,
      output: Drilled,
      outcome: 'drilled',
      described,
      whenStopped: 'the sweeper takes away what it has made',
    }),
};

const wishOf = (instanceId: string, options: Options): object => {
  const wish = { instanceId, ...options.given('set', 'before', 'grade', 'target') };
  const parsed = DrillWish.safeParse(wish);
  if (!parsed.success) throw new UsageError(faultsOf(parsed.error.issues, wish));
  return wish;
};

/** Of the output of a drill, what it has shown. */
const Drilled = z.object({ set: z.object({ id: z.string(), grade: z.string() }), judged: Judged });

const described = ({ set, judged }: z.infer<typeof Drilled>, paint: Paint): string => {
  const { restore, verify } = judged.seconds;
  const took =
    restore === null
      ? ''
      : `, restored in ${duration(restore * 1_000)}${verify === null ? '' : `, verified in ${duration(verify * 1_000)}`}`;
  return [
    `: set ${set.id} (${set.grade}) is ${judged.verdict}${took}. Nothing of it is left.`,
    table(judged.checks.map((check) => [`  ${markOf(check, paint)}`, check.name, check.said])),
  ].join('\n');
};

const markOf = ({ verdict }: Check, paint: Paint): string =>
  verdict === 'ok' ? paint.good('✔') : verdict === 'damaged' ? paint.bad('✘') : paint.warn('?');
