import { type AttachableVolume, untilAttached, untilDetached } from '../shared/attachments.ts';
import { DETACH_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { RESTORE_TAGS, SWAP_TAGS } from '../shared/names.ts';
import type { Restore, SwapVolumesInput } from '../shared/restore-contracts.ts';

interface Volume extends AttachableVolume {
  tags: Record<string, string>;
}

export interface Ec2 {
  ofRestore(restore: string): Promise<Volume[]>;
  /** Those of the ids that there are. */
  volumes(volumeIds: readonly string[]): Promise<Volume[]>;
  tag(volumeIds: readonly string[], tags: Record<string, string>): Promise<void>;
  untag(volumeIds: readonly string[], keys: readonly string[]): Promise<void>;
  attach(volumeId: string, instanceId: string, device: string): Promise<void>;
  detach(volumeId: string): Promise<void>;
}

export interface Swapped {
  /** What is attached now, and where. */
  volumes: { volumeId: string; device: string }[];
  /** What was put aside. */
  kept: string[];
}

const LOOK_EVERY_MS = 2_000;

/**
 * Puts the restored volumes in the place of the originals, device for device; or the originals back into theirs. Asked
 * again it goes on. The host has let go of what is detached before.
 */
export const swapVolumes = async ({ act, restore }: SwapVolumesInput, ec2: Ec2, clock: Clock): Promise<Swapped> => {
  const originals = restore.originals ?? [];
  const ids = originals.map(({ volumeId }) => volumeId);
  const places = new Map(originals.map(({ volumeId, device }) => [volumeId, device]));
  const aside = () => ec2.volumes(ids);
  const copies = () => ec2.ofRestore(restore.restore);

  if (act === 'swap') {
    // The tags come first: without them we may detach nothing, and nobody would know what these volumes were.
    for (const { volumeId, device } of originals) {
      await ec2.tag([volumeId], { [SWAP_TAGS.swappedOut]: restore.restore, [SWAP_TAGS.device]: device });
    }
    await detach(aside, ec2, clock);
    const volumes = await attach(copies, ({ tags }) => placeOf(tags[RESTORE_TAGS.from], restore), restore, ec2, clock);
    return { volumes, kept: ids };
  }

  await detach(copies, ec2, clock);
  // One whose detachment was begun may still be on its way; one that never left is in its place.
  await untilStill(aside, clock);
  const volumes = await attach(aside, ({ volumeId }) => places.get(volumeId) ?? '', restore, ec2, clock);
  if (ids.length > 0) await ec2.untag(ids, Object.values(SWAP_TAGS));
  return { volumes, kept: [] };
};

const placeOf = (from: string | undefined, { volumes }: Restore): string =>
  volumes.find((member) => member.from === from)?.device ?? '';

const detach = async (look: () => Promise<Volume[]>, ec2: Ec2, clock: Clock): Promise<void> => {
  for (const { volumeId, attachment } of await look()) {
    if (attachment && attachment.state !== 'detaching') await ec2.detach(volumeId);
  }
  await untilDetached(look, clock);
};

const attach = async (
  look: () => Promise<Volume[]>,
  deviceOf: (volume: Volume) => string,
  { instanceId }: Restore,
  ec2: Ec2,
  clock: Clock,
): Promise<Swapped['volumes']> => {
  for (const volume of await look()) {
    if (!volume.attachment) await ec2.attach(volume.volumeId, instanceId, deviceOf(volume));
  }
  const volumes = await untilAttached(instanceId, look, clock);
  return volumes.map(({ volumeId, attachment }) => ({ volumeId, device: attachment?.device ?? '' }));
};

const untilStill = async (look: () => Promise<Volume[]>, clock: Clock): Promise<void> => {
  const until = clock.now() + DETACH_MS;
  while ((await look()).some(({ attachment }) => attachment?.state === 'detaching') && clock.now() < until)
    await clock.sleep(LOOK_EVERY_MS);
};
