import type { Run, VolumeSpec } from '../shared/contracts.ts';

/** A volume as EC2 describes it. */
export interface DescribedVolume extends VolumeSpec {
  volumeId: string;
}

/** Most characters of all tags together: a run's state must not come near the 256 KiB that Step Functions takes. */
const MOST_TAGS = 40_000;

/** The members with what a restore has to know of each, since the volume itself may be gone by then. */
export const withSpecs = (members: Run['volumes'], volumes: readonly DescribedVolume[]): Run['volumes'] => {
  const tagged = members.map((member) => {
    const volume = volumes.find(({ volumeId }) => volumeId === member.volumeId);
    return volume ? { ...member, spec: specOf(volume) } : member;
  });
  if (JSON.stringify(tagged.map(({ spec }) => spec?.tags)).length <= MOST_TAGS) return tagged;
  return tagged.map((member) => (member.spec ? { ...member, spec: { ...member.spec, tags: {} } } : member));
};

const specOf = ({ type, sizeGiB, iops, throughput, encrypted, kmsKeyId, tags }: DescribedVolume): VolumeSpec => ({
  type,
  sizeGiB,
  iops,
  throughput,
  encrypted,
  kmsKeyId,
  tags: Object.fromEntries(Object.entries(tags).filter(([key]) => !/^(aws|freezeframe):/.test(key))),
});
