import { inspectHost, type World } from '../lambdas/inspect-host/inspect-host.ts';
import type { Run } from '../lambdas/shared/contracts.ts';
import { appName, freezable, lvsOf } from '../lambdas/shared/coverage.ts';
import { instanceOf, snapshotsOfInstance, volumesOf } from '../lambdas/shared/ec2.ts';
import { NotAnInstanceError, NotTaggedError } from '../lambdas/shared/errors.ts';
import { BACKUP, reaches } from '../lambdas/shared/names.ts';
import { policiesOf } from '../lambdas/shared/policy-tag.ts';
import { agentOf, commandChannel, pinDocument, readDocument } from '../lambdas/shared/ssm.ts';
import { catalogueOf } from './catalogue.ts';
import { type Command, instanceIdOf } from './command.ts';
import { hookDocumentsIn, policiesIn } from './deployment.ts';
import type { Desk } from './desk.ts';
import { EXIT, failureOf } from './failures.ts';
import { inTurn } from './in-turn.ts';
import { gradePainted } from './list.ts';
import { targetsOf } from './targets.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count, seconds } from './words.ts';

export const plan: Command = {
  name: 'plan',
  summary: 'say what a run would do: what it freezes, in which order, and what it can earn',
  about: [
    'Runs the document Freezeframe-Inspect on every running instance that bears the tag freezeframe:policy (or on those named), which changes nothing there, and decides by the very function that decides in a run. Nothing is frozen, nothing is taken.',
    'The frozen window is the median of the last five sets of the instance in the same mode, where there are any. What a run asks EC2 by DryRun, whether its own role may take the set, only a run can tell.',
    'Ends with 1 when an instance would be refused, or can’t earn the grade that its policy asks for.',
  ],
  arguments: [{ name: 'instance', optional: true, many: true }],
  options: { policy: { type: 'string', value: 'NAME', help: 'only what this policy would do' } },
  examples: [
    ['freezeframe plan', 'Everything that is tagged.'],
    ['freezeframe plan i-0123456789abcdef0 --policy nightly', 'One instance, before its first backup.'],
    ["freezeframe plan --json | jq '.plans[] | select(.reaches | not)'", 'What would miss its grade.'],
  ],
  run: async ({ arguments: instances, options, desk, terminal }) => {
    const backup = await desk.definition(BACKUP);
    const planned = { policies: policiesIn(backup), hookDocuments: hookDocumentsIn(backup) };
    const wishes = (await wishesFor(instances.map(instanceIdOf), desk)).filter(
      ({ policy }) => options.text('policy') === undefined || policy === options.text('policy'),
    );
    let looked = 0;
    const tell = () => terminal.show([`~ asking ${count(wishes.length, 'host')}, ${looked} answered`]);
    if (wishes.length > 0) tell();
    const plans = await inTurn(wishes, AT_ONCE, async (wish) => {
      const plan = await planFor(wish, planned, desk);
      looked += 1;
      tell();
      return plan;
    });
    terminal.settle();
    return {
      json: { plans },
      text: described(plans, paintFor(terminal.out)),
      exit: plans.every((each) => each.reaches) ? EXIT.done : EXIT.bad,
    };
  },
};

/** Windows gives VSS no longer between its freeze and its thaw. */
const VSS_SECONDS = 10;

/** Run Command's own rate is not published; so many at once have never been throttled in the lab. */
const AT_ONCE = 10;

interface Wish {
  instanceId: string;
  /** Undefined where the tag says none: the decision itself has the words for that. */
  policy: string | undefined;
}

/** One for each policy that an instance is tagged with: what it asks for decides what is frozen. */
const wishesFor = async (named: readonly string[], desk: Desk): Promise<Wish[]> => {
  if (named.length > 0) {
    const tagged = await inTurn(named, AT_ONCE, async (instanceId) => {
      const instance = await instanceOf(desk.ec2)(instanceId);
      if (!instance)
        throw new NotAnInstanceError(
          `there is no instance ${instanceId} in this account and Region; look for a typing error, or at --region`,
        );
      return wishesOf(instanceId, instance.tags);
    });
    return tagged.flat();
  }
  const all = await targetsOf(desk);
  if (all.length === 0) {
    throw new NotTaggedError(
      'no instance of this account and Region bears the tag freezeframe:policy; tag one: aws ec2 create-tags --resources i-… --tags Key=freezeframe:policy,Value=nightly',
    );
  }
  return all
    .sort((a, b) => a.instanceId.localeCompare(b.instanceId))
    .flatMap(({ instanceId, tags }) => wishesOf(instanceId, tags));
};

const wishesOf = (instanceId: string, tags: Record<string, string>): Wish[] => {
  const policies = policiesOf(tags);
  return policies.length > 0 ? policies.map((policy) => ({ instanceId, policy })) : [{ instanceId, policy: undefined }];
};

export interface Planned {
  instance: string;
  policy: string | null;
  /** The grade asked for can be earned. */
  reaches: boolean;
  wanted: string | null;
  expected: string | null;
  mode: string | null;
  why: string | null;
  /** What a run would do on the host and with EC2, in order. */
  steps: string[];
  /** What stays as it is, and why. */
  left: string[];
  /** Rights and tools that would let it earn more, or be shorter. */
  missing: string[];
  window: { expectedMs: number | null; fromSets: number; atMostSeconds: number } | null;
  refused: { name: string; message: string } | null;
}

const planFor = async (
  { instanceId, policy }: Wish,
  planned: { policies: ReturnType<typeof policiesIn>; hookDocuments: string[] },
  desk: Desk,
): Promise<Planned> => {
  const input = { instanceId, ...(policy !== undefined && { policy }) };
  try {
    const run = await inspectHost({ input, run: 'plan', ...planned }, worldOf(desk), desk.clock);
    const { sets } = catalogueOf(await snapshotsOfInstance(desk.ec2)(instanceId), desk.clock.now());
    const windows = sets.filter(({ mode }) => mode === run.mode).flatMap(({ windowMs }) => windowMs ?? []);
    return planOf(run, windows.slice(0, 5));
  } catch (error) {
    const { name, message, exit } = failureOf(error);
    // What the operator may not do, no host can be blamed for.
    if (exit === EXIT.refused || exit === EXIT.unknownCaller || exit === EXIT.internal) throw error;
    const wanted = policy === undefined ? undefined : planned.policies[policy]?.grade;
    return {
      instance: instanceId,
      policy: policy ?? null,
      reaches: false,
      wanted: wanted ?? null,
      expected: null,
      mode: null,
      why: null,
      steps: [],
      left: [],
      missing: [],
      window: null,
      refused: { name, message },
    };
  }
};

const worldOf = (desk: Desk): World => ({
  instance: instanceOf(desk.ec2),
  volumes: volumesOf(desk.ec2),
  agent: agentOf(desk.ssm),
  pin: pinDocument(desk.ssm),
  read: readDocument(desk.ssm),
  host: commandChannel(desk.ssm),
});

/** What a run that has been decided on will do. `windows`: of the newest sets in its mode, in milliseconds. */
export const planOf = (run: Run, windows: readonly number[]): Planned => {
  const { topology, policy, mode } = run;
  const quieted = topology.apps.filter(({ driver, ready }) => ready && run.apps.includes(driver));
  const call = `CreateSnapshots of ${count(run.volumes.length, 'volume')} at once: ${run.volumes.map(({ device }) => device).join(' ')}`;
  const quiet = quieted.map((app) => `quiet ${appName(app)}`);
  const steps: Record<Run['mode'], string[]> = {
    'lvm-snapshot': [
      ...quiet,
      ...lvsOf(freezable(topology)).map((lv) => `LVM snapshot of ${lv}`),
      ...(quiet.length > 0 ? ['release the applications'] : []),
      call,
      'remove the LVM snapshots',
    ],
    'fs-freeze': [
      ...quiet,
      ...freezable(topology).map(({ mount, type }) => `freeze ${mount} (${type})`),
      call,
      'thaw in reverse',
    ],
    'app-only': [...quiet, call, 'release the applications'],
    vss: ['VSS quiets every application with a writer, then the file systems', call],
    crash: [call],
  };
  return {
    instance: run.instanceId,
    policy: policy.name,
    reaches: reaches(run.expected, policy.grade),
    wanted: policy.grade,
    expected: run.expected,
    mode,
    why: run.why,
    steps: steps[mode],
    left: [
      ...topology.filesystems.filter((fs) => !fs.freezable).map(({ mount, why }) => `${mount} is not frozen: ${why}`),
      ...topology.apps
        .filter((app) => !quieted.includes(app))
        .map((app) => `${appName(app)} is not quieted${mode === 'crash' ? ': nothing is, in mode crash' : ''}`),
      ...run.excluded.map((volume) => `${volume} is left out by its tag`),
      ...(run.excludeBoot ? ['the root volume is left out by its tag'] : []),
      ...(topology.windows?.uncovered ?? []).map((what) => `VSS does not cover ${what}`),
    ],
    missing: [
      ...topology.apps.filter(({ ready }) => !ready).map((app) => `${appName(app)}: ${app.problem}`),
      ...topology.apps
        .filter(({ ready, provable }) => ready && !provable)
        .map((app) => `${appName(app)} has no lock that could prove that it stayed quiet`),
      ...Object.entries(topology.windows ? {} : topology.modes)
        .filter(([, { possible }]) => !possible)
        .map(([name, { why }]) => `mode ${name} can’t be had: ${why}`),
      ...(run.vss?.fault ? [run.vss.fault.message] : []),
      ...(run.vss?.install ? ['AWS’s VSS components are not there or too old: the run would install them'] : []),
    ],
    window:
      mode === 'crash'
        ? null
        : {
            expectedMs: medianOf(windows),
            fromSets: windows.length,
            atMostSeconds: mode === 'vss' ? VSS_SECONDS : policy.leaseSeconds,
          },
    refused: null,
  };
};

const medianOf = (values: readonly number[]): number | null =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;

const described = (plans: readonly Planned[], paint: Paint): string => {
  const good = plans.filter((each) => each.reaches).length;
  const sum = `${count(plans.length, 'run')}: ${good} can earn the grade asked for, ${plans.length - good} can’t. Nothing was changed.`;
  return [
    ...plans.map((each) => (each.refused ? refusedLines(each, paint) : plannedLines(each, paint))),
    good === plans.length ? paint.good(sum) : paint.warn(sum),
  ].join('\n\n');
};

const headOf = ({ instance, policy }: Planned, paint: Paint): string =>
  `${paint.bold(instance)}  ${policy ?? paint.dim('no policy')}`;

const refusedLines = (planned: Planned, paint: Paint): string =>
  `${headOf(planned, paint)}  ${paint.bad(`✘ ${planned.refused?.name}`)}\n  ${planned.refused?.message}`;

const plannedLines = (planned: Planned, paint: Paint): string => {
  const { expected, wanted, why, steps, left, missing, window } = planned;
  const verdict = planned.reaches
    ? `${paint.good('✔')} ${gradePainted(expected ?? '', paint)}`
    : `${paint.bad('✘')} ${gradePainted(expected ?? '', paint)}, and the policy asks for ${wanted}`;
  return [
    `${headOf(planned, paint)}  ${verdict}`,
    `  ${why}`,
    ...(window ? [`  frozen window: ${windowText(window)}`] : []),
    ...steps.map((step, at) => `  ${paint.accent(`${at + 1}.`)} ${step}`),
    ...left.map((text) => `  ${paint.dim(`– ${text}`)}`),
    ...missing.map((text) => `  ${paint.warn('!')} ${text}`),
  ].join('\n');
};

const windowText = ({ expectedMs, fromSets, atMostSeconds }: NonNullable<Planned['window']>): string => {
  const expected =
    expectedMs === null
      ? 'not known yet, since there is no set in this mode'
      : `about ${seconds(expectedMs)}, ${fromSets === 1 ? 'as in the last set' : `the median of the last ${fromSets} sets`}`;
  return `${expected}; ${atMostSeconds} s at most`;
};
