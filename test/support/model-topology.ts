import { CONTRACT, type InspectAnswer } from '../../lambdas/shared/contracts.ts';

export interface TopologySpec {
  rootVolume: string;
  /** Volumes of the array. */
  dataVolumes: readonly string[];
  /** A database whose files lie on the array. */
  database: boolean;
}

/** What Inspect answers of a host with a root disk, and a RAID 0 under LVM under XFS with a MySQL on it. */
export function modelTopology({ rootVolume, dataVolumes, database }: TopologySpec): Topology {
  const disks = dataVolumes.map((volumeId, n) => ({ name: `nvme${n + 1}n1`, kind: 'ebs' as const, volumeId }));
  const names = disks.map(({ name }) => name);
  const possible = { possible: true, why: '' };
  return {
    contract: CONTRACT,
    os: 'Amazon Linux 2023',
    kernel: '6.1.0',
    disks: [{ name: 'nvme0n1', kind: 'ebs', volumeId: rootVolume }, ...disks],
    filesystems: [
      {
        mount: '/srv/data',
        type: 'xfs',
        device: 'dm-0',
        uuid: '11111111-2222-3333-4444-555555555555',
        options: 'rw,noatime',
        freezable: true,
        why: '',
        lv: 'data/lv',
        layers: [
          { name: 'dm-0', kind: 'lv', detail: 'data/lv', uuid: 'LVM-1' },
          { name: 'md0', kind: 'md', detail: 'raid0', uuid: 'md-1' },
          ...disks.map(({ name }) => ({ name, kind: 'disk' as const, detail: '', uuid: '' })),
        ],
        disks: names,
      },
      {
        mount: '/',
        type: 'ext4',
        device: 'nvme0n1p1',
        uuid: '99999999-2222-3333-4444-555555555555',
        options: 'rw',
        freezable: false,
        why: 'the SSM agent lives on it',
        lv: '',
        layers: [
          { name: 'nvme0n1p1', kind: 'partition', detail: '', uuid: '' },
          { name: 'nvme0n1', kind: 'disk', detail: '', uuid: '' },
        ],
        disks: ['nvme0n1'],
      },
    ],
    arrays: [
      { name: 'md0', uuid: 'md-1', level: 'raid0', disks: names, degraded: 0, syncAction: 'idle', state: 'clean' },
    ],
    groups: [{ name: 'data', uuid: 'vg-1', disks: names, extentBytes: 4_194_304, freeExtents: 2_560, missing: 0 }],
    apps: database
      ? [
          {
            driver: 'mysql',
            name: 'MariaDB 10.11.6',
            dataDir: '/srv/data/mysql',
            mounts: ['/srv/data'],
            ready: true,
            problem: '',
            provable: true,
            stopsWrites: true,
          },
        ]
      : [],
    modes: { 'lvm-snapshot': { ...possible }, 'fs-freeze': { ...possible }, 'app-only': { ...possible } },
    faults: [],
  };
}

/** The part of Inspect's answer that does not change from one second to the next. */
export type Topology = Omit<InspectAnswer, 'bootId' | 'uptime' | 'topologyHash'>;
