import { setTimeout as sleep } from 'node:timers/promises';
import { CreateSnapshotsCommand } from '@aws-sdk/client-ec2';
import * as z from 'zod/mini';
import { FreezeAnswer, InspectAnswer, type Receipt, ThawAnswer } from '../../lambdas/shared/contracts.ts';
import { DOCUMENTS, type GradeName, USER_TAGS } from '../../lambdas/shared/names.ts';
import { evidenceOf } from '../evidence.ts';
import { promiseOf } from '../promise.ts';
import { type Acknowledgement, longestGapMs } from '../workload.ts';
import { PRE_AND_POST, type Rig } from './rig.ts';

/** Where a stretch of the window went: the host's own work, waiting for AWS as injected, or what lies between. */
export type Where = 'host' | 'injected' | 'between';

export interface Stretch {
  readonly what: string;
  readonly where: Where;
  readonly ms: number;
}

/** A set, and what it was to take it. */
export interface Taken {
  /** Longest time between two acknowledged transactions from the first act to the last. */
  readonly gapMs: number;
  /** The same over some seconds before, with nothing going on. */
  readonly usualMs: number;
  readonly stretches: readonly Stretch[];
  readonly snapshotIds: readonly string[];
  /** Images of the array's disks. */
  readonly images: readonly string[];
  /** What the set says of itself; undefined where nobody grades. */
  readonly grade: GradeName | null | undefined;
  /** Transactions that it must hold, and at most can; of a lock that held the two are one. */
  readonly least: number;
  readonly most: number;
}

/** Ways to take a set, each with what it is called in the tables. */
export const WAYS = {
  'lvm-snapshot': 'Freezeframe, `lvm-snapshot`',
  'fs-freeze': 'Freezeframe, `fs-freeze`',
  document: "pre and post script in the manner of DLM's MySQL example",
  'one-by-one': 'freeze held, disks one by one',
  'no-freeze': 'atomic, no freeze (the floor)',
} as const;
export type Way = keyof typeof WAYS;

/** Milliseconds of load before each set: what the writer's longest pause is without one. */
const USUAL_MS = 10_000;
/** After a set, a writer that was let go has long been at work again. */
const STILL_MS = 5_000;

export async function take(rig: Rig, way: Way, usualMs = USUAL_MS): Promise<Taken> {
  await rig.interval();
  const before = await rig.source.now();
  await sleep(usualMs);
  const from = await rig.source.now();
  const set = await TAKERS[way](rig);
  rig.noteSet();
  await sleep(500);
  const acknowledged = await rig.source.acknowledgements();
  // One that writes no more has no pauses, either.
  const quietMs = (await rig.source.now()) - (acknowledged.at(-1)?.ms ?? 0);
  if (quietMs > STILL_MS) throw new Error(`the writer has stood still for ${quietMs} ms: is the disk full?`);
  return {
    gapMs: longestGapMs(acknowledged, from),
    usualMs: longestGapMs(acknowledged.filter(({ ms }) => ms >= before && ms < from)),
    stretches: set.stretches,
    snapshotIds: set.snapshotIds,
    images: set.snapshotIds.length === 0 ? [] : imagesOf(rig, set.snapshotIds),
    grade: set.grade,
    ...set.promised(acknowledged),
  };
}

interface Set {
  readonly stretches: readonly Stretch[];
  readonly snapshotIds: readonly string[];
  readonly grade?: GradeName | null;
  promised(acknowledged: readonly Acknowledgement[]): { least: number; most: number };
}

const TAKERS: Record<Way, (rig: Rig) => Promise<Set>> = {
  'lvm-snapshot': (rig) => byFreezeframe(rig, 'lvm-snapshot'),
  'fs-freeze': (rig) => byFreezeframe(rig, 'fs-freeze'),

  async document(rig) {
    const pre = await rig.send(
      PRE_AND_POST,
      { command: 'pre-script' },
      z.object({ stalledAt: z.number(), frozenAt: z.number() }),
    );
    const set = await createSnapshots(rig);
    const post = await rig.send(PRE_AND_POST, { command: 'post-script' }, z.object({ thawedAt: z.number() }));
    const clock = await rig.bootTime();
    const at = (seconds: number) => clock + seconds * 1000;
    return {
      snapshotIds: set.snapshotIds,
      stretches: held(rig, {
        stalled: at(pre.answer.stalledAt),
        ended: pre.invocation.endedAt ?? Number.NaN,
        answered: pre.answeredAt,
        requested: set.requestedAt,
        returned: set.answeredAt,
        thawSent: post.sentAt,
        thawStarted: post.invocation.startedAt ?? Number.NaN,
        released: at(post.answer.thawedAt),
        calls: 1,
      }),
      promised: between(set.requestedAt - clock, set.answeredAt - clock),
    };
  },

  async 'one-by-one'(rig) {
    const { answer: inspected } = await rig.send(DOCUMENTS.inspect, { Apps: 'auto' }, InspectAnswer);
    const uptime = (await rig.source.now()) / 1000;
    const run = `bench-${Date.now()}`;
    const frozen = await rig.send(
      DOCUMENTS.freeze,
      {
        Run: run,
        Mode: 'fs-freeze',
        Apps: 'mysql',
        Lease: '120',
        Within: '105',
        NotAfter: `${Math.floor(uptime) + 60}`,
        BootId: inspected.bootId,
        Topology: inspected.topologyHash,
      },
      FreezeAnswer,
    );
    const { data } = rig.source;
    const sets: Awaited<ReturnType<typeof createSnapshots>>[] = [];
    for (const volume of data)
      sets.push(
        await createSnapshots(
          rig,
          data.filter((other) => other !== volume),
        ),
      );
    const thawed = await rig.send(DOCUMENTS.thaw, { Run: run, Why: 'asked' }, ThawAnswer);
    const { receipt } = thawed.answer;
    if (!receipt) throw new Error('the freeze left no receipt');
    const clock = await rig.bootTime();
    const at = (seconds: number | null) => clock + (seconds ?? Number.NaN) * 1000;
    return {
      snapshotIds: sets.flatMap(({ snapshotIds }) => snapshotIds),
      stretches: held(rig, {
        stalled: at(receipt.stalledAt),
        ended: frozen.invocation.endedAt ?? Number.NaN,
        answered: frozen.answeredAt,
        requested: sets[0]?.requestedAt ?? Number.NaN,
        returned: sets.at(-1)?.answeredAt ?? Number.NaN,
        thawSent: thawed.sentAt,
        thawStarted: thawed.invocation.startedAt ?? Number.NaN,
        released: at(receipt.releasedAt),
        calls: sets.length,
      }),
      promised: (acknowledged) => promisedBy(receipt, acknowledged),
    };
  },

  async 'no-freeze'(rig) {
    const set = await createSnapshots(rig);
    const clock = await rig.bootTime();
    return {
      snapshotIds: set.snapshotIds,
      stretches: [],
      promised: between(set.requestedAt - clock, set.answeredAt - clock),
    };
  },
};

/** The workflow as it ships. */
async function byFreezeframe(rig: Rig, mode: 'lvm-snapshot' | 'fs-freeze'): Promise<Set> {
  const { account, source } = rig;
  account.world.ec2.instances.get(source.id)?.tags.set(USER_TAGS.mode, mode);
  const since = Date.now();
  const execution = await account.backup(source).ended;
  const evidence = evidenceOf(account, source, execution);
  const receipt = evidence?.receipt;
  if (execution.status !== 'SUCCEEDED' || !receipt)
    throw new Error(`the run ended ${execution.status}: ${execution.cause}`);
  const clock = await rig.bootTime();
  const at = (seconds: number | null | undefined) => clock + (seconds ?? Number.NaN) * 1000;
  const common = {
    snapshotIds: [...account.snapshotsOf(execution.name).values()].map(({ id }) => id),
    grade: evidence.grade,
    promised: (acknowledged: readonly Acknowledgement[]) => promisedBy(receipt, acknowledged),
  };
  if (mode === 'lvm-snapshot') return { ...common, stretches: ofLvmSnapshot(receipt) };
  const thaw = rig.invocationOf(DOCUMENTS.thaw, since);
  return {
    ...common,
    stretches: held(rig, {
      stalled: at(receipt.stalledAt),
      ended: rig.invocationOf(DOCUMENTS.freeze, since).endedAt ?? Number.NaN,
      answered: evidence.times.freezeAnswered,
      requested: evidence.times.snapshotsRequested,
      returned: evidence.times.snapshotsAnswered,
      thawSent: thaw.sentAt,
      thawStarted: thaw.startedAt ?? Number.NaN,
      released: at(receipt.releasedAt),
      calls: 1,
    }),
  };
}

/** Moments of a freeze that is held across CreateSnapshots, milliseconds since 1970. */
interface Moments {
  stalled: number;
  ended: number;
  answered: number;
  requested: number;
  returned: number;
  thawSent: number;
  thawStarted: number;
  released: number;
  /** Calls of CreateSnapshots, one after another. */
  calls: number;
}

function held({ injected: { hopMs, createSnapshotsMs } }: Rig, moments: Moments): Stretch[] {
  const { stalled, ended, answered, requested, returned, thawSent, thawStarted, released, calls } = moments;
  const stretch = (what: string, where: Where, ms: number) => ({ what, where, ms: Math.round(ms) });
  return [
    stretch('the host freezes and answers', 'host', ended - stalled),
    stretch('the answer comes back', 'injected', hopMs),
    stretch('until it is looked for', 'between', answered - ended - hopMs),
    stretch('functions and states', 'between', requested - answered),
    stretch('CreateSnapshots', 'injected', calls * createSnapshotsMs),
    stretch('CreateSnapshots, longer than that', 'between', returned - requested - calls * createSnapshotsMs),
    stretch('functions and states', 'between', thawSent - returned),
    stretch('the thaw goes out', 'injected', hopMs),
    stretch('until the agent starts it', 'between', thawStarted - thawSent - hopMs),
    stretch('the host thaws', 'host', released - thawStarted),
  ];
}

export const LVCREATE_STRETCH = 'lvcreate';

function ofLvmSnapshot({ stalledAt, releasedAt, apps: [app], lvmSnapshots: [snapshot] }: Receipt): Stretch[] {
  const ms = (from: number | null | undefined, to: number | null | undefined) =>
    Math.round(((to ?? Number.NaN) - (from ?? Number.NaN)) * 1000);
  return [
    { what: 'the database is locked', where: 'host', ms: ms(stalledAt, app?.lockedAt) },
    { what: LVCREATE_STRETCH, where: 'host', ms: ms(app?.lockedAt, snapshot?.takenAt) },
    { what: 'the database is released', where: 'host', ms: ms(snapshot?.takenAt, releasedAt) },
  ];
}

/** One CreateSnapshots call over the instance's volumes, or over those that are not left out. */
async function createSnapshots(rig: Rig, without?: readonly string[]) {
  const requestedAt = Date.now();
  const { Snapshots = [] } = await rig.account.ec2.send(
    new CreateSnapshotsCommand({
      InstanceSpecification: {
        InstanceId: rig.source.id,
        ...(without && { ExcludeBootVolume: true, ExcludeDataVolumeIds: [...without] }),
      },
    }),
  );
  return { requestedAt, answeredAt: Date.now(), snapshotIds: Snapshots.map(({ SnapshotId = '' }) => SnapshotId) };
}

/** What was acknowledged before the call was sent must be there; what was not before it had answered can't be. */
const between =
  (fromMs: number, toMs: number) =>
  (acknowledged: readonly Acknowledgement[]): { least: number; most: number } => {
    const lastAt = (at: number) => acknowledged.findLast(({ ms }) => ms <= at)?.id ?? 0;
    return { least: lastAt(fromMs), most: lastAt(toMs) + 1 };
  };

function promisedBy(receipt: Receipt, acknowledged: readonly Acknowledgement[]): { least: number; most: number } {
  const promised = promiseOf(receipt, 'mariadb', acknowledged);
  if (!promised) throw new Error('the database was not quieted');
  return promised;
}

function imagesOf({ account, source }: Rig, snapshotIds: readonly string[]): string[] {
  const snapshots = snapshotIds.map((id) => account.world.ec2.snapshots.find(id));
  return source.data.map((volumeId) => {
    const found = snapshots.find((snapshot) => snapshot.volumeId === volumeId);
    if (!found) throw new Error(`the set has no snapshot of ${volumeId}`);
    return found.image;
  });
}
