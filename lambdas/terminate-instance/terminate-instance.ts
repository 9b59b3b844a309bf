import { LOOKUP_MS, TERMINATE_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { InstanceLeftError } from '../shared/errors.ts';
import type { Restore } from '../shared/restore-contracts.ts';

export interface Ec2 {
  /** What bears the restore's tag: nothing else can be found here, and IAM lets nothing else be touched. */
  instances(restore: string): Promise<{ instanceId: string; state: string }[]>;
  terminate(instanceId: string): Promise<void>;
  images(restore: string): Promise<{ imageId: string }[]>;
  deregister(imageId: string): Promise<void>;
}

const LOOK_EVERY_MS = 5_000;

/** Terminates the instance that this restore has launched, and takes its image away. Asked again it goes on. */
export const terminateInstance = async (
  { restore }: Pick<Restore, 'restore'>,
  ec2: Ec2,
  clock: Clock,
): Promise<{ terminated: string[] }> => {
  const until = clock.now() + TERMINATE_MS;
  // EC2 shows what is new a second or two late, and the answer to the last request may have been lost.
  const shown = clock.now() + LOOKUP_MS;
  for (;;) {
    for (const { imageId } of await ec2.images(restore)) await ec2.deregister(imageId);
    const instances = await ec2.instances(restore);
    const left = instances.filter(({ state }) => state !== 'terminated');
    if (left.length === 0 && clock.now() >= shown) return { terminated: instances.map(({ instanceId }) => instanceId) };
    if (clock.now() > until) {
      throw new InstanceLeftError(
        `of restore ${restore} there still is ${left.map(({ instanceId, state }) => `${instanceId} (${state})`).join(', ')}: terminate it by hand, then delete the volumes of the restore`,
      );
    }
    for (const { instanceId, state } of left) if (state !== 'shutting-down') await ec2.terminate(instanceId);
    await clock.sleep(LOOK_EVERY_MS);
  }
};
