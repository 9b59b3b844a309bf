import { LOOKUP_MS } from '../shared/budget.ts';
import { hashOf } from '../shared/canonical.ts';
import type { Clock } from '../shared/clock.ts';
import type { GradeInput, TakenSet, Verdict } from '../shared/contracts.ts';
import { isConsistent, isWhole, requestsOf, type SeenSnapshot } from '../shared/found-set.ts';
import { DEVICES_TAGS, SET_TAGS, UNPROVEN } from '../shared/names.ts';

/** The catalogue of sets: the tags of their snapshots. */
export interface Catalogue {
  ofRun(run: string): Promise<SeenSnapshot[]>;
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
}

export interface FoundSet {
  set: TakenSet | undefined;
  /** Snapshots that VSS has vouched for. */
  consistent: ReadonlySet<string>;
  /** Snapshots of this run that are no part of the set: of a request whose answer was lost. */
  strays: string[];
}

const LOOK_EVERY_MS = 1_000;

/**
 * The set of a run, and what else bears the run's tag. A set whose answer was lost turns up here even when no state ever
 * heard of it: it can't be proven to have been taken while the host was frozen, but it is not leaked either.
 */
export const findSet = async (
  { run, mode, volumes, snapshots, error, unfrozenError }: GradeInput,
  { ofRun }: Pick<Catalogue, 'ofRun'>,
  clock: Clock,
): Promise<FoundSet> => {
  // One request and its answer: nothing else can bear the run's tag, and DescribeSnapshots is the whole account's.
  if (mode !== 'vss' && snapshots?.whileFrozen && !error && !unfrozenError) {
    return { set: snapshots, strays: [], consistent: new Set() };
  }
  let seen = await ofRun(run);
  // A request may have been carried out though its answer was lost, and EC2 shows new snapshots a second or two late.
  const mayTurnUp = !snapshots && (error ?? unfrozenError) !== undefined;
  for (const until = clock.now() + LOOKUP_MS; mayTurnUp && seen.length < volumes.length && clock.now() < until; ) {
    await clock.sleep(LOOK_EVERY_MS);
    seen = await ofRun(run);
  }
  const set = snapshots ?? adopted(seen, volumes);
  const members = new Set(set?.snapshots.map(({ snapshotId }) => snapshotId));
  return {
    set,
    consistent: new Set(mode === 'vss' ? seen.filter(isConsistent).map(({ snapshotId }) => snapshotId) : []),
    strays: seen.map(({ snapshotId }) => snapshotId).filter((id) => !members.has(id)),
  };
};

/** Of several requests' sets a whole one that VSS vouches for, else the first whole one. */
const adopted = (seen: readonly SeenSnapshot[], volumes: GradeInput['volumes']): TakenSet | undefined => {
  const requests = requestsOf(seen);
  const whole = requests.filter((members) => isWhole(members, volumes));
  const snapshots = whole.find((members) => members.every(isConsistent)) ?? whole[0] ?? requests[0];
  const startTime = snapshots?.[0]?.startTime;
  if (!snapshots || startTime === undefined) return undefined;
  return {
    startTime,
    snapshots: snapshots.map(({ snapshotId, volumeId }) => ({ snapshotId, volumeId })),
    requestedAt: Date.parse(startTime),
    answeredAt: Date.parse(startTime),
    whileFrozen: false,
  };
};

/** Writes the verdict on the set. The grade comes last: until the set is labelled as a whole, it says `unproven`. */
export const labelSet = async (
  { run, volumes, turn }: Pick<GradeInput, 'run' | 'volumes' | 'turn'>,
  { set, strays }: FoundSet,
  verdict: Verdict,
  evidence: unknown,
  { tag }: Pick<Catalogue, 'tag'>,
): Promise<void> => {
  // Out of the set, so that nobody restores from two of them at once.
  if (strays.length > 0) await tag(strays, { [SET_TAGS.set]: `${run}-stray`, [SET_TAGS.grade]: UNPROVEN });
  if (!set || set.snapshots.length === 0) return;

  // A call for each snapshot is more than a fleet can have: CreateTags refills at 10/s. The list has it all, in one call.
  for (const { snapshotId, volumeId } of turn ? [] : set.snapshots) {
    const device = volumes.find((volume) => volume.volumeId === volumeId)?.device;
    await tag([snapshotId], { [SET_TAGS.volume]: volumeId, ...(device ? { [SET_TAGS.device]: device } : {}) });
  }
  await tag(
    set.snapshots.map(({ snapshotId }) => snapshotId),
    {
      ...deviceTags(volumes),
      [SET_TAGS.grade]: verdict.grade ?? UNPROVEN,
      [SET_TAGS.receipt]: hashOf(evidence),
      ...(verdict.windowMs === null ? {} : { [SET_TAGS.windowMs]: String(verdict.windowMs) }),
    },
  );
};

const TAG_CHARACTERS = 256;

/** `/dev/xvda=vol-… /dev/sdf=vol-…` in as many tags as it takes: `…:devices`, `…:devices-2` and so on. */
const deviceTags = (volumes: GradeInput['volumes']): Record<string, string> => {
  const tags = [''];
  for (const { device, volumeId } of volumes) {
    const entry = `${device}=${volumeId}`;
    const longer = `${tags.at(-1)} ${entry}`.trim();
    if (longer.length <= TAG_CHARACTERS) tags[tags.length - 1] = longer;
    else tags.push(entry);
  }
  return Object.fromEntries(DEVICES_TAGS.slice(0, tags.length).map((key, index) => [key, tags[index] ?? '']));
};
