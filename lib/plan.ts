/** The plan: what the user writes under `freezeframe` in cdk.json. Wrong plans stop the synth with one line per fault. */
import { z } from 'zod';
import { GRADES } from '../lambdas/shared/names.ts';
import { scheduleFault } from './schedule.ts';

/** Parses the plan; throws one `PlanError` that names every fault. */
export function parsePlan(context: unknown): Plan {
  const parsed = z.strictObject({ [ROOT]: Plan }).safeParse({ [ROOT]: context });
  if (parsed.success) return parsed.data[ROOT] as Plan;
  throw new PlanError(faultLines(parsed.error.issues, { [ROOT]: context }));
}

/** The plan can't be used; the message has one line per fault. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

const ROOT = 'freezeframe';

// Each text completes the sentence "got …; expected …".

const wholeNumber = (what: string, from: number, to = Number.MAX_SAFE_INTEGER) =>
  z.int(what).min(from, { error: what, abort: true }).max(to, { error: what, abort: true });

const number = (what: string, from: number, to: number) =>
  z.number(what).min(from, { error: what, abort: true }).max(to, { error: what, abort: true });

const block = <Shape extends z.ZodRawShape>(what: string, shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? `one of ${Object.keys(shape).join(', ')}` : what),
  });

const Schedule = z.string('a schedule such as cron(0 3 * * ? *) or rate(12 hours)').check(({ value, issues }) => {
  const fault = scheduleFault(value);
  if (fault) issues.push({ code: 'custom', message: fault, input: value });
});

const TimeZone = z
  .string('an IANA time zone such as Europe/Berlin')
  .refine(isTimeZone, 'an IANA time zone such as Europe/Berlin');

const count = wholeNumber('a whole number of sets, 0 or more', 0).default(0);

/** An id as EC2 gives it. */
const ec2Id = (kind: string) => {
  const what = `an id such as ${kind}-0123456789abcdef0`;
  return z.string(what).regex(new RegExp(`^${kind}-([0-9a-f]{8}|[0-9a-f]{17})$`), what);
};

const AN_INSTANCE_TYPE = 'an instance type such as t3.large';

const DrillBlock = block(
  'where and when to drill: { "schedule": "cron(0 12 ? * SUN *)", "vpcId": "vpc-…", "subnetId": "subnet-…", "imageId": "ami-…" }',
  {
    schedule: Schedule,
    vpcId: ec2Id('vpc'),
    /** One that has no way out but to Systems Manager. */
    subnetId: ec2Id('subnet'),
    /** With the servers of the databases, their checkers, and the SSM agent. */
    imageId: ec2Id('ami'),
    /** Of the Nitro system: the host has to see which disk is which volume. */
    instanceType: z
      .string(AN_INSTANCE_TYPE)
      .regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, AN_INSTANCE_TYPE)
      .default('t3.large'),
    /** For all checks of one set together. */
    verifyMinutes: wholeNumber('a whole number of minutes from 5 to 720', 5, 720).default(240),
    /** Beside the sets that were taken here, those that another deployment has copied here. */
    copies: z.boolean('true or false').default(false),
  },
);

/** Any one of these keeps sets of an instance that is backed up. */
const KEEPS = ['last', 'daily', 'weekly', 'monthly', 'yearly', 'days'] as const;

const Retain = block('what to keep: last, daily, weekly, monthly, yearly, days', {
  last: count,
  daily: count,
  weekly: count,
  monthly: count,
  yearly: count,
  /** Every set that is younger is kept, whatever the counts say. */
  days: wholeNumber('a whole number of days, 0 or more', 0).default(0),
  /** How long a terminated instance keeps its last set. */
  finalDays: wholeNumber('a whole number of days, 0 or more', 0).default(365),
}).refine((retain) => KEEPS.some((key) => retain[key] > 0), {
  error: `at least one of ${KEEPS.join(', ')} above 0: this policy would keep nothing`,
});

const Lock = block('a lock: { "mode": "governance", "days": 7 }', {
  mode: z.enum(['governance', 'compliance'], 'governance or compliance'),
  days: wholeNumber('a whole number of days from 1 to 36500', 1, 36_500),
});

const A_ROLE = 'the ARN of a role such as arn:aws:iam::111122223333:role/app';
const AN_ACCOUNT = 'an account id of 12 digits, as a string';
const A_KEY = 'the ARN of a KMS key (or of its alias) in the Region of the copy';

const MINUTES = 'a multiple of 15 minutes from 15 to 2880';

const Copy = block('a copy: { "region": "eu-west-1" }', {
  region: z
    .string('a Region such as eu-west-1')
    .refine((region) => partitionOf(region) !== undefined, 'a Region such as eu-west-1'),
  account: z
    .string(AN_ACCOUNT)
    .regex(/^\d{12}$/, AN_ACCOUNT)
    .optional(),
  kmsKeyArn: z
    .string(A_KEY)
    .regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)\/[\w/-]+$/, A_KEY)
    .optional(),
  /** EC2 then takes no longer for a copy, and charges for it. */
  completionMinutes: wholeNumber(MINUTES, 15, 2_880)
    .refine((minutes) => minutes % 15 === 0, MINUTES)
    .optional(),
}).refine(({ region, kmsKeyArn }) => kmsKeyArn === undefined || kmsKeyArn.split(':')[3] === region, {
  path: ['kmsKeyArn'],
  error: A_KEY,
});

const Copies = z
  .array(Copy, 'a list of copies: [{ "region": "eu-west-1" }]')
  .refine((copies) => new Set(copies.map((copy) => partitionOf(copy.region))).size <= 1, {
    error: 'Regions of one partition: snapshots are not copied between partitions',
  })
  .refine((copies) => new Set(copies.map((copy) => `${copy.region} ${copy.account}`)).size === copies.length, {
    error: 'each Region and account once',
  });

const Policy = block('a policy: { "schedule": "cron(0 3 * * ? *)", "retain": { "daily": 7 } }', {
  /** When its runs start: `cron(…)` of six fields or `rate(…)`. */
  schedule: Schedule,
  /** Of the cron expression. */
  timeZone: TimeZone.default('UTC'),
  /** What a set of this policy must promise; a run that earns less ends red. */
  grade: z.enum(GRADES, GRADES.join(', ').replace(/, (\w+)$/, ' or $1')).default('application'),
  /** A run that would earn less: keep the set and label it, or take nothing. */
  onDowngrade: z.enum(['keep', 'discard'], 'keep or discard').default('keep'),
  freeze: block('freeze options: { "leaseSeconds": 30 }', {
    /** After so many seconds the host thaws itself, whatever happens. */
    leaseSeconds: wholeNumber('a whole number of seconds from 20 to 300', 20, 300).default(30),
  }).prefault({}),
  /** Targets whose turn would come later than so many minutes after the firing are not backed up by it, and reported. */
  windowMinutes: wholeNumber('a whole number of minutes from 5 to 1440', 5, 1_440).default(720),
  /** An instance whose newest set of the wanted grade is older raises an alarm; without: two intervals of the schedule. */
  rpoHours: wholeNumber('a whole number of hours from 1 to 8784', 1, 8_784).optional(),
  /** Sets to keep, each counted by its own kind of period. */
  retain: Retain,
  /** Sets that are kept for long lie in the archive tier. */
  archive: block('an archive: { "afterDays": 30 }', {
    /** Of a set's age. */
    afterDays: wholeNumber('a whole number of days, 7 or more', 7),
  }).optional(),
  /** EBS snapshot lock of every set. */
  lock: Lock.optional(),
  /** Other Regions and accounts that get a copy of every set. */
  copyTo: Copies.default([]),
  /** Sets of this policy are restored on a machine of their own, verified and thrown away again. */
  drill: DrillBlock.optional(),
});

const A_HOOK_DOCUMENT =
  'the name of an SSM document of your own: 3 to 128 letters, digits, _ . and -, not begun with aws, amazon, amzn or Freezeframe-';
const HOOK_DOCUMENTS = 20;

const POLICY_NAME = 'a name of 1 to 32 lower-case letters, digits and dashes that starts with a letter';
const AN_EMAIL = 'an e-mail address';

const Plan = block('a plan in the context of cdk.json: { "policies": { "nightly": { … } } }', {
  policies: z
    // A name becomes a word of the tag freezeframe:policy, whose words are separated by spaces.
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, POLICY_NAME), Policy, 'policies by their names')
    .refine((policies) => Object.keys(policies).length > 0, 'at least one policy'),
  /**
   * The share of the account's CreateSnapshots bucket (100 tokens, 5 more a second) that fleets use; what is left over
   * is for other tools, runs by hand, and for runs that reach their CreateSnapshots call later than others.
   */
  pacing: block('pacing: { "snapshotsPerSecond": 4.9, "burst": 25 }', {
    snapshotsPerSecond: number('a number from 0.1 to 1000', 0.1, 1_000).default(4.9),
    burst: wholeNumber('a whole number from 1 to 1000', 1, 1_000).default(25),
  }).prefault({}),
  /** What a restore may do beyond restoring to instances that are there. */
  restore: block('what restores may do: { "roles": ["arn:aws:iam::111122223333:role/app"] }', {
    /** Roles that instances which a restore launches may have. Without any it launches none. */
    roles: z
      .array(
        z.string(A_ROLE).regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, A_ROLE),
        'a list of roles by their ARN',
      )
      .default([]),
  }).prefault({}),
  /** SSM documents of the user's own, each with a script that is a hook on the instances whose tag names it. */
  hookDocuments: z
    .array(
      z.string(A_HOOK_DOCUMENT).regex(/^(?!aws|amazon|amzn|freezeframe-)[a-z0-9_.-]{3,128}$/i, A_HOOK_DOCUMENT),
      'a list of SSM documents by their names',
    )
    // Each is named in the policy of a role, which IAM limits to 10,240 characters.
    .max(HOOK_DOCUMENTS, `at most ${HOOK_DOCUMENTS} documents`)
    .refine((names) => new Set(names).size === names.length, 'each document once')
    .default([]),
  /** Who is told of runs that missed their grade. */
  notify: z.email(AN_EMAIL).optional(),
});
export type Plan = z.output<typeof Plan>;
export type Policy = z.output<typeof Policy>;

function isTimeZone(name: string): boolean {
  // Intl takes offsets (+01:00) as well; EventBridge Scheduler doesn't.
  if (!/^[A-Z][\w+-]*(\/[\w+-]+)*$/.test(name)) return false;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

const DIRECTION = '(north|south|east|west|central|northeast|northwest|southeast|southwest)';
const PARTITIONS: ReadonlyArray<readonly [partition: string, regions: RegExp]> = [
  ['aws', new RegExp(`^(af|ap|ca|eu|il|me|mx|sa|us)-${DIRECTION}-\\d$`)],
  ['aws-cn', new RegExp(`^cn-${DIRECTION}-\\d$`)],
  ['aws-us-gov', new RegExp(`^us-gov-${DIRECTION}-\\d$`)],
  ['aws-eusc', new RegExp(`^eusc-[a-z]{2}-${DIRECTION}-\\d$`)],
  ['aws-iso', new RegExp(`^us-iso-${DIRECTION}-\\d$`)],
  ['aws-iso-b', new RegExp(`^us-isob-${DIRECTION}-\\d$`)],
  ['aws-iso-e', new RegExp(`^eu-isoe-${DIRECTION}-\\d$`)],
  ['aws-iso-f', new RegExp(`^us-isof-${DIRECTION}-\\d$`)],
];

const partitionOf = (region: string): string | undefined => PARTITIONS.find(([, regions]) => regions.test(region))?.[0];

type Issue = z.core.$ZodIssue;

/** One line per fault, one fault per place: the first says it best (5.5 is no whole number before it is too small). */
function faultLines(issues: readonly Issue[], input: unknown): string[] {
  const lines = new Map<string, string>();
  for (const issue of issues) {
    for (const { path, got, expected } of faults(issue, input)) {
      const place = path.map(step).join('');
      if (!lines.has(place)) lines.set(place, `${place}: got ${got}; expected ${expected}`);
    }
  }
  return [...lines.values()];
}

interface Fault {
  readonly path: readonly PropertyKey[];
  readonly got: string;
  readonly expected: string;
}

function faults(issue: Issue, input: unknown): Fault[] {
  const { path } = issue;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        got: `${shown([...path, key].reduce(member, input))} under an unknown key`,
        expected: issue.message,
      }));
    case 'invalid_key':
      return [{ path, got: `the name ${shown(path.at(-1))}`, expected: issue.issues[0]?.message ?? issue.message }];
    default:
      return [{ path, got: shown(path.reduce(member, input)), expected: issue.message }];
  }
}

const member = (parent: unknown, key: PropertyKey): unknown =>
  (parent as Record<PropertyKey, unknown> | undefined | null)?.[key];

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

function step(key: PropertyKey, index: number): string {
  if (typeof key === 'number') return `[${key}]`;
  if (!/^[\w-]+$/.test(String(key))) return `[${JSON.stringify(key)}]`;
  return index === 0 ? String(key) : `.${String(key)}`;
}
