import { RESTORE_ACT_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { TooManyFilesystemsError } from '../shared/errors.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { type Restore, RestoreAnswer, type RestoreHostInput } from '../shared/restore-contracts.ts';
import { type CommandChannel, runCommand } from '../shared/run-command.ts';

export interface Volumes {
  ofRestore(restore: string): Promise<{ volumeId: string; attachment: { device: string } | undefined }[]>;
}

export type HostReport = Pick<RestoreAnswer, 'mounts' | 'arrays' | 'groups' | 'done'>;

/** Most characters of the plan: document and parameters together have 64 KB. */
const MOST_PLAN = 12_000;

/** Each act of the document, and whose volumes it is about: those that the restore made, or those that they replace. */
const ACTS = {
  prepare: { act: 'prepare', whose: 'copies' },
  mount: { act: 'mount', whose: 'copies' },
  release: { act: 'release', whose: 'copies' },
  settle: { act: 'occupy', whose: 'copies' },
  vacate: { act: 'vacate', whose: 'originals' },
  occupy: { act: 'occupy', whose: 'copies' },
  vacateCopies: { act: 'vacate', whose: 'copies' },
  occupyOriginals: { act: 'occupy', whose: 'originals' },
} as const satisfies Record<RestoreHostInput['act'], object>;

/** Has the host do one act of a restore. Each may be repeated. */
export const restoreHost = async (
  { act: asked, restore }: RestoreHostInput,
  ec2: Volumes,
  host: CommandChannel,
  clock: Clock,
): Promise<HostReport> => {
  const { act, whose } = ACTS[asked];
  const volumes =
    whose === 'originals'
      ? (restore.originals ?? []).map(({ volumeId }) => volumeId)
      : // By tag: a release has to know the volumes of a step that never answered.
        (await ec2.ofRestore(restore.restore))
          // What a launched instance has booted from is no matter of this document.
          .filter(({ attachment }) => !attachment || attachment.device !== restore.launch?.rootDevice)
          .map(({ volumeId }) => volumeId);
  if (volumes.length === 0) return { mounts: [], arrays: [], groups: [], done: [] };
  const { answer } = await runCommand(
    host,
    clock,
    {
      document: DOCUMENTS.restore,
      pinned: restore.document,
      instanceId: restore.instanceId,
      parameters: {
        Restore: restore.restore,
        Act: act,
        Access: restore.access,
        Under: restore.under,
        // The host has noted itself how the originals were.
        Plan: planFor(whose === 'originals' ? { ...restore, merges: [], mounts: [] } : restore, volumes),
      },
      comment: `Freezeframe restore ${restore.restore}`,
    },
    RestoreAnswer,
    RESTORE_ACT_MS[act],
  );
  const { mounts, arrays, groups, done } = answer;
  return { mounts, arrays, groups, done };
};

/** The plan as the document reads it: one thing a line, words without blanks, in base64. */
export const planFor = ({ restore, merges, mounts }: Restore, volumes: readonly string[]): string => {
  const lines = [
    ...volumes.map((volumeId) => `volume ${volumeId}`),
    ...merges.map(({ origin, snapshot }) => `merge ${origin} ${snapshot}`),
    ...mounts.map(({ mount, type, uuid, options, lv }) =>
      ['mount', type, uuid, escaped(options) || '-', escaped(lv) || '-', escaped(mount)].join(' '),
    ),
  ];
  const plan = Buffer.from(`${lines.join('\n')}\n`).toString('base64');
  if (plan.replace(/=+$/, '').length <= MOST_PLAN) return plan;
  throw new TooManyFilesystemsError(
    `restore ${restore} names ${mounts.length} file systems, more than one command can carry; name a part of them in "mounts"`,
  );
};

/** As the kernel writes paths in mountinfo. */
const escaped = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
