import { writeFileSync } from 'node:fs';
import { hashOf } from '../lambdas/shared/canonical.ts';
import { InstanceId } from '../lambdas/shared/contracts.ts';
import { type FoundSnapshot, snapshotsOfInstance, snapshotsOfRun } from '../lambdas/shared/ec2.ts';
import { NoSuchSetError } from '../lambdas/shared/errors.ts';
import { BACKUP, SET_TAGS } from '../lambdas/shared/names.ts';
import { getJson } from '../lambdas/shared/s3.ts';
import { catalogueOf, type ListedSet } from './catalogue.ts';
import type { Command } from './command.ts';
import { bucketIn } from './deployment.ts';
import type { Desk } from './desk.ts';
import { Evidence } from './evidence.ts';
import { EXIT } from './failures.ts';
import { gradePainted } from './list.ts';
import { table } from './table.ts';
import { type Paint, paintFor } from './terminal.ts';
import { timelineOf } from './timeline.ts';
import { drawHtml } from './timeline-html.ts';
import { drawSvg } from './timeline-svg.ts';
import { drawText } from './timeline-text.ts';
import { count, duration, moment, seconds } from './words.ts';

export const show: Command = {
  name: 'show',
  summary: 'show one set: its grade and why, its receipt, the timeline of its run',
  about: [
    'Reads the tags of the set and the evidence that the run has stored, and compares the evidence with the fingerprint in the tags: evidence that somebody has changed is named as such and ends with 1. The bars begin when the first application stalled; what is dotted is on its way between AWS and the host.',
    'A run whose set was discarded is shown too, as long as its evidence is there.',
  ],
  arguments: [{ name: 'set' }],
  options: {
    svg: { type: 'string', value: 'FILE', help: 'draw the timeline into this file; - is stdout' },
    html: { type: 'string', value: 'FILE', help: 'write a page with all of it into this file; - is stdout' },
  },
  examples: [
    ['freezeframe show i-0123456789abcdef0', 'The newest set of this instance.'],
    ['freezeframe show i-0123456789abcdef0-2026-11-24T030000Z --html run.html', 'A page of one run, to be handed on.'],
  ],
  run: async ({ arguments: [wanted = ''], options, desk, terminal }) => {
    const { id, instance, set, members } = await find(wanted, desk);
    const { evidence, fault } = await readEvidence(id, instance, members, desk);
    if (!set && !evidence) {
      throw new NoSuchSetError(
        `there is no set and no run ${id} in this account and Region; freezeframe list shows those that are there`,
      );
    }
    const timeline = evidence && timelineOf(evidence);
    const exit = fault ? EXIT.bad : EXIT.done;

    const drawings = [
      ['svg', () => (evidence && timeline ? drawSvg(evidence, timeline) : undefined)],
      ['html', () => evidence && drawHtml(evidence, timeline)],
    ] as const;
    const written: string[] = [];
    for (const [option, draw] of drawings) {
      const file = options.text(option);
      if (file === undefined) continue;
      const drawing = draw();
      if (drawing === undefined)
        throw new NoSuchSetError(
          `${id} has no timeline to draw: ${fault ?? 'nothing was frozen, and no set was taken'}`,
        );
      if (file === '-') return { json: { [option]: drawing }, text: drawing, exit };
      writeFileSync(file, drawing);
      written.push(file);
    }
    const paint = paintFor(terminal.out);
    return {
      json: {
        set: set ? { ...set, startedAt: new Date(set.startedAt).toISOString() } : null,
        evidence: evidence ?? null,
        fault: fault ?? null,
        timeline: timeline ?? null,
        written,
      },
      text: [
        ...headLines(id, set, evidence, desk.clock.now(), paint),
        ...(fault ? ['', `${paint.bad('✘')} ${fault}`] : []),
        ...(evidence?.reasons.length
          ? ['', paint.bold('What kept the grade down'), ...evidence.reasons.map((reason) => `  ${reason}`)]
          : []),
        ...(evidence?.error
          ? ['', paint.bold('How the run ended'), `  ${paint.bad(evidence.error.Error)}: ${evidence.error.Cause ?? ''}`]
          : []),
        ...(timeline
          ? ['', paint.bold(timeline.window ? 'The frozen window' : 'The one call'), drawText(timeline, paint)]
          : []),
        ...(evidence ? receiptLines(evidence, paint) : []),
        ...(set ? ['', ...memberLines(members, evidence, paint)] : []),
        ...written.map((file) => `\nwritten: ${file}`),
      ].join('\n'),
      exit,
    };
  },
};

interface Found {
  id: string;
  instance: string;
  set: ListedSet | undefined;
  members: FoundSnapshot[];
}

/** By its id, or the newest of an instance. */
const find = async (wanted: string, desk: Desk): Promise<Found> => {
  const byInstance = InstanceId.safeParse(wanted).success;
  const snapshots = byInstance ? await snapshotsOfInstance(desk.ec2)(wanted) : await snapshotsOfRun(desk.ec2)(wanted);
  const { sets } = catalogueOf(
    snapshots.filter(({ tags }) => tags[SET_TAGS.set] === tags[SET_TAGS.run]),
    desk.clock.now(),
  );
  const [set] = sets;
  if (byInstance && !set) {
    throw new NoSuchSetError(
      `${wanted} has no set in this account and Region; start one: freezeframe backup ${wanted}`,
    );
  }
  const id = set?.set ?? wanted;
  return {
    id,
    // A run whose set is gone still has its instance in its name.
    instance: set?.instance ?? /^(i-[0-9a-f]+)-/.exec(id)?.[1] ?? '',
    set,
    members: snapshots.filter(({ snapshotId }) => set?.snapshotIds.includes(snapshotId)),
  };
};

const readEvidence = async (
  id: string,
  instance: string,
  members: readonly FoundSnapshot[],
  desk: Desk,
): Promise<{ evidence?: Evidence; fault?: string }> => {
  const bucket = bucketIn(await desk.definition(BACKUP));
  const key = `sets/${instance}/${id}.json`;
  const stored = await getJson(desk.s3)(bucket, key);
  if (!stored) return members.length > 0 ? { fault: `its evidence is not there: s3://${bucket}/${key}` } : {};
  const parsed = Evidence.safeParse(stored.json);
  if (!parsed.success) return { fault: `its evidence is of another version of Freezeframe: s3://${bucket}/${key}` };
  const fingerprint = members[0]?.tags[SET_TAGS.receipt];
  if (fingerprint !== undefined && fingerprint !== hashOf(stored.json)) {
    return {
      evidence: parsed.data,
      fault: `its evidence is not the one that it was graded by: the tag ${SET_TAGS.receipt} says ${fingerprint.slice(0, 12)}…, s3://${bucket}/${key} is ${hashOf(stored.json).slice(0, 12)}…; look at the versions of the object`,
    };
  }
  return { evidence: parsed.data };
};

const headLines = (
  id: string,
  set: ListedSet | undefined,
  evidence: Evidence | undefined,
  now: number,
  paint: Paint,
): string[] => {
  const facts: [string, string][] = [
    ['instance', set?.instance ?? evidence?.instance ?? ''],
    ...(set
      ? ([
          ['taken', `${moment(set.startedAt)} UTC, ${duration(now - set.startedAt)} ago`],
          [
            'set',
            `${set.state === 'whole' ? paint.good(set.state) : paint.warn(set.state)}, ${count(set.snapshotIds.length, 'snapshot')} of ${set.sizeGiB} GiB of volumes${set.holds.length > 0 ? `; ${set.holds.join('; ')}` : ''}`,
          ],
        ] as [string, string][])
      : ([['set', paint.warn('discarded or gone: there are no snapshots')]] as [string, string][])),
    [
      'grade',
      `${gradePainted(set?.grade ?? evidence?.grade ?? 'none', paint)}${evidence ? paint.dim(`, policy ${evidence.policy.name} asks for ${evidence.policy.grade}`) : ''}`,
    ],
    ...(set?.drilled ? ([['drilled', drillText(set.drilled, paint)]] as [string, string][]) : []),
    ...(evidence ? ([['mode', `${evidence.mode}: ${evidence.why}`]] as [string, string][]) : []),
    ...(evidence?.windowMs != null ? ([['frozen', seconds(evidence.windowMs)]] as [string, string][]) : []),
  ];
  return [paint.bold(id), ...facts.map(([name, value]) => `  ${paint.dim(name.padEnd(9))} ${value}`)];
};

const drillText = (stamp: string, paint: Paint): string => {
  const at = stamp.replace(/^failed /, '');
  const when = Number.isNaN(Date.parse(at)) ? at : `${moment(Date.parse(at))} UTC`;
  return stamp === at ? paint.good(`found good ${when}`) : paint.bad(`found wanting ${when}`);
};

const receiptLines = ({ receipt }: Evidence, paint: Paint): string[] => {
  if (!receipt) return [];
  const writes = receipt.writes.map(
    ({ device, atFreeze, atThaw }) => [device, atThaw === null ? null : atThaw - atFreeze] as const,
  );
  return [
    '',
    paint.bold('The receipt'),
    `  thawed by: ${receipt.thawedBy === 'asked' ? paint.good('asked') : paint.warn(receipt.thawedBy ?? 'not known')}; lease ${receipt.leaseSeconds} s`,
    ...receipt.apps.map(
      ({ name, held, position }) =>
        `  ${name}: lock ${held ? paint.good('held to the end') : paint.bad('not held to the end')}${position ? `; at ${position}` : ''}`,
    ),
    ...receipt.filesystems.map(
      ({ mount, foundFrozen }) =>
        `  ${mount}: ${foundFrozen ? paint.good('found frozen when thawed') : paint.bad('not found frozen when thawed')}`,
    ),
    ...receipt.lvmSnapshots.map(
      ({ origin, valid, usedPercent }) =>
        `  LVM snapshot of ${origin}: ${valid ? paint.good('whole') : paint.bad('overflowed or not known')}${usedPercent === null ? '' : `, ${usedPercent} % used`}`,
    ),
    ...(writes.length > 0
      ? [`  writes while frozen: ${writes.map(([device, number]) => `${device} ${number ?? 'not known'}`).join(', ')}`]
      : []),
    ...receipt.notes.map((note) => `  ${paint.dim(note)}`),
  ];
};

const memberLines = (members: readonly FoundSnapshot[], evidence: Evidence | undefined, paint: Paint): string[] => {
  const device = new Map(evidence?.volumes.map((volume) => [volume.volumeId, volume.device]));
  const rows = members
    .map(({ snapshotId, volumeId, tags, sizeGiB, state, percent }) => {
      const volume = tags[SET_TAGS.volume] ?? volumeId;
      return [
        snapshotId,
        volume,
        device.get(volume) ?? tags[SET_TAGS.device] ?? '',
        `${sizeGiB} GiB`,
        state === 'completed' ? state : `${state} ${percent} %`,
      ];
    })
    .sort((a, b) => (a[2] ?? '').localeCompare(b[2] ?? ''));
  return table([['SNAPSHOT', 'VOLUME', 'DEVICE', 'SIZE', 'STATE'].map((cell) => paint.dim(cell)), ...rows], {
    right: [3],
  }).split('\n');
};
