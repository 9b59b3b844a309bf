import { NotSwappableError } from '../shared/errors.ts';
import { RESTORE_TAGS } from '../shared/names.ts';
import type { Restore, RestoreEvidence } from '../shared/restore-contracts.ts';

/** A volume as it is attached now. */
export interface AttachedVolume {
  volumeId: string;
  device: string;
  tags: Record<string, string>;
}

/**
 * What has to leave so that each restored volume can be where its original was: the original itself, wherever it is
 * attached by now, or what an earlier swap has put in its place. Anything else is somebody's, and not ours to take away.
 */
export const originalsOf = (
  { volumes, instance }: RestoreEvidence,
  wanted: readonly string[],
  attached: readonly AttachedVolume[],
): { originals: NonNullable<Restore['originals']>; places: Map<string, string> } => {
  const members = volumes.filter(({ volumeId }) => wanted.includes(volumeId));
  const root = members.find((member) => member.root);
  if (root) {
    throw new NotSwappableError(
      `${root.volumeId} is the root volume of ${instance}, which can't be swapped while the instance runs; leave it out of "mounts", or restore beside the original`,
    );
  }
  const originals: NonNullable<Restore['originals']> = [];
  const places = new Map<string, string>();
  for (const { volumeId, device } of members) {
    const itself = attached.find((each) => each.volumeId === volumeId);
    const there = itself ?? attached.find((each) => each.device === device);
    if (there && there !== itself && there.tags[RESTORE_TAGS.from] === undefined) {
      throw new NotSwappableError(
        `at ${device} of ${instance}, where ${volumeId} of the set was, there is ${there.volumeId} now, which is no volume of the set; detach it, or restore beside it`,
      );
    }
    if (there) originals.push({ volumeId: there.volumeId, device: there.device });
    places.set(volumeId, there?.device ?? device);
  }
  return { originals, places };
};
