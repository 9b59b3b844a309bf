/** Takes away what a drill has made: its own last state does, and the sweeper of drills. */
import { LOOKUP_MS, TEAR_DOWN_MS } from './budget.ts';
import type { Clock } from './clock.ts';
import { TearDownError } from './errors.ts';

export interface DrillThings {
  /** What bears the drill's tag: nothing else can be found here, and IAM lets nothing else be touched. */
  instances(drill: string): Promise<{ instanceId: string; state: string }[]>;
  volumes(drill: string): Promise<DrillVolume[]>;
  terminate(instanceId: string): Promise<void>;
  detach(volumeId: string): Promise<void>;
  delete(volumeId: string): Promise<void>;
}

interface DrillVolume {
  volumeId: string;
  state: string;
  attachment: { instanceId: string; state: string } | undefined;
}

const LOOK_EVERY_MS = 3_000;

/** Terminates its instances, then deletes its volumes. Asked again it goes on. */
export const tearDown = async (
  { drill }: { drill: string },
  ec2: DrillThings,
  clock: Clock,
): Promise<{ terminated: string[]; deleted: string[] }> => {
  const terminated = new Set<string>();
  const deleted = new Set<string>();
  const until = clock.now() + TEAR_DOWN_MS;
  // What was made last may not show yet.
  const shown = clock.now() + LOOKUP_MS;
  for (;;) {
    const instances = (await ec2.instances(drill)).filter(({ state }) => state !== 'terminated');
    const volumes = (await ec2.volumes(drill)).filter(
      // Its root volume goes with an instance.
      ({ volumeId, state, attachment }) =>
        !deleted.has(volumeId) &&
        !['deleting', 'deleted'].includes(state) &&
        !instances.some(({ instanceId }) => instanceId === attachment?.instanceId),
    );
    if (instances.length === 0 && volumes.length === 0 && clock.now() >= shown) {
      return { terminated: [...terminated], deleted: [...deleted] };
    }
    if (clock.now() > until) throw new TearDownError(leftBehind(drill, instances, volumes));
    for (const { instanceId, state } of instances) {
      if (state !== 'shutting-down') await ec2.terminate(instanceId);
      terminated.add(instanceId);
    }
    for (const volume of volumes) if (await remove(volume, ec2)) deleted.add(volume.volumeId);
    await clock.sleep(LOOK_EVERY_MS);
  }
};

/** Whether it is on its way out. On an instance of the user's it has to be detached first. */
const remove = async ({ volumeId, state, attachment }: DrillVolume, ec2: DrillThings): Promise<boolean> => {
  if (attachment) {
    if (attachment.state !== 'detaching') await ec2.detach(volumeId);
    return false;
  }
  if (state === 'creating') return false;
  await ec2.delete(volumeId);
  return true;
};

const leftBehind = (
  drill: string,
  instances: readonly { instanceId: string; state: string }[],
  volumes: readonly DrillVolume[],
): string => {
  const things = [
    ...instances.map(({ instanceId, state }) => `${instanceId} (${state})`),
    ...volumes.map(({ volumeId, state, attachment }) =>
      attachment ? `${volumeId} (${attachment.state} at ${attachment.instanceId})` : `${volumeId} (${state})`,
    ),
  ];
  return `of drill ${drill} there still are ${things.join(', ')}: terminate and delete them by hand`;
};
