import type { InspectAnswer, Run } from '../shared/contracts.ts';
import { appName, homesOf } from '../shared/coverage.ts';
import {
  BadTagError,
  MemberExcludedError,
  NothingToSnapshotError,
  TooManyExcludedError,
  VolumesMismatchError,
} from '../shared/errors.ts';
import { USER_TAGS } from '../shared/names.ts';
import type { Instance } from './instance.ts';

export interface Volume {
  volumeId: string;
  tags: Record<string, string>;
}

/** CreateSnapshots takes no more data volumes to leave out (ExcludeDataVolumeIds). */
const MOST_EXCLUDED = 40;

/**
 * The members of the set. The host's disks and EC2's attachments must agree disk by disk, or a set that looks whole would
 * not be; and what is left out by tag must be no part of something that stays in.
 */
export const membersOf = (
  instance: Instance,
  volumes: readonly Volume[],
  topology: InspectAnswer,
): Pick<Run, 'volumes' | 'excluded' | 'excludeBoot'> => {
  const excluded = new Set(volumes.filter(isExcluded).map(({ volumeId }) => volumeId));
  const volumeOf = disksByVolume(instance, topology);
  const onHost = new Set(volumeOf.values());

  for (const { volumeId, device, status } of instance.devices) {
    if (excluded.has(volumeId)) continue;
    if (status !== 'attached') {
      throw new VolumesMismatchError(
        `${volumeId} (${device}) is ${status}; start the run again when it is attached or gone`,
      );
    }
    if (!onHost.has(volumeId)) {
      throw new VolumesMismatchError(
        `EC2 has ${volumeId} attached as ${device}, but the host does not see such a disk; look at lsblk there, and attach the volume again or tag it ${USER_TAGS.exclude} = true`,
      );
    }
  }
  refuseTornUnits(topology, volumeOf, excluded);

  const isRoot = (device: string) => device === instance.rootDevice;
  const left = instance.devices.filter(({ volumeId }) => excluded.has(volumeId));
  const data = left.filter(({ device }) => !isRoot(device)).map(({ volumeId }) => volumeId);
  if (data.length > MOST_EXCLUDED) {
    throw new TooManyExcludedError(
      `${data.length} data volumes are tagged ${USER_TAGS.exclude} = true, and EC2 can leave out ${MOST_EXCLUDED} in one set; take the tag off some of them`,
    );
  }
  const members = instance.devices
    .filter(({ volumeId }) => !excluded.has(volumeId))
    .map(({ volumeId, device }) => ({ volumeId, device, root: isRoot(device) }));
  if (members.length === 0) {
    throw new NothingToSnapshotError(
      `no EBS volume is left to take: each one is tagged ${USER_TAGS.exclude} = true, or there is none`,
    );
  }
  return { volumes: members, excluded: data, excludeBoot: left.some(({ device }) => isRoot(device)) };
};

const isExcluded = ({ volumeId, tags }: Volume): boolean => {
  const value = tags[USER_TAGS.exclude];
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new BadTagError(`${volumeId} is tagged ${USER_TAGS.exclude} = ${value}; it may be true or false`);
};

/** Volume ids by the kernel names of the host's disks. */
const disksByVolume = (instance: Instance, topology: InspectAnswer): Map<string, string> => {
  const used = new Set([
    ...topology.filesystems.filter((fs) => fs.freezable).flatMap((fs) => fs.disks),
    ...topology.arrays.flatMap((array) => array.disks),
    ...topology.groups.flatMap((group) => group.disks),
  ]);
  const found = new Map<string, string>();
  for (const { name, kind, volumeId } of topology.disks) {
    // NVMe disks tell their volume; Xen disks have no serial, but EC2's device name up to its prefix.
    const attached = instance.devices.find((each) =>
      volumeId ? each.volumeId === volumeId : xenName(each.device) === name,
    );
    if (attached) {
      found.set(name, attached.volumeId);
    } else if (kind === 'ebs') {
      throw new VolumesMismatchError(
        `the host sees the EBS disk ${name} (${volumeId || 'no serial'}), but EC2 does not have it attached; if it was attached or detached just now, start the run again`,
      );
    } else if (used.has(name)) {
      throw new VolumesMismatchError(
        `the host's disk ${name} carries file systems, and it is no EBS volume of this instance: no snapshot can hold it; move the data to EBS`,
      );
    }
  }
  return found;
};

/** `/dev/sdf` and `/dev/xvdf` are the kernel's xvdf; `/dev/sda1` is its disk xvda. */
const xenName = (device: string): string => device.replace('/dev/', '').replace(/^sd/, 'xvd').replace(/\d+$/, '');

/** What is of use only as a whole: file systems, arrays, volume groups, and all of what an application has. */
const refuseTornUnits = (topology: InspectAnswer, volumeOf: Map<string, string>, excluded: Set<string>): void => {
  const units = [
    ...topology.filesystems.map((fs) => ({ what: `file system ${fs.mount}`, disks: fs.disks })),
    ...topology.arrays.map((array) => ({ what: `array ${array.name}`, disks: array.disks })),
    ...topology.groups.map((group) => ({ what: `volume group ${group.name}`, disks: group.disks })),
    ...topology.apps.map((app) => ({
      what: appName(app),
      disks: homesOf(topology, app).flatMap((home) => home?.disks ?? []),
    })),
  ];
  for (const { what, disks } of units) {
    const volumes = disks.map((disk) => volumeOf.get(disk) ?? '');
    const out = volumes.filter((volumeId) => excluded.has(volumeId));
    if (out.length === 0 || out.length === volumes.length) continue;
    throw new MemberExcludedError(
      `${[...new Set(out)].join(', ')} is tagged ${USER_TAGS.exclude} = true, but ${what} lies on it and on other volumes, and part of it would be of no use; take the tag off, or exclude all of ${[...new Set(volumes)].join(', ')}`,
    );
  }
};
