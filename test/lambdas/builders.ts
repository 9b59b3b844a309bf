/** Valid inputs of the states, told from one host: MariaDB on XFS on an LV, striped over two of three EBS volumes. */
import type { GradeInput, InspectAnswer, Receipt, Run, TakenSet, Thawed } from '../../lambdas/shared/contracts.ts';

export const INSTANCE = 'i-0123456789abcdef0';
export const RUN = 'i-0123456789abcdef0-20261122T030000Z';
export const BOOT = '11111111-2222-3333-4444-555555555555';
export const ROOT = 'vol-00000000000000001';
export const DATA_1 = 'vol-00000000000000002';
export const DATA_2 = 'vol-00000000000000003';
/** Milliseconds since 1970 at which the host's uptime was 1000 s. */
export const NOW = Date.parse('2026-11-22T03:00:00Z');

type Filesystem = InspectAnswer['filesystems'][number];
type App = InspectAnswer['apps'][number];

export const rootFs: Filesystem = {
  mount: '/',
  type: 'ext4',
  device: '/dev/nvme0n1p1',
  uuid: 'u-root',
  options: 'rw',
  freezable: false,
  why: 'holds /, without which the host cannot be thawed',
  lv: '',
  layers: [],
  disks: ['nvme0n1'],
};

export const dataFs: Filesystem = {
  mount: '/data',
  type: 'xfs',
  device: '/dev/dm-0',
  uuid: 'u-data',
  options: 'rw',
  freezable: true,
  why: '',
  lv: 'vg/data',
  layers: [],
  disks: ['nvme1n1', 'nvme2n1'],
};

export const logFs: Filesystem = { ...dataFs, mount: '/log', device: '/dev/dm-1', uuid: 'u-log', lv: 'vg/log' };

export const mariadb: App = {
  driver: 'mysql',
  name: 'MariaDB 10.11',
  dataDir: '/data/mysql',
  mounts: ['/data'],
  ready: true,
  problem: '',
  provable: true,
  stopsWrites: true,
};

export const postgres: App = {
  driver: 'postgresql',
  name: 'PostgreSQL 15',
  dataDir: '/data/pg',
  mounts: ['/data'],
  ready: true,
  problem: '',
  provable: true,
  stopsWrites: false,
};

const possible = { possible: true, why: '' };
export const impossible = (why: string) => ({ possible: false, why });

export const topology = (changes: Partial<InspectAnswer> = {}): InspectAnswer => ({
  contract: 1,
  bootId: BOOT,
  uptime: 1000.5,
  os: 'Debian 12',
  kernel: '6.1.0',
  topologyHash: 'a'.repeat(64),
  disks: [
    { name: 'nvme0n1', kind: 'ebs', volumeId: ROOT },
    { name: 'nvme1n1', kind: 'ebs', volumeId: DATA_1 },
    { name: 'nvme2n1', kind: 'ebs', volumeId: DATA_2 },
  ],
  filesystems: [dataFs, rootFs],
  arrays: [],
  groups: [
    { name: 'vg', uuid: 'g', disks: ['nvme1n1', 'nvme2n1'], extentBytes: 4194304, freeExtents: 100, missing: 0 },
  ],
  apps: [mariadb],
  modes: { 'lvm-snapshot': possible, 'fs-freeze': possible, 'app-only': possible },
  faults: [],
  ...changes,
});

export const run = (changes: Partial<Run> = {}): Run => ({
  run: RUN,
  instanceId: INSTANCE,
  policy: { name: 'nightly', grade: 'application', onDowngrade: 'keep', leaseSeconds: 30 },
  mode: 'fs-freeze',
  why: 'a test says so',
  expected: 'application',
  apps: ['mysql'],
  volumes: [
    { volumeId: ROOT, device: '/dev/xvda', root: true },
    { volumeId: DATA_1, device: '/dev/sdf', root: false },
    { volumeId: DATA_2, device: '/dev/sdg', root: false },
  ],
  excluded: [],
  excludeBoot: false,
  documents: { freeze: { version: '7', hash: 'f'.repeat(64) }, thaw: { version: '8', hash: 'e'.repeat(64) } },
  clock: { bootId: BOOT, uptime: 1000.5, sentAt: NOW },
  topology: topology(),
  ...changes,
});

/** The receipt of a freeze that went well, as Thaw brings it back. */
export const receipt = (changes: Partial<Receipt> = {}): Receipt => ({
  run: RUN,
  mode: 'fs-freeze',
  bootId: BOOT,
  leaseSeconds: 30,
  armedAt: 1010,
  stalledAt: 1010.2,
  frozenAt: 1011,
  thawAskedAt: 1014,
  releasedAt: 1014.25,
  thawedAt: 1014.3,
  thawedBy: 'asked',
  frozenClock: 1795316411,
  apps: [
    {
      driver: 'mysql',
      name: 'MariaDB 10.11',
      dataDir: '/data/mysql',
      lockedAt: 1010.3,
      releasedAt: 1014.25,
      held: true,
      position: 'binlog.000001 4711',
    },
  ],
  filesystems: [{ mount: '/data', device: '/dev/dm-0', frozenAt: 1010.8, thawedAt: 1014.1, foundFrozen: true }],
  arrays: [],
  lvmSnapshots: [],
  writes: [{ device: 'dm-0', atFreeze: 4711, atThaw: 4711 }],
  notes: [],
  ...changes,
});

/** The same freeze as Freeze answered it: nothing is known of the thaw yet. */
export const atFreeze = (whole: Receipt): Receipt => ({
  ...whole,
  thawAskedAt: null,
  releasedAt: null,
  thawedAt: null,
  thawedBy: null,
  apps: whole.apps.map((app) => ({ ...app, releasedAt: null, held: null })),
  filesystems: whole.filesystems.map((fs) => ({ ...fs, thawedAt: null, foundFrozen: null })),
  writes: whole.writes.map((each) => ({ ...each, atThaw: null })),
});

export const takenSet = (changes: Partial<TakenSet> = {}): TakenSet => ({
  startTime: '2026-11-22T03:00:12.000Z',
  snapshots: [ROOT, DATA_1, DATA_2].map((volumeId, index) => ({ snapshotId: `snap-0000000${index}`, volumeId })),
  requestedAt: NOW + 12_000,
  answeredAt: NOW + 13_000,
  whileFrozen: true,
  ...changes,
});

export const thawed = (changes: Partial<Thawed> = {}): Thawed => ({
  sentAt: NOW + 13_500,
  bootId: BOOT,
  receipt: receipt(),
  ...changes,
});

/** A run in which all went well, in the mode of its receipt. */
export const gradeInput = (changes: Partial<GradeInput> = {}, whole: Receipt = receipt()): GradeInput => ({
  ...run(),
  mode: whole.mode,
  frozen: { sentAt: NOW + 9_000, answeredAt: NOW + 11_500, receipt: atFreeze(whole) },
  snapshots: takenSet(),
  thawed: thawed({ receipt: whole }),
  ...changes,
});

/** A document of the user's own whose script can be carried as a hook. */
export const hookDocument = (lines: readonly string[] = ['#!/bin/bash', "shop-ctl '{{ command }}'"]) => ({
  schemaVersion: '2.2',
  description: 'Quiets the shop.',
  parameters: { command: { type: 'String', allowedValues: ['freeze', 'held', 'thaw'] } },
  mainSteps: [
    { action: 'aws:runShellScript', name: 'quiet', inputs: { timeoutSeconds: '10', runCommand: [...lines] } },
  ],
});
