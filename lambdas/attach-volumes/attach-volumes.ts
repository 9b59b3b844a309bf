import { type AttachableVolume, untilAttached } from '../shared/attachments.ts';
import type { Clock } from '../shared/clock.ts';
import { NotAnInstanceError } from '../shared/errors.ts';
import type { Restore } from '../shared/restore-contracts.ts';
import { freeDevice } from './device-names.ts';

export interface Ec2 {
  ofRestore(restore: string): Promise<AttachableVolume[]>;
  instance(instanceId: string): Promise<{ devices: { device: string }[] } | undefined>;
  attach(volumeId: string, instanceId: string, device: string): Promise<void>;
}

export interface Attached {
  volumes: { volumeId: string; device: string }[];
}

/** Attaches the restore's volumes at free names, and waits until EC2 calls all of it done. Asked again it goes on. */
export const attachVolumes = async ({ restore, instanceId }: Restore, ec2: Ec2, clock: Clock): Promise<Attached> => {
  const taken = new Set(await devicesOf(instanceId, ec2));
  for (const { volumeId, attachment } of await ec2.ofRestore(restore)) {
    if (!attachment) await attachSomewhere(volumeId, instanceId, taken, ec2);
  }
  const volumes = await untilAttached(instanceId, () => ec2.ofRestore(restore), clock);
  return { volumes: volumes.map(({ volumeId, attachment }) => ({ volumeId, device: attachment?.device ?? '' })) };
};

const devicesOf = async (instanceId: string, ec2: Ec2): Promise<string[]> => {
  const instance = await ec2.instance(instanceId);
  if (!instance)
    throw new NotAnInstanceError(`there is no instance ${instanceId} any more; give another one as "target"`);
  return instance.devices.map(({ device }) => device);
};

/** A name that somebody else took meanwhile is not tried again. */
const attachSomewhere = async (volumeId: string, instanceId: string, taken: Set<string>, ec2: Ec2): Promise<void> => {
  for (;;) {
    const device = freeDevice(instanceId, taken);
    taken.add(device);
    try {
      await ec2.attach(volumeId, instanceId, device);
      return;
    } catch (error) {
      if (!/already in use|in use by/i.test((error as Error).message) || (error as Error).name === 'VolumeInUse')
        throw error;
    }
  }
};
