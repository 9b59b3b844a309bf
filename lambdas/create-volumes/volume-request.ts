import { createHash } from 'node:crypto';
import type { CreateVolumeRequest } from '@aws-sdk/client-ec2';
import { DRILL_TAG, RESTORE_TAGS, USER_TAGS } from '../shared/names.ts';
import type { Restore } from '../shared/restore-contracts.ts';
import { performanceOf, typeOf } from '../shared/volume-performance.ts';

/** Most tags that a resource can bear. */
const MOST_TAGS = 50;

/**
 * A volume like the one that the snapshot was taken of. The token makes the same request twice one volume; tags travel
 * in it, so that no volume exists without them. What the set's evidence does not tell is EC2's default for gp3.
 */
export const volumeRequest = (
  { restore, set, zone, initializationRate, originals, drill }: Restore,
  { from, snapshotId, spec }: Restore['volumes'][number],
): CreateVolumeRequest => {
  const ours = {
    [RESTORE_TAGS.restore]: restore,
    [RESTORE_TAGS.set]: set.id,
    [RESTORE_TAGS.from]: from,
    // A copy is no member of the sets of the instance that it is attached to; what takes the original's place is.
    ...(originals ? {} : { [USER_TAGS.exclude]: 'true' }),
    ...(drill !== undefined && { [DRILL_TAG]: drill }),
  };
  const theirs = Object.entries(spec?.tags ?? {}).slice(0, MOST_TAGS - Object.keys(ours).length);
  return {
    SnapshotId: snapshotId,
    AvailabilityZone: zone,
    VolumeType: typeOf(spec),
    ...performanceOf(spec),
    // An encrypted snapshot makes an encrypted volume; the key is named only where the original's was another than EBS's.
    ...(spec?.encrypted && spec.kmsKeyId ? { Encrypted: true, KmsKeyId: spec.kmsKeyId } : {}),
    ...(initializationRate ? { VolumeInitializationRate: initializationRate } : {}),
    ClientToken: createHash('sha256').update(`${restore} ${from}`).digest('hex'),
    TagSpecifications: [
      {
        ResourceType: 'volume',
        Tags: [...theirs, ...Object.entries(ours)].map(([Key, Value]) => ({ Key, Value })),
      },
    ],
  };
};
