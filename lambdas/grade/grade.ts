/**
 * Which grade a run has proven. A grade is granted only when nothing speaks against it: each proof that is missing or
 * fails is a miss, which says in words what is wanting and how high a grade it still allows.
 */
import { sentenceOf } from '../shared/causes.ts';
import type { CaughtError, GradeInput, Receipt, TakenSet, Verdict } from '../shared/contracts.ts';
import { appName, freezable, homesOf, lvsOf, quietAloneSuffices } from '../shared/coverage.ts';
import { GRADE_MISSED } from '../shared/errors.ts';
import { GRADES, type GradeName, type LinuxMode, reaches, VSS_TAGS } from '../shared/names.ts';

interface Miss {
  /** The best grade that is still possible; null: none. */
  atMost: GradeName | null;
  reason: string;
}

/** `consistent`: snapshots that VSS has vouched for. */
export const grade = (
  input: GradeInput,
  set: TakenSet | undefined,
  consistent: ReadonlySet<string> = new Set(),
): Verdict => {
  const misses = missesOf(input, set, consistent);
  const earned = misses.reduce<GradeName | null>((least, { atMost }) => lower(least, atMost), 'application');
  const { grade: wanted, onDowngrade } = input.policy;
  const reached = earned !== null && reaches(earned, wanted);
  return {
    grade: earned,
    reached,
    keep: earned !== null && (reached || onDowngrade === 'keep'),
    reasons: misses.map(({ reason }) => reason),
    windowMs: windowOf(input.thawed?.receipt ?? null),
  };
};

/** The error that the run ends with: the first that happened, else that the grade was missed; none when all is well. */
export const errorOf = (input: GradeInput, verdict: Verdict): CaughtError | undefined => {
  const first = input.error ?? input.thawError ?? input.unfrozenError;
  const outcome =
    verdict.grade === null
      ? 'There is no whole set'
      : `The set has grade ${verdict.grade} (wanted: ${input.policy.grade}) and is ${verdict.keep ? 'kept' : 'discarded'}`;
  if (first) return { Error: first.Error, Cause: `${saidBy(first)}. ${outcome}.` };
  if (verdict.reached) return undefined;
  return { Error: GRADE_MISSED, Cause: `${outcome}: ${verdict.reasons.join('; ')}.` };
};

const saidBy = ({ Error: name, Cause }: CaughtError): string =>
  Cause ? sentenceOf(Cause) : `${name}: the state gave no answer in its time`;

const lower = (a: GradeName | null, b: GradeName | null): GradeName | null => {
  if (a === null || b === null) return null;
  return GRADES.indexOf(a) < GRADES.indexOf(b) ? a : b;
};

/** The frozen window as writers felt it, in the host's clock. */
const windowOf = (receipt: Receipt | null): number | null =>
  receipt && receipt.stalledAt !== null && receipt.releasedAt !== null
    ? Math.round((receipt.releasedAt - receipt.stalledAt) * 1_000)
    : null;

const missesOf = (input: GradeInput, set: TakenSet | undefined, consistent: ReadonlySet<string>): Miss[] => {
  const incomplete = missesOfSet(input, set);
  if (!set || incomplete.length > 0) return incomplete;
  // One CreateSnapshots call is one point in time, so a whole set is crash-consistent at the least.
  if (input.mode === 'crash') return [atMost('crash', 'nothing was quieted: the mode was crash')];
  if (input.mode === 'vss') return missesOfVss(input, set, consistent);
  const unheld = missesOfHolding(input, set);
  const receipt = input.thawed?.receipt;
  if (!receipt) return unheld;
  return [...unheld, ...MISSES_OF_MODE[input.mode](input, receipt)];
};

const missesOfSet = ({ volumes }: GradeInput, set: TakenSet | undefined): Miss[] => {
  if (!set || set.snapshots.length === 0) return [{ atMost: null, reason: 'no snapshots were taken' }];
  const taken = new Set(set.snapshots.map(({ volumeId }) => volumeId));
  return volumes
    .filter(({ volumeId }) => !taken.has(volumeId))
    .map(({ volumeId, device }) => ({ atMost: null, reason: `${volumeId} (${device}) is missing in the set` }));
};

// ------------------------------------------------------------------------------------------------------ Windows and VSS

/**
 * VSS froze and thawed by itself, and put its mark on a snapshot only when all had gone well; how the command ended says
 * nothing. The set is whole and of one request, so without the marks it is what any such set is.
 */
const missesOfVss = (
  { topology, volumes, error }: GradeInput,
  set: TakenSet,
  consistent: ReadonlySet<string>,
): Miss[] => {
  const unmarked = set.snapshots.filter(({ snapshotId }) => !consistent.has(snapshotId));
  if (unmarked.length === set.snapshots.length) {
    return [atMost('crash', error ? 'VSS did not take the set' : `no snapshot bears the tag ${VSS_TAGS.consistent}`)];
  }
  return [
    ...unmarked.map(({ snapshotId, volumeId }) =>
      atMost(
        'crash',
        `${snapshotId} of ${volumeId} (${volumes.find((each) => each.volumeId === volumeId)?.device}) lacks the tag ${VSS_TAGS.consistent}: VSS does not vouch for it`,
      ),
    ),
    ...(topology.apps.length === 0
      ? [atMost('filesystem', 'no application was found that VSS could have quieted')]
      : []),
    ...topology.apps
      .filter((app) => !app.ready)
      .map((app) => atMost('filesystem', `${appName(app)} was not quieted: ${app.problem}`)),
  ];
};

// ---------------------------------------------------------------------------- the freeze held while the set was taken

/**
 * The order of events proves it, not clocks of different machines: the workflow asks for the set when Freeze has answered,
 * and for the thaw when the set was answered.
 */
const missesOfHolding = (input: GradeInput, set: TakenSet): Miss[] => {
  const { run, mode, clock, frozen, thawed } = input;
  if (!frozen) return [atMost('crash', 'Freeze did not answer that the host was frozen')];
  if (!thawed) return [atMost('crash', 'Thaw did not answer, so nothing shows that the freeze held')];
  const { receipt } = thawed;
  if (!receipt) return [atMost('crash', 'the host has no receipt of this run: it never froze, or has rebooted since')];
  return found('crash', [
    [!set.whileFrozen, 'the set was not taken while the host was known to be frozen'],
    [frozen.receipt.run !== run || receipt.run !== run, 'the receipt is of another run'],
    [frozen.receipt.mode !== mode || receipt.mode !== mode, 'the receipt is of another mode'],
    [
      [frozen.receipt.bootId, receipt.bootId, thawed.bootId].some((bootId) => bootId !== clock.bootId),
      'the host has rebooted since it was inspected',
    ],
    [receipt.frozenAt === null || frozen.receipt.frozenAt === null, 'the host does not say when it was quiet'],
    [
      receipt.frozenAt !== frozen.receipt.frozenAt || receipt.armedAt !== frozen.receipt.armedAt,
      'Thaw released another freeze than the one that Freeze had reported',
    ],
    [receipt.thawedBy !== 'asked', thawedEarly(receipt)],
    [
      receipt.thawAskedAt === null || receipt.thawAskedAt < (receipt.frozenAt ?? Number.POSITIVE_INFINITY),
      'the host was asked to thaw before it was quiet',
    ],
  ]);
};

const thawedEarly = ({ thawedBy, leaseSeconds }: Receipt): string =>
  ({
    asked: '',
    rescue: 'the host was thawed without a set, by the run itself or by its rescue',
    hand: 'somebody thawed the host by hand',
    lease: `the host thawed by itself when the lease of ${leaseSeconds} s was over`,
    watchdog: "the host's watchdog thawed it, since the holder of the freeze had died or hung",
    error: 'the host gave the freeze up because of an error',
  })[thawedBy ?? 'error'];

// ------------------------------------------------------------------------------------------ what each mode has to show

const MISSES_OF_MODE: Record<Exclude<LinuxMode, 'crash'>, (input: GradeInput, receipt: Receipt) => Miss[]> = {
  'fs-freeze': ({ topology }, receipt) => {
    const filesystems = freezable(topology);
    if (filesystems.length === 0) return [atMost('crash', 'there is no file system that may be frozen')];
    return [
      ...filesystems.flatMap((fs) => {
        const frozen = receipt.filesystems.find(({ mount }) => mount === fs.mount);
        return found('crash', [
          [!frozen || frozen.frozenAt === null, `${fs.mount} was not frozen`],
          [
            frozen !== undefined && frozen.frozenAt !== null && frozen.foundFrozen !== true,
            `${fs.mount} was no longer frozen when it was thawed`,
          ],
        ]);
      }),
      ...missesOfWrites(receipt),
      ...missesOfApps(topology.apps, receipt, 'filesystem'),
    ];
  },

  'app-only': ({ topology }, receipt) => [
    // Without a frozen file system, a quiet application is all that there is.
    ...missesOfApps(topology.apps, receipt, 'crash'),
    ...topology.apps
      .filter((app) => !quietAloneSuffices(topology, app))
      .map((app) => atMost('crash', `${appName(app)} lies on an array whose file systems were not frozen`)),
  ],

  'lvm-snapshot': ({ topology }, receipt) => {
    const filesystems = freezable(topology);
    if (filesystems.length === 0) return [atMost('crash', 'there is no file system on an LV that can have a snapshot')];
    const isHeld = (lv: string) =>
      lv !== '' && receipt.lvmSnapshots.some((each) => each.origin === lv && isWhole(each));
    const lvs = lvsOf(filesystems);
    // Several LVs are several instants: only a lock that stops the writers across all of them makes them one.
    const withoutLock = lvs.length > 1 ? 'crash' : 'filesystem';
    return [
      ...filesystems
        .filter((fs) => !isHeld(fs.lv))
        .map((fs) => atMost('crash', `${fs.mount} has no whole LVM snapshot: none was taken, or it overflowed`)),
      ...receipt.lvmSnapshots
        .filter((each) => !isWhole(each))
        .map((each) =>
          atMost('crash', `the LVM snapshot ${each.snapshot} overflowed or was lost before the set was taken`),
        ),
      ...missesOfApps(topology.apps, receipt, withoutLock),
      ...topology.apps
        .filter((app) => !homesOf(topology, app).every((home) => home && isHeld(home.lv)))
        .map((app) => atMost(withoutLock, `${appName(app)} lies outside the LVM snapshots`)),
      ...topology.apps
        .filter((app) => lvs.length > 1 && !app.stopsWrites)
        .map((app) => atMost('crash', `no lock of ${appName(app)} spans ${lvs.join(' and ')}`)),
    ];
  },
};

type LvmSnapshot = Receipt['lvmSnapshots'][number];

const isWhole = ({ takenAt, valid }: LvmSnapshot): boolean => takenAt !== null && valid === true;

const missesOfWrites = ({ writes, arrays }: Receipt): Miss[] => {
  if (writes.length === 0)
    return [atMost('crash', 'the host counted no writes, so nothing shows that none came through')];
  // An array that did not settle to `clean` has written since, and its counter tells; by itself it only costs a resync.
  const unclean = arrays.filter(({ clean }) => !clean).map(({ name }) => name);
  const beside = unclean.length ? ` (not clean while frozen: ${unclean.join(', ')})` : '';
  return writes
    .filter(({ atFreeze, atThaw }) => atThaw !== atFreeze)
    .map(({ device, atFreeze, atThaw }) =>
      atMost(
        'crash',
        atThaw === null
          ? `the writes to ${device} were not counted at the thaw`
          : `${atThaw - atFreeze} sectors of ${device} were written while it was frozen${beside}`,
      ),
    );
};

// ------------------------------------------------------------------------------------------------- quiet applications

/** Every application that was found, ready or not, was held from before the host was called frozen until its release. */
const missesOfApps = (apps: GradeInput['topology']['apps'], receipt: Receipt, ceiling: GradeName): Miss[] => {
  if (apps.length === 0) return [atMost(ceiling, 'no application was found and quieted')];
  return apps.flatMap((app) => {
    const name = appName(app);
    const lock = receipt.apps.find(({ driver, dataDir }) => driver === app.driver && dataDir === app.dataDir);
    if (!lock || lock.lockedAt === null) {
      return [atMost(ceiling, `${name} was not quieted${app.problem ? `: ${app.problem}` : ''}`)];
    }
    const [first, last] = mustSpan(receipt);
    return found(ceiling, [
      [!app.provable, `${name} has no lock that could prove that it stayed quiet`],
      [lock.held !== true, `${name} had lost its lock when it was to be released`],
      [lock.lockedAt > first, `${name} was quieted too late`],
      [lock.releasedAt === null || lock.releasedAt < last, `${name} was released too early, or not at all`],
    ]);
  });
};

/** The instants that an application's lock has to span: all LVM snapshots, or from quiet until the thaw was asked for. */
const mustSpan = ({ mode, lvmSnapshots, frozenAt, thawAskedAt }: Receipt): [first: number, last: number] => {
  if (mode !== 'lvm-snapshot') return [frozenAt ?? Number.NEGATIVE_INFINITY, thawAskedAt ?? Number.POSITIVE_INFINITY];
  const taken = lvmSnapshots.map(({ takenAt }) => takenAt).filter((at) => at !== null);
  return [Math.min(...taken), Math.max(...taken)];
};

const atMost = (grade: GradeName, reason: string): Miss => ({ atMost: grade, reason });

const found = (ceiling: GradeName, checks: readonly (readonly [missed: boolean, reason: string])[]): Miss[] =>
  checks.filter(([missed]) => missed).map(([, reason]) => atMost(ceiling, reason));
