import { nextFiring } from '../lambdas/shared/firings.ts';
import { FLEET } from '../lambdas/shared/names.ts';
import { policiesOf } from '../lambdas/shared/policy-tag.ts';
import { catalogueOf, everySnapshot, type ListedSet, sum } from './catalogue.ts';
import type { Command } from './command.ts';
import { schedulesIn } from './deployment.ts';
import { table } from './table.ts';
import { targetsOf } from './targets.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count, dollars } from './words.ts';

export const cost: Command = {
  name: 'cost',
  summary: 'say what the backups of this account cost a month, at list prices',
  about: [
    'From the schedules and the tagged instances: state transitions and Lambda of the backups, and metrics. From the sets that are there: their storage, between a floor and a ceiling, since EC2 tells the full size of a snapshot, and bills the blocks that changed.',
    'Prices are those of us-east-1 for Linux on demand; other Regions differ by some percent. Your discounts, free tiers and taxes are not in it.',
  ],
  arguments: [],
  options: {},
  examples: [
    ['freezeframe cost', 'The month ahead.'],
    ["freezeframe cost --json | jq '.months.certain'", 'The part that depends on no block.'],
  ],
  run: async ({ desk, terminal }) => {
    const schedules = schedulesIn(await desk.definition(FLEET));
    const instances = (await targetsOf(desk)).filter(({ state }) => state === 'running' || state === 'stopped');
    const now = desk.clock.now();
    const { sets } = catalogueOf(await everySnapshot(desk.ec2), now);
    const policies = Object.entries(schedules).map(([policy, schedule]) => ({
      policy,
      instances: instances.filter(({ tags }) => policiesOf(tags).includes(policy)).length,
      firings: firingsInMonth(schedule, now),
    }));
    const estimate = estimateOf(policies, sets);
    return { json: estimate, text: described(estimate, paintFor(terminal.out)) };
  },
};

/** List prices of us-east-1 in US dollars, as AWS's price pages have them (read in November 2026). */
export const PRICES = {
  /** Step Functions Standard, a state transition. */
  transition: 0.000025,
  /** Lambda on arm64, a GB-second. */
  lambdaGBSecond: 0.0000133334,
  /** CloudWatch, a custom metric a month. */
  metric: 0.3,
  /** EBS snapshots, standard tier, a GB-month. */
  snapshotGB: 0.05,
} as const;

/** Of a green run: to the first look at its snapshots, and for each further look. A docs test counts them in the definition. */
export const TRANSITIONS = { run: 14, look: 3 } as const;
/** A usual set is complete within this many further looks. */
const USUAL_LOOKS = 4;
/** All functions of a run together, seconds at 512 MB. */
const LAMBDA_SECONDS = 30;
/** Of each policy, and of all of them together. */
const METRICS_EACH = 6;

const MONTH_MS = 30 * 86_400_000;

/** How often a schedule fires in the thirty days to come. */
export const firingsInMonth = (schedule: { schedule: string; timeZone: string }, now: number): number => {
  let firings = 0;
  for (let at = nextFiring(schedule, now); at !== undefined && at <= now + MONTH_MS; at = nextFiring(schedule, at))
    firings += 1;
  return firings;
};

export interface PolicyLoad {
  policy: string;
  instances: number;
  firings: number;
}

type CostedSet = Pick<ListedSet, 'instance' | 'startedAt' | 'fullBytes' | 'sizeGiB'>;

export interface Estimate {
  policies: (PolicyLoad & { runs: number; dollars: number })[];
  runs: number;
  /** Dollars a month. */
  months: {
    transitions: number;
    lambda: number;
    metrics: number;
    certain: number;
    storageFloor: number;
    storageCeiling: number;
  };
  sets: number;
  /** GB that are stored at least and at most; `sized`: EC2 has told the full size of every snapshot. */
  storage: { floorGB: number; ceilingGB: number; sized: boolean };
  unknown: string[];
}

export const estimateOf = (loads: readonly PolicyLoad[], sets: readonly CostedSet[]): Estimate => {
  const transitionsOfRun = (TRANSITIONS.run + USUAL_LOOKS * TRANSITIONS.look) * PRICES.transition;
  const lambdaOfRun = LAMBDA_SECONDS * 0.5 * PRICES.lambdaGBSecond;
  const policies = loads.map((load) => {
    const runs = load.instances * load.firings;
    return { ...load, runs, dollars: runs * (transitionsOfRun + lambdaOfRun) };
  });
  const runs = sum(policies.map((each) => each.runs));
  const [transitions, lambda] = [runs * transitionsOfRun, runs * lambdaOfRun];
  const metrics = METRICS_EACH * (policies.length + 1) * PRICES.metric;
  const storage = storageOf(sets);
  return {
    policies,
    runs,
    months: {
      transitions,
      lambda,
      metrics,
      certain: transitions + lambda + metrics,
      storageFloor: storage.floorGB * PRICES.snapshotGB,
      storageCeiling: storage.ceilingGB * PRICES.snapshotGB,
    },
    sets: sets.length,
    storage,
    unknown: [
      'how many blocks changed between two sets: the bill is between floor and ceiling, usually near the floor',
      'copies in other Regions and what their transfer costs',
      'drills and restores: volumes while they exist, and reads from S3 where a rate is asked for',
      'S3 requests, logs, traces, events and alarms: cents for most accounts',
    ],
  };
};

/**
 * EC2 stores each block once for as long as a snapshot needs it. At least the largest set of each instance is stored in
 * full; at most every set is. Where full sizes are not told, provisioned ones stand in, and the floor is not known: 0.
 */
const storageOf = (sets: readonly CostedSet[]): Estimate['storage'] => {
  const sized = sets.every(({ fullBytes }) => fullBytes !== null);
  const gb = ({ fullBytes, sizeGiB }: CostedSet) => (fullBytes === null ? sizeGiB : fullBytes / 2 ** 30);
  const largest = Object.values(Object.groupBy(sets, ({ instance }) => instance)).map((own = []) =>
    Math.max(...own.map((set) => (set.fullBytes === null ? 0 : set.fullBytes / 2 ** 30))),
  );
  return { floorGB: sum(largest), ceilingGB: sum(sets.map(gb)), sized };
};

const described = ({ policies, runs, months, sets, storage, unknown }: Estimate, paint: Paint): string => {
  const rows = policies.map(({ policy, instances, firings, runs: each, dollars: amount }) => [
    policy,
    `${instances}`,
    `${firings}`,
    `${each}`,
    dollars(amount),
  ]);
  const storageText = storage.sized
    ? `${dollars(months.storageFloor)} to ${dollars(months.storageCeiling)}`
    : `up to ${dollars(months.storageCeiling)}`;
  return [
    paint.bold('The next thirty days, at list prices of us-east-1'),
    '',
    table([['POLICY', 'INSTANCES', 'FIRINGS', 'RUNS', 'COST'].map((cell) => paint.dim(cell)), ...rows], {
      right: [1, 2, 3, 4],
    }),
    '',
    table(
      [
        [
          'State transitions',
          dollars(months.transitions),
          paint.dim(`${count(runs, 'run')} of some ${TRANSITIONS.run + USUAL_LOOKS * TRANSITIONS.look}`),
        ],
        ['Lambda', dollars(months.lambda), paint.dim(`half a minute at 512 MB each`)],
        ['Metrics', dollars(months.metrics), paint.dim(`${METRICS_EACH * (policies.length + 1)} of CloudWatch`)],
        [paint.bold('Together'), paint.bold(dollars(months.certain)), ''],
        [
          'Snapshot storage',
          storageText,
          paint.dim(`${count(sets, 'set')} that ${sets === 1 ? 'is' : 'are'} there now`),
        ],
      ],
      { right: [1] },
    ),
    '',
    paint.bold('What can’t be known from here'),
    ...unknown.map((text) => `  ${paint.dim('–')} ${text}`),
  ].join('\n');
};
