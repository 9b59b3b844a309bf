/** What must hold after a run, whatever went wrong with it. Looks at the world; of the product's code it uses names only. */
import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import { GRADES, type GradeName, SET_TAGS, STATES, UNPROVEN } from '../../lambdas/shared/names.ts';
import { type ModelAccount, POLICIES, type Server, type WindowsServer } from '../support/model-account.ts';
import type { Witnessed } from '../support/model-host.ts';
import type { Case } from './play.ts';
import { type AnyServer, isLinux } from './scenarios.ts';

/** The kinds of violations; every one must come out at zero. */
export const PROMISES = {
  frozen: 'hosts left frozen, locked or with stray LVM snapshots',
  late: 'hosts that thawed later than lease + 2 s',
  falseGrade: 'false grades',
  leaked: 'leaked snapshots',
  wrongError: 'wrong final errors',
  falseGreen: 'green runs that missed their grade',
  falseRecord: 'backups that an application recorded without a set',
} as const;
export type Promised = keyof typeof PROMISES;

export interface Verdict {
  /** What was broken, with what was seen. */
  readonly broken: readonly { readonly promise: Promised; readonly seen: string }[];
  /** EC2 made a set after the run had ended. */
  readonly madeLate: boolean;
  /** Who thawed the host: nobody had to when it was never frozen. */
  readonly thawedBy: 'workflow' | 'rescue' | 'host' | 'nobody';
  /** How long the host was kept quiet, in seconds of its clock; null without a receipt. */
  readonly quietSeconds: number | null;
}

/** A host thaws itself at the end of its lease; so long after it the last of it must be done. */
const MARGIN_SECONDS = 2;

export function judge(
  account: ModelAccount,
  server: AnyServer,
  run: Execution,
  { scenario, watchdogAsleep }: Case,
): Verdict {
  const broken: { promise: Promised; seen: string }[] = [];
  const note = (promise: Promised, seen: string) => broken.push({ promise, seen });
  const set = account.snapshotsOf(run.name);
  const all = account.snapshotsOn(server);

  // Nothing is held: no file system, no lock, no LVM snapshot.
  const held = heldBy(server);
  if (held) note('frozen', held);

  // Ring 3, where it is awake.
  const quiet = isLinux(server) ? howItWasThawed(server, run) : NOT_FROZEN;
  const leaseSeconds = isLinux(server) ? (server.host.receipt(run.name)?.leaseSeconds ?? 0) : 0;
  if (!watchdogAsleep && (quiet.quietSeconds ?? 0) > leaseSeconds + MARGIN_SECONDS) {
    note('late', `${quiet.quietSeconds} s`);
  }

  // No tag and no stored evidence says more than the host's state at the very moment of the set proves.
  for (const snapshot of set) {
    const claimed = snapshot.tags.get(SET_TAGS.grade) ?? 'none';
    const proven = provenBy(server, run, snapshot);
    if (claimed !== UNPROVEN && !isAtMost(claimed, proven)) note('falseGrade', `${snapshot.id} ${claimed} > ${proven}`);
  }
  // A set of the thawed host is none of the application's.
  if (isLinux(server) && isFalselyRecorded(server, run)) note('falseRecord', 'closed as successful');

  const evidence = account.evidenceOf(server, run.name);
  for (const { snapshotId } of evidence?.grade ? evidence.snapshots : []) {
    const snapshot = all.find(({ id }) => id === snapshotId);
    if (snapshot && !isAtMost(evidence?.grade as string, provenBy(server, run, snapshot))) {
      note('falseGrade', `the evidence says ${evidence?.grade}`);
    }
  }

  // What EC2 carries out after the run has ended, the run can't know of: it has to say `unproven`, for the prune.
  const late = set.filter(({ startedAt }) => startedAt > (run.stoppedAt ?? startedAt));
  if (late.some(({ tags }) => tags.get(SET_TAGS.grade) !== UNPROVEN)) note('leaked', 'a late set claims a grade');
  const inTime = set.filter((snapshot) => !late.includes(snapshot));
  for (const seen of leaks(run, inTime, all)) note('leaked', seen);

  const first = firstError(run);
  if (run.status === 'FAILED' && run.error !== first) note('wrongError', `${run.error}, the first was ${first}`);
  if (run.status === 'FAILED' && !run.cause) note('wrongError', `${run.error} without a cause`);
  if (run.status === 'TIMED_OUT') note('wrongError', 'the execution timed out');

  if (run.status === 'SUCCEEDED') {
    const wanted = POLICIES[scenario.policy].grade;
    const whole = server.volumes.every((id) => inTime.some(({ volumeId }) => volumeId === id));
    if (!whole || inTime.length !== server.volumes.length) note('falseGreen', `the set has ${inTime.length} snapshots`);
    for (const snapshot of inTime) {
      const grades = [snapshot.tags.get(SET_TAGS.grade) ?? 'none', provenBy(server, run, snapshot)];
      if (!grades.every((grade) => isAtMost(wanted, grade))) note('falseGreen', `${snapshot.id} ${grades.join(', ')}`);
    }
    if (!evidence) note('falseGreen', 'no evidence is stored');
  }
  return { broken, madeLate: late.length > 0, ...quiet };
}

/** A snapshot is leaked when nobody will ever know that it is there, or when the run says that it kept none. */
function leaks(run: Execution, set: readonly Snapshot[], all: readonly Snapshot[]): string[] {
  const found: string[] = [];
  for (const { id, tags } of all) {
    if (tags.get(SET_TAGS.run) !== run.name) found.push(`${id} does not bear the tag of its run`);
  }
  const isUnproven = ({ tags }: Snapshot) => tags.get(SET_TAGS.grade) === UNPROVEN;
  if (run.status === 'SUCCEEDED' && set.some(isUnproven)) found.push('an unproven set in a green run');

  const { verdict } = (run.history.findLast(({ type, state }) => type === 'StateExited' && state === STATES.grade)
    ?.output ?? {}) as { verdict?: { keep: boolean } };
  // To delete can fail for good, or be stopped: then the run is red, and what is left still says `unproven`.
  const couldNotDelete =
    run.status === 'ABORTED' ||
    run.history.some(({ type, state }) => type === 'StateFailed' && state === STATES.discard);
  if (verdict?.keep === false && set.length > 0 && !(couldNotDelete && set.every(isUnproven))) {
    found.push(`${set.length} snapshots of a run that kept none`);
  }
  return found;
}

/** The error of the first state that failed for good; a run that only missed its grade ends with that. */
function firstError({ history }: Execution): string | undefined {
  const failed = history.find(({ type, state }, index) => {
    if (type !== 'StateFailed') return false;
    const next = history.slice(index + 1).find((event) => event.state === state || event.type === 'ExecutionFailed');
    return next?.type !== 'StateRetried';
  });
  return failed?.state === 'Backup failed' ? 'GradeMissedError' : failed?.error;
}

/** EC2 takes one snapshot of a volume in this time, so a witness is of one set. */
const INTERVAL_MS = 15_000;

function heldBy(server: AnyServer): string | undefined {
  if (!isLinux(server)) return server.host.frozen ? 'Windows holds writes' : undefined;
  const { held, frozen } = server.host;
  const isAny = frozen || [held.filesystems, held.apps, held.lvmSnapshots].some(({ length }) => length > 0);
  return isAny ? JSON.stringify(held) : undefined;
}

const isFalselyRecorded = ({ host }: Server, run: Execution): boolean =>
  host.catalogue.some((each) => each.run === run.name && each.successful) &&
  !host.witnessed.some((each) => each.run === run.name);

const provenBy = (server: AnyServer, run: Execution, snapshot: Snapshot): GradeName | 'nothing' =>
  isLinux(server) ? provenOnLinux(server, run, snapshot) : provenOnWindows(server, snapshot);

/** Whether Windows held writes when the disks stood still, and all of VSS's marks say so: its database has a VSS writer. */
function provenOnWindows({ host, volumes }: WindowsServer, snapshot: Snapshot): GradeName | 'nothing' {
  const witness = host.witnessed.find(({ at }) => Math.abs(at - snapshot.startedAt) < INTERVAL_MS);
  if (!witness || witness.volumeIds.length !== volumes.length) return 'nothing';
  return witness.held && !host.trouble.unmarked ? 'application' : 'crash';
}

/** What the host was like when the disks stood still. */
function provenOnLinux({ host, volumes }: Server, run: Execution, snapshot: Snapshot): GradeName | 'nothing' {
  const witness = host.witnessed.find(({ at }) => at >= snapshot.startedAt && at - snapshot.startedAt < INTERVAL_MS);
  if (!witness || witness.volumeIds.length !== volumes.length) return 'nothing';
  if (witness.run !== run.name) return 'crash';
  return quietness(host, witness);
}

function quietness({ topology, trouble }: Server['host'], held: Witnessed): GradeName {
  const appsHeld =
    topology.apps.length > 0 &&
    topology.apps.every(({ driver }) => held.apps.includes(driver)) &&
    !trouble.lostLocks?.length;
  const freezable = topology.filesystems.filter((each) => each.freezable);
  switch (held.mode) {
    case 'fs-freeze': {
      const frozen = freezable.every(({ mount }) => held.filesystems.includes(mount));
      if (!frozen || trouble.meltedMounts?.length) return 'crash';
      return appsHeld ? 'application' : 'filesystem';
    }
    case 'lvm-snapshot': {
      const kept = freezable.every(({ lv }) => held.lvmSnapshots.includes(lv)) && !trouble.lvmOverflow;
      if (!kept) return 'crash';
      // The applications were held while these were taken, and are released by now.
      return topology.apps.length > 0 && !trouble.lostLocks?.length ? 'application' : 'filesystem';
    }
    case 'app-only':
      return appsHeld ? 'application' : 'crash';
    default:
      return 'crash';
  }
}

const isAtMost = (grade: string, limit: string): boolean =>
  GRADES.indexOf(grade as GradeName) <= GRADES.indexOf(limit as GradeName);

const NOT_FROZEN = { thawedBy: 'nobody', quietSeconds: null } as const;

function howItWasThawed({ host }: Server, run: Execution): Pick<Verdict, 'thawedBy' | 'quietSeconds'> {
  const receipt = host.receipt(run.name);
  if (!receipt || receipt.thawedAt === null) return NOT_FROZEN;
  const thawedBy = ({ asked: 'workflow', rescue: 'rescue' } as const)[receipt.thawedBy as string] ?? 'host';
  return { thawedBy, quietSeconds: receipt.thawedAt - receipt.armedAt };
}
