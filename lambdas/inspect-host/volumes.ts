import type { InspectAnswer, Run } from '../shared/contracts.ts';
import { appName, homesOf } from '../shared/coverage.ts';
import {
  BadTagError,
  HostError,
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

/** Volume ids by the kernel names of the host's disks. Disks that are no EBS volume of the instance are left out. */
const disksByVolume = (instance: Instance, topology: InspectAnswer): Map<string, string> => {
  const found = new Map<string, string>();
  for (const { name, kind, volumeId } of topology.disks) {
    // NVMe disks tell their volume; Xen disks have no serial, but EC2's device name up to its prefix.
    const attached = instance.devices.find((each) =>
      volumeId ? each.volumeId === volumeId : xenName(each.device) === name,
    );
    if (attached) {
      found.set(name, attached.volumeId);
    } else if (kind === 'ebs' && volumeId) {
      throw new VolumesMismatchError(
        `the host sees the EBS volume ${volumeId} (${name}), but EC2 does not have it attached; if it was attached or detached just now, start the run again`,
      );
    }
  }
  return found;
};

/** `/dev/sdf` and `/dev/xvdf` are the kernel's xvdf; `/dev/sda1` is its disk xvda. */
const xenName = (device: string): string => device.replace('/dev/', '').replace(/^sd/, 'xvd').replace(/\d+$/, '');

/** What is of use only as a whole must lie on members of the set as a whole, or not at all. */
const refuseTornUnits = (topology: InspectAnswer, volumeOf: Map<string, string>, excluded: Set<string>): void => {
  const isOut = (disk: string) => excluded.has(volumeOf.get(disk) ?? '');
  for (const { what, disks, mayBeLeftOut } of unitsOf(topology)) {
    const strange = disks.filter((disk) => !volumeOf.has(disk));
    if (strange.length > 0 && !(mayBeLeftOut && strange.length === disks.length)) {
      // A Xen host can't tell its instance store from EBS: only here does it show.
      throw new HostError(
        'InstanceStoreMember',
        `${what} lies on ${strange.join(', ')}, which is no EBS volume of this instance: no snapshot can hold it; move it to EBS volumes alone`,
      );
    }
    const out = disks.filter(isOut).map((disk) => volumeOf.get(disk));
    if (out.length > 0 && !(mayBeLeftOut && out.length === disks.length)) {
      throw new MemberExcludedError(
        `${[...new Set(out)].join(', ')} is tagged ${USER_TAGS.exclude} = true, but ${what} lies on it${mayBeLeftOut ? ' and on other volumes, and a part of it would be of no use' : ''}; take the tag off, or leave out the whole: ${mayBeLeftOut ? 'every volume of it' : `name only the other applications in ${USER_TAGS.apps}`}`,
      );
    }
  }
};

/**
 * File systems, arrays and volume groups may be left out as a whole. Applications that are to be quieted may not: the
 * grade would speak of data that the set does not hold.
 */
const unitsOf = (topology: InspectAnswer) => [
  ...topology.filesystems.map((fs) => ({ what: `file system ${fs.mount}`, disks: fs.disks, mayBeLeftOut: true })),
  ...topology.arrays.map((array) => ({ what: `array ${array.name}`, disks: array.disks, mayBeLeftOut: true })),
  ...topology.groups.map((group) => ({ what: `volume group ${group.name}`, disks: group.disks, mayBeLeftOut: true })),
  ...topology.apps.map((app) => ({
    what: appName(app),
    disks: homesOf(topology, app).flatMap((home) => home?.disks ?? []),
    mayBeLeftOut: false,
  })),
];
