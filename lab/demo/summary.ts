import { styleText } from 'node:util';
import type { Receipt } from '../../lambdas/shared/contracts.ts';
import type { Verdict } from '../workload.ts';
import type { Span, Window } from './window.ts';

/** What the demo saw; `--json` prints it as it is. */
export interface Outcome {
  mode: string;
  why: string;
  execution: { name: string; status: string; error: string | undefined; cause: string | undefined };
  grade: string | null;
  reasons: string[];
  tags: Record<string, string>;
  receipt: Receipt | null;
  window: Window;
  /** The set, restored. */
  restored: Verdict | undefined;
  /** The disks that were snapshotted one after another, restored. */
  torn: Verdict;
  faults: string[];
  /** Everything that a backup must be was seen. */
  proven: boolean;
}

export function summary(outcome: Outcome): string {
  const { mode, why, execution, grade, reasons, window, restored, torn, faults, proven } = outcome;
  return [
    '',
    heading('The run'),
    `  ${execution.name}  ${execution.status === 'SUCCEEDED' ? good(execution.status) : bad(execution.status)}`,
    `  mode ${mode}: ${why}`,
    `  grade ${grade === 'application' ? good(grade) : bad(grade ?? 'none')}${reasons.map((reason) => `\n  - ${reason}`).join('')}`,
    '',
    heading('The frozen window'),
    ...timeline(window.spans),
    `  longest pause between two transactions: ${window.longestPauseMs} ms (without a backup: ${window.usualPauseMs} ms)`,
    '',
    ...receiptLines(outcome.receipt),
    heading('Restored on another machine'),
    ...comparison(restored, torn, window.lastAcknowledged),
    '',
    proven
      ? good('  The set is what its grade says: the database came back with its last acknowledged transaction.')
      : bad(`  NOT PROVEN: ${faults.join('; ')}`),
    torn.problems.length > 0
      ? `  The disks one after another are torn: ${torn.problems.map(firstLine).join('; ')}`
      : '  The disks one after another were lucky this time; nothing tells beforehand.',
    '',
  ].join('\n');
}

const WIDTH = 56;

/** One bar a span, over the time from the first to the last of them. */
export function timeline(spans: readonly Span[]): string[] {
  const from = Math.min(...spans.map((span) => span.from));
  const scale = WIDTH / Math.max(1, Math.max(...spans.map((span) => span.to)) - from);
  return spans.map((span) => {
    const indent = Math.min(WIDTH - 1, Math.floor((span.from - from) * scale));
    const length = Math.max(1, Math.min(WIDTH - indent, Math.round((span.to - span.from) * scale)));
    const bar = `${' '.repeat(indent)}${'█'.repeat(length)}`.padEnd(WIDTH);
    return `  ${span.label.padEnd(28)}${styleText('cyan', bar)}${String(Math.round(span.to - span.from)).padStart(7)} ms`;
  });
}

function receiptLines(receipt: Receipt | null): string[] {
  if (!receipt) return [];
  const seconds = (at: number | null) => (at === null ? '–' : `${at.toFixed(2)} s`);
  return [
    heading('The receipt (times on the boot clock of the host)'),
    `  armed ${seconds(receipt.armedAt)} · stalled ${seconds(receipt.stalledAt)} · frozen ${seconds(receipt.frozenAt)} · thaw asked ${seconds(receipt.thawAskedAt)} · released ${seconds(receipt.releasedAt)}`,
    `  thawed by: ${receipt.thawedBy}`,
    ...receipt.apps.map(
      ({ name, held, position }) => `  ${name}: the lock ${held ? 'held' : 'was LOST'}; at ${position}`,
    ),
    ...receipt.filesystems.map(
      ({ mount, foundFrozen }) => `  ${mount}: ${foundFrozen ? 'still frozen' : 'NOT frozen any more'} when thawed`,
    ),
    ...receipt.lvmSnapshots.map(
      ({ snapshot, valid, usedPercent }) => `  ${snapshot}: ${valid ? 'whole' : 'OVERFLOWED'}, ${usedPercent} % used`,
    ),
    ...(receipt.writes.length > 0
      ? [
          `  sectors written to ${receipt.writes.map(({ device }) => device).join(', ')} while frozen: ${receipt.writes.reduce((sum, { atFreeze, atThaw }) => sum + ((atThaw ?? Number.NaN) - atFreeze), 0)}`,
        ]
      : []),
    '',
  ];
}

function comparison(ours: Verdict | undefined, torn: Verdict, lastAcknowledged: number | null): string[] {
  const last = ours?.databases.mariadb?.maxId;
  const row = (title: string, tell: (verdict: Verdict) => [boolean | null, string]) => {
    const cell = (verdict: Verdict | undefined) => {
      const [fine, text] = verdict ? tell(verdict) : [false, 'no whole set'];
      if (fine === null) return `– ${text}`.padEnd(26);
      return (fine ? good : bad)(`${fine ? '✔' : '✘'} ${text}`.padEnd(26));
    };
    return `  ${title.padEnd(34)}${cell(ours)}${cell(torn)}`;
  };
  return [
    `  ${''.padEnd(34)}${'Freezeframe'.padEnd(26)}one after another`,
    row('array assembled', (v) => [v.assembled, '']),
    row('file system mounted', (v) => [v.mounted, '']),
    row('file system checked', (v) => [known(v.fsck, 'clean'), v.fsck ?? 'not reached']),
    row('database started', ({ databases: { mariadb } }) => [mariadb?.started ?? false, '']),
    row('CHECK TABLE', ({ databases: { mariadb } }) => [
      known(mariadb?.checked, 'OK'),
      mariadb?.checked ?? 'not reached',
    ]),
    row('transactions without a gap', ({ databases: { mariadb } }) => [
      mariadb?.contiguous ?? null,
      mariadb?.maxId == null ? 'not reached' : `to ${mariadb.maxId}`,
    ]),
    row('balances add up to 1,000,000', ({ databases: { mariadb } }) => [
      known(mariadb?.balance, 1_000_000),
      `${mariadb?.balance ?? 'not reached'}`,
    ]),
    row('files with the right content', (v) =>
      v.files ? [v.files.wrong === 0, `${v.files.ok} of ${v.files.ok + v.files.wrong}`] : [null, 'not reached'],
    ),
    `  ${'last one acknowledged = restored'.padEnd(34)}${
      lastAcknowledged === null
        ? '– not promised'
        : (last === lastAcknowledged ? good : bad)(
            `${last === lastAcknowledged ? '✔' : '✘'} ${lastAcknowledged} = ${last ?? '?'}`,
          )
    }`,
  ];
}

const known = <T>(value: T | null | undefined, wanted: T): boolean | null => (value == null ? null : value === wanted);
const firstLine = (text: string): string => text.split('\n')[0] ?? '';
const heading = (text: string): string => styleText('bold', text);
const good = (text: string): string => styleText('green', text);
const bad = (text: string): string => styleText('red', text);
