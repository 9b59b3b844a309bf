/** The decisions of a restore; that its steps fit together is the workflow's test. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freeDevice } from '../../lambdas/attach-volumes/device-names.ts';
import { volumeRequest } from '../../lambdas/create-volumes/volume-request.ts';
import { findSet } from '../../lambdas/find-set/find-set.ts';
import { mountsWanted, volumesUnder } from '../../lambdas/plan-restore/choose-mounts.ts';
import { planFor } from '../../lambdas/restore-host/restore-host.ts';
import { PARAMETER_PATTERNS, type VolumeSpec } from '../../lambdas/shared/contracts.ts';
import { SET_TAGS } from '../../lambdas/shared/names.ts';
import { type Restore, type RestoreEvidence, RestoreWish } from '../../lambdas/shared/restore-contracts.ts';

const INSTANCE = 'i-0123456789abcdef0';
const volume = (k: number) => `vol-0000000000000000${k}`;

const GP3: VolumeSpec = {
  type: 'gp3',
  sizeGiB: 100,
  iops: 4000,
  throughput: 250,
  encrypted: false,
  kmsKeyId: null,
  tags: { team: 'a' },
};
const restore = (changes: Partial<Restore> = {}): Restore => ({
  restore: 'restore-1',
  set: { id: 'run-1', grade: 'application', startTime: '2026-11-22T03:00:00Z' },
  from: INSTANCE,
  instanceId: INSTANCE,
  zone: 'eu-central-1a',
  access: 'ro',
  under: '/mnt/freezeframe',
  keepOnFailure: false,
  initializationRate: null,
  document: { version: '1', hash: 'x' },
  volumes: [],
  merges: [],
  mounts: [],
  ...changes,
});

describe('a volume is made as its original was', () => {
  const request = (spec: VolumeSpec | null, changes: Partial<Restore> = {}) =>
    volumeRequest(restore(changes), { from: volume(1), snapshotId: 'snap-1', sizeGiB: 100, spec });

  test('with the numbers that its type may have, and no others', () => {
    const numbers = (type: string) => {
      const { Iops, Throughput } = request({ ...GP3, type });
      return [Iops, Throughput];
    };
    assert.deepEqual(numbers('gp3'), [4000, 250]);
    assert.deepEqual(numbers('io2'), [4000, undefined]);
    for (const type of ['gp2', 'st1', 'sc1', 'standard']) assert.deepEqual(numbers(type), [undefined, undefined]);
  });

  test('under its key, with its tags and ours, the same request for the same volume', () => {
    const { Encrypted, KmsKeyId, TagSpecifications, ClientToken } = request({
      ...GP3,
      encrypted: true,
      kmsKeyId: 'key',
    });
    assert.deepEqual([Encrypted, KmsKeyId], [true, 'key']);
    const keys = TagSpecifications?.[0]?.Tags?.map(({ Key }) => Key);
    assert.deepEqual(keys, [
      'team',
      'freezeframe:restore',
      'freezeframe:restored-set',
      'freezeframe:restored-volume',
      'freezeframe:exclude',
    ]);
    assert.equal(request(GP3).ClientToken, ClientToken);
    assert.notEqual(request(GP3, { restore: 'restore-2' }).ClientToken, ClientToken);
  });

  test('of a set that does not tell, as gp3', () => {
    const { VolumeType, Iops, Encrypted } = request(null);
    assert.deepEqual([VolumeType, Iops, Encrypted], ['gp3', undefined, undefined]);
  });

  test('with no more tags than a volume takes, ours among them', () => {
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, k) => [`tag-${k}`, 'x']));
    const made = request({ ...GP3, tags }).TagSpecifications?.[0]?.Tags ?? [];
    assert.equal(made.length, 50);
    assert.ok(made.some(({ Key }) => Key === 'freezeframe:restore'));
  });
});

test('a device name is free when neither it nor its Xen twin is taken', () => {
  const taken = new Set(['/dev/xvda', '/dev/sdf', '/dev/xvdg', '/dev/sdh1']);
  assert.equal(freeDevice(INSTANCE, taken), '/dev/sdi');
  const all = new Set([...taken]);
  for (let k = 0; k < 60; k += 1) all.add(freeDevice(INSTANCE, all));
  assert.equal(all.size, 64);
  assert.throws(() => freeDevice(INSTANCE, all), { name: 'NoDeviceNameError' });
});

describe('what is mounted', () => {
  const layer = (name: string, kind: 'disk' | 'lv' | 'md' | 'loop' = 'disk') => ({ name, kind, detail: '', uuid: '' });
  const fs = (mount: string, disks: string[], changes: object = {}) => ({
    mount,
    type: 'xfs',
    device: 'dm-0',
    uuid: `uuid-${mount}`,
    options: 'rw',
    freezable: true,
    why: '',
    lv: '',
    layers: disks.map((disk) => layer(disk)),
    disks,
    ...changes,
  });
  const evidence = (filesystems: ReturnType<typeof fs>[], changes: object = {}): RestoreEvidence => ({
    run: 'run-1',
    instance: INSTANCE,
    topology: {
      disks: [0, 1, 2, 3].map((k) => ({ name: `nvme${k}n1`, kind: 'ebs' as const, volumeId: volume(k) })),
      filesystems,
      arrays: [],
      groups: [],
      ...changes,
    },
    volumes: [0, 1, 2].map((k) => ({ volumeId: volume(k), device: `/dev/sd${'afg'[k]}`, root: k === 0 })),
    receipt: null,
  });
  const mounts = (from: RestoreEvidence, wanted?: string[], target = INSTANCE) =>
    mountsWanted(from, wanted, target).map(({ mount }) => mount);

  test('is all but the root volume, unless it is named', () => {
    const from = evidence([fs('/data', ['nvme1n1']), fs('/', ['nvme0n1'])]);
    assert.deepEqual(mounts(from), ['/data']);
    assert.deepEqual(mounts(from, ['/']), ['/']);
    assert.throws(() => mounts(evidence([fs('/', ['nvme0n1'])])), { name: 'NotInSetError' });
  });

  test('is nothing that the set holds in part, or not by itself', () => {
    const from = evidence([
      fs('/data', ['nvme1n1']),
      fs('/elsewhere', ['nvme3n1']),
      fs('/image', ['nvme1n1'], { layers: [layer('loop0', 'loop')] }),
    ]);
    assert.deepEqual(mounts(from), ['/data']);
    for (const mount of ['/elsewhere', '/image', '/none'])
      assert.throws(() => mounts(from, [mount]), { name: 'NotInSetError' }, mount);
  });

  test('is no btrfs beside its original', () => {
    const from = evidence([fs('/data', ['nvme1n1'], { type: 'btrfs' })]);
    assert.throws(() => mounts(from), { name: 'NotBesideOriginalError' });
    assert.deepEqual(mounts(from, undefined, 'i-0aaaaaaaaaaaaaaaa'), ['/data']);
  });

  test('takes whole arrays and groups, and the root volume where it belongs to one', () => {
    const data = fs('/data', ['nvme1n1']);
    const group = (disks: string[]) => ({ name: 'vg0', uuid: 'x', disks, extentBytes: 1, freeExtents: 0, missing: 0 });
    const under = (groups: ReturnType<typeof group>[]) => volumesUnder(evidence([data], { groups }), [data]).sort();
    assert.deepEqual(under([]), [volume(1)]);
    assert.deepEqual(under([group(['nvme1n1', 'nvme2n1']), group(['nvme2n1', 'nvme0n1'])]), [0, 1, 2].map(volume));
    assert.throws(() => under([group(['nvme1n1', 'nvme3n1'])]), { name: 'NotInSetError' });
  });
});

describe('the plan for the host', () => {
  test('keeps blanks and newlines in paths apart from its own', () => {
    const mount = { mount: '/my data\n2', type: 'xfs', uuid: 'u', options: 'rw', lv: '' };
    const plan = planFor(restore({ mounts: [mount], merges: [{ origin: 'vg0/data', snapshot: 'ff_data' }] }), [
      volume(1),
    ]);
    assert.match(plan, new RegExp(PARAMETER_PATTERNS.Plan));
    assert.deepEqual(Buffer.from(plan, 'base64').toString().split('\n'), [
      `volume ${volume(1)}`,
      'merge vg0/data ff_data',
      'mount xfs u rw - /my\\040data\\0122',
      '',
    ]);
  });

  test('that is longer than a command can carry is refused', () => {
    const mounts = Array.from({ length: 200 }, (_, k) => ({
      mount: `/${'x'.repeat(60)}/${k}`,
      type: 'xfs',
      uuid: 'u',
      options: 'rw',
      lv: '',
    }));
    assert.throws(() => planFor(restore({ mounts }), [volume(1)]), { name: 'TooManyFilesystemsError' });
  });
});

describe('the set', () => {
  const snapshot = (set: string, k: number, tags: Record<string, string> = {}, startTime = '2026-11-22T03:00:00Z') => ({
    snapshotId: `snap-${set}-${k}`,
    volumeId: 'vol-ffffffff',
    startTime,
    state: 'completed',
    sizeGiB: 8,
    tags: {
      [SET_TAGS.set]: set,
      [SET_TAGS.run]: set,
      [SET_TAGS.grade]: 'application',
      [SET_TAGS.volume]: volume(k),
      ...tags,
    },
  });
  const find = (snapshots: ReturnType<typeof snapshot>[], wish: object = {}) =>
    findSet(
      { input: RestoreWish.parse({ instanceId: INSTANCE, ...wish }), restore: 'restore-1' },
      { ofInstance: async () => snapshots },
    );

  test('knows the volumes by their tags, since a copied snapshot has forgotten its own', async () => {
    const { set, key } = await find([snapshot('run-1', 1), snapshot('run-1', 2)]);
    assert.deepEqual(
      set.snapshots.map(({ volumeId }) => volumeId),
      [volume(1), volume(2)],
    );
    assert.equal(key, `sets/${INSTANCE}/run-1.json`);
  });

  test('is the newest of the least grade that will do, and never one of strays', async () => {
    const all = [
      snapshot('old', 1),
      snapshot('crashed', 1, { [SET_TAGS.grade]: 'crash' }, '2026-11-22T04:00:00Z'),
      snapshot('run-9-stray', 1, { [SET_TAGS.run]: 'run-9' }, '2026-11-22T05:00:00Z'),
    ];
    assert.equal((await find(all)).set.id, 'crashed');
    assert.equal((await find(all, { grade: 'filesystem' })).set.id, 'old');
    await assert.rejects(find(all, { set: 'run-9-stray' }), { name: 'NoSuchSetError' });
  });
});
