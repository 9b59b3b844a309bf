/** The timeline of one run, as its evidence tells it. Drawn in timeline-text.ts, timeline-svg.ts and timeline-html.ts. */
import type { Evidence } from './evidence.ts';

export type Kind = 'app' | 'filesystem' | 'lvm' | 'ec2' | 'way';

/** From one moment to another, in milliseconds since the first application stalled. */
export interface Lane {
  kind: Kind;
  label: string;
  from: number;
  to: number;
  /** For people, of this lane alone: a log position, a flaw. */
  note: string;
}

export interface Timeline {
  /** In the order that things are held still, and let go of in reverse. */
  lanes: Lane[];
  /** First application stalled to last thing released; null where nothing was frozen. */
  window: { from: number; to: number } | null;
  /** When the host would have thawed by itself. */
  leaseEnds: number | null;
  moments: { label: string; at: number }[];
  from: number;
  to: number;
  /** Milliseconds since 1970 at 0, by the clock of AWS. */
  zeroAt: number;
  /** What happened at AWS may lie so much earlier or later against the host: they have a clock each. Null without a freeze. */
  slackMs: number | null;
}

export const timelineOf = (evidence: Evidence): Timeline | undefined => {
  const { receipt, times } = evidence;
  if (receipt?.armedAt === undefined) return callAlone(evidence);
  const zero = receipt.stalledAt ?? receipt.armedAt;
  const { offsetMs, slackMs } = clocksOf(evidence);
  const host = (at: number | null) => (at === null ? null : Math.round((at - zero) * 1_000));
  const aws = (at: number | null) => (at === null ? null : Math.round(at - offsetMs - zero * 1_000));

  const lanes: Lane[] = [];
  const lane = (kind: Kind, label: string, from: number | null, to: number | null, note = '') => {
    if (from !== null && to !== null && to >= from) lanes.push({ kind, label, from, to, note });
  };
  for (const { name, lockedAt, releasedAt, held, position } of receipt.apps) {
    const lost = held === false ? 'its lock was lost' : '';
    lane('app', `${name} held`, host(lockedAt), host(releasedAt), [lost, position].filter(Boolean).join('; '));
  }
  for (const { mount, frozenAt, thawedAt, foundFrozen } of receipt.filesystems) {
    lane(
      'filesystem',
      `${mount} frozen`,
      host(frozenAt),
      host(thawedAt),
      foundFrozen === false ? 'was not frozen any more when thawed' : '',
    );
  }
  for (const { origin, takenAt, valid, usedPercent } of receipt.lvmSnapshots) {
    const used = usedPercent === null ? '' : `${usedPercent} % used`;
    lane(
      'lvm',
      `LVM snapshot of ${origin}`,
      host(takenAt),
      host(receipt.thawedAt),
      valid === false ? `overflowed; ${used}` : used,
    );
  }
  lane('way', 'Freeze’s answer on its way', host(receipt.frozenAt), aws(times.freezeAnswered));
  lane('ec2', 'CreateSnapshots', aws(times.snapshotsRequested), aws(times.snapshotsAnswered));
  lane('way', 'Thaw’s order on its way', aws(times.thawSent), host(receipt.thawAskedAt));

  const moments = [
    ['watchdog armed', receipt.armedAt],
    ['first application stalled', receipt.stalledAt],
    ['all frozen', receipt.frozenAt],
    ['thaw asked for', receipt.thawAskedAt],
    ['thawed', receipt.thawedAt],
    ['last one released', receipt.releasedAt],
  ].flatMap(([label, at]) => (typeof at === 'number' ? [{ label: label as string, at: host(at) as number }] : []));
  const ends = [...lanes.flatMap(({ from, to }) => [from, to]), ...moments.map(({ at }) => at)];
  const released = host(receipt.releasedAt ?? receipt.thawedAt);
  return {
    lanes,
    window: receipt.stalledAt === null || released === null ? null : { from: 0, to: released },
    leaseEnds: host(receipt.armedAt + receipt.leaseSeconds),
    moments,
    from: Math.min(0, ...ends),
    to: Math.max(1, ...ends),
    zeroAt: zero * 1_000 + offsetMs,
    slackMs,
  };
};

/** A run that froze nothing: all there is to see is the one call. */
const callAlone = ({ times: { snapshotsRequested: from, snapshotsAnswered: to } }: Evidence): Timeline | undefined =>
  from === null || to === null
    ? undefined
    : {
        lanes: [{ kind: 'ec2', label: 'CreateSnapshots', from: 0, to: to - from, note: '' }],
        window: null,
        leaseEnds: null,
        moments: [],
        from: 0,
        to: Math.max(1, to - from),
        zeroAt: from,
        slackMs: null,
      };

/**
 * AWS's clock minus the host's boot clock. The host's wall clock gives it, as far as that is right; causality bounds it:
 * nothing on the host came before its command was sent, and no answer before what it tells of.
 */
const clocksOf = ({ receipt, times }: Evidence): { offsetMs: number; slackMs: number | null } => {
  if (!receipt) return { offsetMs: 0, slackMs: null };
  const { armedAt, frozenAt, thawAskedAt, frozenClock } = receipt;
  const least = Math.max(
    times.freezeSent === null ? Number.NEGATIVE_INFINITY : times.freezeSent - armedAt * 1_000,
    times.thawSent === null || thawAskedAt === null ? Number.NEGATIVE_INFINITY : times.thawSent - thawAskedAt * 1_000,
  );
  const most =
    times.freezeAnswered === null || frozenAt === null
      ? Number.POSITIVE_INFINITY
      : times.freezeAnswered - frozenAt * 1_000;
  const bounded = Number.isFinite(least) && Number.isFinite(most) && least <= most;
  const told = frozenClock === null || frozenAt === null ? undefined : (frozenClock - frozenAt) * 1_000;
  const guess = told ?? (bounded ? (least + most) / 2 : Number.isFinite(least) ? least : most);
  if (!Number.isFinite(guess)) return { offsetMs: times.inspected - armedAt * 1_000, slackMs: null };
  // Receipts count in hundredths of a second: a moment of rounding is no contradiction.
  return {
    offsetMs: bounded ? Math.min(most, Math.max(least, guess)) : guess,
    slackMs: bounded ? (most - least) / 2 : null,
  };
};

/** Round steps of an axis: 1, 2 or 5 of some power of ten, whole milliseconds, at most `most` of them. */
export const ticksOf = ({ from, to }: Pick<Timeline, 'from' | 'to'>, most: number): number[] => {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= Math.max(1, rough)) ?? 1;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, index) => first + index * step);
};

/** `0.5 s`, with as many digits as tell two ticks apart. */
export const tickLabel = (at: number, step: number): string =>
  `${(at / 1_000).toFixed(step >= 1_000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3)} s`;
