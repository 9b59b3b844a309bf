import { decideSets } from '../lambdas/shared/decide-sets.ts';
import { livingInstances, lockedSnapshots } from '../lambdas/shared/ec2.ts';
import { PRUNE } from '../lambdas/shared/names.ts';
import { clientIn, isHome, isOurs, placeName, placeOf } from '../lambdas/shared/places.ts';
import type { Decision } from '../lambdas/shared/retention.ts';
import type { LiveSet } from '../lambdas/shared/sets.ts';
import { everySnapshot } from './catalogue.ts';
import { type Command, instanceIdOf } from './command.ts';
import { retentionIn } from './deployment.ts';
import { UsageError } from './failures.ts';
import { gradePainted } from './list.ts';
import { table } from './table.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count, moment } from './words.ts';

export const prune: Command = {
  name: 'prune',
  summary: 'say which sets the next prune would let go of, and why the others stay',
  about: [
    'Decides by the very function of the workflow Freezeframe-Prune, on the sets that are there and the policies that are deployed. Nothing is deleted: Freezeframe-Prune does that by itself every day.',
    'A set that is due but held by a tag, a lock or a restore stays, and says so. Whether an image is made of a snapshot only the prune itself asks, just before it deletes.',
  ],
  arguments: [{ name: 'instance', optional: true }],
  options: {
    'dry-run': { type: 'boolean', help: 'needed, so that nobody takes this for the deletion itself' },
    all: { type: 'boolean', help: 'list the sets that stay, too' },
  },
  examples: [
    ['freezeframe prune --dry-run', 'What goes next.'],
    ['freezeframe prune --dry-run --all i-0123456789abcdef0', 'Why each set of an instance is still there.'],
  ],
  run: async ({ arguments: [instance], options, desk, terminal }) => {
    if (!options.has('dry-run')) {
      throw new UsageError(
        'prune only looks: say --dry-run. Freezeframe-Prune deletes by itself every day; aws stepfunctions start-execution starts it at once',
      );
    }
    if (instance !== undefined) instanceIdOf(instance);
    const { policies, home, destinations } = retentionIn(await desk.definition(PRUNE));
    const living = livingInstances(desk.ec2);
    const found: (Decision<LiveSet> & { region: string })[] = [];
    const orphans: string[] = [];
    const unseen: string[] = [];
    const places = [home, ...destinations.map((each) => placeOf(each, home)).filter((place) => !isHome(place, home))];
    for (const place of places) {
      const region = placeName(place, home);
      // The role there trusts the functions of the prune, and no person.
      if (place.account !== home.account) {
        unseen.push(region);
        continue;
      }
      terminal.show([`~ deciding on the sets in ${region}`]);
      const ec2 = isHome(place, home) ? desk.ec2 : clientIn(place);
      const facts = { policies, living, locked: lockedSnapshots(ec2) };
      const ours = (await everySnapshot(ec2)).filter((each) => isOurs(each, place, home));
      const decided = await decideSets(ours, facts, desk.clock.now());
      found.push(...decided.decisions.map((each) => ({ ...each, region })));
      orphans.push(...decided.orphans);
    }
    terminal.settle();
    const decisions = found
      .filter(({ set }) => instance === undefined || set.instance === instance)
      .sort((a, b) => b.set.startedAt - a.set.startedAt);
    return {
      json: {
        decisions: decisions.map(({ set, region, keep, due, reasons }) => ({
          set: set.set,
          region,
          instance: set.instance,
          policy: set.policy,
          grade: set.grade,
          startedAt: new Date(set.startedAt).toISOString(),
          keep,
          due,
          reasons,
          snapshots: set.snapshotIds,
        })),
        orphans,
        unseen,
      },
      text: described(decisions, { orphans, unseen }, options.has('all'), paintFor(terminal.out)),
    };
  },
};

const described = (
  decisions: readonly (Decision<LiveSet> & { region: string })[],
  { orphans, unseen }: Record<'orphans' | 'unseen', readonly string[]>,
  all: boolean,
  paint: Paint,
): string => {
  const going = decisions.filter(({ keep }) => !keep);
  const held = decisions.filter(({ keep, due }) => keep && due);
  const shown = all ? decisions : [...going, ...held];
  const several = new Set(decisions.map(({ region }) => region)).size > 1;
  const rows = shown.map(({ set, keep, due, reasons, region }) => [
    keep ? (due ? paint.warn('held') : paint.good('stays')) : paint.bad('goes'),
    set.set,
    ...(several ? [region] : []),
    moment(set.startedAt),
    set.policy,
    gradePainted(set.grade, paint),
    reasons.join('; '),
  ]);
  const head = ['', 'SET', ...(several ? ['REGION'] : []), 'TAKEN (UTC)', 'POLICY', 'GRADE', 'WHY'].map((cell) =>
    paint.dim(cell),
  );
  const snapshots = going.reduce((total, { set }) => total + set.snapshotIds.length, 0);
  return [
    ...(rows.length > 0 ? [table([head, ...rows]), ''] : []),
    `${count(going.length, 'set')} would go (${count(snapshots, 'snapshot')}), ${held.length} due but held, ${decisions.length - going.length - held.length} stay. Nothing was deleted.`,
    ...(orphans.length > 0
      ? [`${paint.warn('!')} never deleted, since they belong to no set: ${orphans.join(' ')}`]
      : []),
    ...unseen.map(
      (where) => `${paint.accent('i')} the copies in ${where} are not looked at: only the prune itself may`,
    ),
  ].join('\n');
};
