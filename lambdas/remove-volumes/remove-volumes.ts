import { DETACH_MS, LOOKUP_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { VolumesLeftError } from '../shared/errors.ts';
import type { Restore } from '../shared/restore-contracts.ts';

interface Volume {
  volumeId: string;
  state: string;
  attachment: { instanceId: string; state: string } | undefined;
}

export interface Ec2 {
  /** What bears the restore's tag: nothing else can be found here, and IAM lets nothing else be touched. */
  ofRestore(restore: string): Promise<Volume[]>;
  detach(volumeId: string): Promise<void>;
  delete(volumeId: string): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;

/** Detaches and deletes every volume that this restore has made. Asked again it goes on. */
export const removeVolumes = async (
  { restore }: Pick<Restore, 'restore'>,
  ec2: Ec2,
  clock: Clock,
): Promise<{ deleted: string[] }> => {
  const deleted = new Set<string>();
  const until = clock.now() + DETACH_MS;
  // EC2 shows a new volume a second or two late, and the answer to the last request may have been lost.
  const shown = clock.now() + LOOKUP_MS;
  for (;;) {
    const left = (await ec2.ofRestore(restore)).filter(
      ({ volumeId, state }) => !deleted.has(volumeId) && !['deleting', 'deleted'].includes(state),
    );
    if (left.length === 0 && clock.now() >= shown) return { deleted: [...deleted] };
    if (clock.now() > until) throw new VolumesLeftError(leftBehind(restore, left));
    for (const { volumeId, state, attachment } of left) {
      if (attachment) {
        // One that is still attaching can be detached too.
        if (attachment.state !== 'detaching') await ec2.detach(volumeId);
      } else if (state !== 'creating') {
        await ec2.delete(volumeId);
        deleted.add(volumeId);
      }
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
};

const leftBehind = (restore: string, left: readonly Volume[]): string =>
  `of restore ${restore} there still are ${left
    .map(({ volumeId, state, attachment }) =>
      attachment ? `${volumeId} (${attachment.state} at ${attachment.instanceId})` : `${volumeId} (${state})`,
    )
    .join(', ')}: unmount what lies on them, then detach and delete them by hand`;
