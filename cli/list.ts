import { snapshotsOfInstance } from '../lambdas/shared/ec2.ts';
import { GRADES, UNPROVEN } from '../lambdas/shared/names.ts';
import { catalogueOf, everySnapshot, type ListedSet } from './catalogue.ts';
import { type Command, instanceIdOf } from './command.ts';
import { UsageError } from './failures.ts';
import { table } from './table.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count, duration, moment, seconds } from './words.ts';

export const list: Command = {
  name: 'list',
  summary: 'list the sets that are there, the newest first',
  about: [
    'The catalogue is the tags of the snapshots: every set of this account and Region is found, whoever started its run. A set is whole when all its members are completed; a grade is what was proven, and unproven says that nothing has been (yet).',
  ],
  arguments: [{ name: 'instance', optional: true }],
  options: {
    policy: { type: 'string', value: 'NAME', help: 'only sets of this policy' },
    grade: { type: 'string', choices: [...GRADES, UNPROVEN], help: 'only sets of this very grade' },
    limit: { type: 'string', value: 'N', help: 'only the newest N' },
  },
  examples: [
    ['freezeframe list i-0123456789abcdef0 --limit 5', 'The last five sets of one instance.'],
    ['freezeframe list --json | jq -r \'.sets[] | select(.state != "whole") | .set\'', 'Sets that are not whole.'],
  ],
  run: async ({ arguments: [instance], options, desk, terminal }) => {
    const [policy, grade, limit] = [options.text('policy'), options.text('grade'), options.text('limit')];
    if (limit !== undefined && !/^[1-9]\d*$/.test(limit))
      throw new UsageError(`--limit is ${limit}; it may be 1 or more`);
    const snapshots = instance
      ? await snapshotsOfInstance(desk.ec2)(instanceIdOf(instance))
      : await everySnapshot(desk.ec2);
    const { sets, orphans } = catalogueOf(snapshots, desk.clock.now());
    const shown = sets
      .filter((set) => (policy === undefined || set.policy === policy) && (grade === undefined || set.grade === grade))
      .slice(0, limit === undefined ? undefined : Number(limit));
    return {
      json: { sets: shown.map(asJson), orphans },
      text: described(shown, orphans, desk.clock.now(), paintFor(terminal.out)),
    };
  },
};

const asJson = ({ startedAt, deleting, ...set }: ListedSet) => ({
  ...set,
  startedAt: new Date(startedAt).toISOString(),
  deleting,
});

const described = (sets: readonly ListedSet[], orphans: readonly string[], now: number, paint: Paint): string => {
  if (sets.length === 0 && orphans.length === 0) return 'There are no such sets in this account and Region.';
  const rows = sets.map((set) => [
    set.set,
    moment(set.startedAt),
    paint.dim(
      `${duration(now - set.startedAt)
        .split(' ')
        .slice(0, 2)
        .join(' ')} ago`,
    ),
    set.policy,
    gradePainted(set.grade, paint),
    set.mode,
    set.windowMs === null ? '' : seconds(set.windowMs),
    `${set.snapshotIds.length}`,
    stateOf(set, paint),
  ]);
  const head = ['SET', 'TAKEN (UTC)', '', 'POLICY', 'GRADE', 'MODE', 'FROZEN', 'SNAPSHOTS', 'STATE'].map((cell) =>
    paint.dim(cell),
  );
  return [
    ...(sets.length > 0 ? [table([head, ...rows], { right: [2, 6, 7] })] : []),
    ...(orphans.length > 0
      ? [
          `${paint.warn('!')} ${count(orphans.length, 'snapshot')} of ours belong to no set: a tag was taken away: ${orphans.join(' ')}`,
        ]
      : []),
  ].join('\n');
};

export const gradePainted = (grade: string, paint: Paint): string =>
  grade === 'application' ? paint.good(grade) : grade === 'filesystem' ? paint.accent(grade) : paint.warn(grade);

const stateOf = ({ state, percent, holds, deleting, copyOf, drilled }: ListedSet, paint: Paint): string =>
  [
    state === 'whole' ? state : state === 'pending' ? paint.accent(`pending ${percent} %`) : paint.bad(state),
    ...(copyOf === null ? [] : [`copy of ${copyOf}`]),
    ...(drilled === null ? [] : [drilled.startsWith('failed') ? paint.bad('drill failed') : paint.good('drilled')]),
    ...(deleting ? ['being deleted'] : []),
    ...holds,
  ].join(', ');
