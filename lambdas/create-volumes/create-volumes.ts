import type { CreateVolumeRequest } from '@aws-sdk/client-ec2';
import { CREATE_VOLUMES_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { VolumeFailedError, VolumesSlowError } from '../shared/errors.ts';
import type { Restore } from '../shared/restore-contracts.ts';
import { volumeRequest } from './volume-request.ts';

export interface Volumes {
  /** Answers the volume's id. */
  create(request: CreateVolumeRequest): Promise<string>;
  ofRestore(restore: string): Promise<{ volumeId: string; state: string }[]>;
}

export interface Created {
  volumes: { from: string; volumeId: string }[];
}

const LOOK_EVERY_MS = 2_000;

/** Makes a volume of every snapshot, and waits until all are there. Asked again it makes none twice. */
export const createVolumes = async (restore: Restore, ec2: Volumes, clock: Clock): Promise<Created> => {
  const volumes: Created['volumes'] = [];
  for (const member of restore.volumes) {
    volumes.push({ from: member.from, volumeId: await ec2.create(volumeRequest(restore, member)) });
  }
  const until = clock.now() + CREATE_VOLUMES_MS;
  for (;;) {
    const seen = await ec2.ofRestore(restore.restore);
    const failed = seen.filter(({ state }) => state === 'error').map(({ volumeId }) => volumeId);
    if (failed.length > 0) {
      throw new VolumeFailedError(
        `EC2 could not make ${failed.join(', ')} of its snapshot: look at the KMS key of the set, which this account and role must be allowed to use`,
      );
    }
    const waiting = volumes.filter(
      ({ volumeId }) => !seen.some((each) => each.volumeId === volumeId && each.state !== 'creating'),
    );
    if (waiting.length === 0) return { volumes };
    if (clock.now() > until) {
      throw new VolumesSlowError(
        `${waiting.map(({ volumeId }) => volumeId).join(', ')} is not available ${CREATE_VOLUMES_MS / 1000} s after it was made; try again later`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
};
