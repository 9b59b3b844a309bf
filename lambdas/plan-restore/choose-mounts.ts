import { NotBesideOriginalError, NotInSetError } from '../shared/errors.ts';
import type { RestoreEvidence } from '../shared/restore-contracts.ts';

type Filesystem = RestoreEvidence['topology']['filesystems'][number];

/** The file systems to mount: those that were named, or all but the ones on the root volume. */
export const mountsWanted = (
  evidence: RestoreEvidence,
  wanted: readonly string[] | undefined,
  /** `beside`: the original is on the same host. `none`: there may be none. */
  { beside, none = false }: { beside: boolean; none?: boolean },
): Filesystem[] => {
  const there = evidence.topology.filesystems.filter((fs) => !lackOf(evidence, fs));
  const root = evidence.volumes.find((volume) => volume.root)?.volumeId;
  const chosen = wanted
    ? wanted.map((mount) => named(evidence, mount))
    : there.filter((fs) => !volumesOf(evidence, fs.disks).includes(root));
  if (chosen.length === 0 && !none) {
    throw new NotInSetError(
      `set ${evidence.run} has no file system beside those on the root volume; name what is to be mounted in "mounts": ${list(there)}`,
    );
  }
  // Its tools and the kernel tell members of a btrfs by its uuid alone, and would mix up copy and original.
  const btrfs = chosen.filter(({ type }) => type === 'btrfs');
  if (btrfs.length > 0 && beside) {
    throw new NotBesideOriginalError(
      `${list(btrfs)} is btrfs, whose copy must never be attached beside its original; give another instance as "target"`,
    );
  }
  return chosen;
};

const named = (evidence: RestoreEvidence, mount: string): Filesystem => {
  const fs = evidence.topology.filesystems.find((each) => each.mount === mount);
  const lack = fs ? lackOf(evidence, fs) : 'it was not mounted when the set was made';
  if (!fs || lack) {
    const there = evidence.topology.filesystems.filter((each) => !lackOf(evidence, each));
    throw new NotInSetError(`${mount} can't be restored from set ${evidence.run}: ${lack}; there are ${list(there)}`);
  }
  return fs;
};

/** Why a file system can't be restored; empty when it can. */
const lackOf = (evidence: RestoreEvidence, { disks, layers, uuid }: Filesystem): string => {
  if (layers.some(({ kind }) => kind === 'loop'))
    return 'it lies on an image file, which is restored with its file system';
  if (uuid === '') return 'its uuid is not known';
  return volumesOf(evidence, disks).includes(undefined) ? 'it lies on a disk that is not in the set' : '';
};

/** The volumes that these file systems need: whole arrays and whole groups, for a part of one is of no use. */
export const volumesUnder = (evidence: RestoreEvidence, mounts: readonly Filesystem[]): string[] => {
  const disks = new Set(mounts.flatMap((fs) => fs.disks));
  const units = [...evidence.topology.arrays, ...evidence.topology.groups];
  for (let size = 0; size !== disks.size; ) {
    size = disks.size;
    for (const unit of units)
      if (unit.disks.some((disk) => disks.has(disk))) for (const disk of unit.disks) disks.add(disk);
  }
  const volumes = volumesOf(evidence, [...disks]);
  const strange = [...disks].filter((_, index) => volumes[index] === undefined);
  if (strange.length > 0) {
    throw new NotInSetError(
      `${strange.join(', ')} holds a part of an array or volume group and is not in set ${evidence.run}; name other mounts`,
    );
  }
  return [...new Set(volumes as string[])];
};

/** All file systems that lie on these volumes: a swap takes them along. */
export const mountsOn = (evidence: RestoreEvidence, volumes: readonly string[]): Filesystem[] =>
  evidence.topology.filesystems.filter(
    (fs) => !lackOf(evidence, fs) && volumesOf(evidence, fs.disks).every((volume) => volumes.includes(volume ?? '')),
  );

/** NVMe disks tell their volume; Xen disks are told by EC2's device name. Undefined: not in the set. */
const volumesOf = ({ topology, volumes }: RestoreEvidence, disks: readonly string[]): (string | undefined)[] =>
  disks.map((name) => {
    const id = topology.disks.find((disk) => disk.name === name)?.volumeId;
    return volumes.find(({ volumeId, device }) => (id ? volumeId === id : xenName(device) === name))?.volumeId;
  });

const xenName = (device: string): string => device.replace('/dev/', '').replace(/^sd/, 'xvd').replace(/\d+$/, '');

const list = (filesystems: readonly Filesystem[]): string =>
  filesystems.map(({ mount }) => mount).join(', ') || 'none at all';
