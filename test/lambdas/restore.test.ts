/** The decisions of a restore; that its steps fit together is the workflow's test. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freeDevice } from '../../lambdas/attach-volumes/device-names.ts';
import { volumeRequest } from '../../lambdas/create-volumes/volume-request.ts';
import { findSet } from '../../lambdas/find-set/find-set.ts';
import { imageRequest, launchRequest } from '../../lambdas/launch-instance/launch-request.ts';
import { mountsOn, mountsWanted, volumesUnder } from '../../lambdas/plan-restore/choose-mounts.ts';
import { originalsOf } from '../../lambdas/plan-restore/choose-originals.ts';
import { planFor } from '../../lambdas/restore-host/restore-host.ts';
import { PARAMETER_PATTERNS, type VolumeSpec } from '../../lambdas/shared/contracts.ts';
import { RESTORE_TAGS, SET_TAGS } from '../../lambdas/shared/names.ts';
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
  set: { id: 'run-1', grade: 'application', startTime: '2026-11-22T03:00:00Z', snapshotIds: [] },
  from: INSTANCE,
  instanceId: INSTANCE,
  zone: 'eu-central-1a',
  launch: null,
  access: 'ro',
  under: '/mnt/freezeframe',
  keepOnFailure: false,
  initializationRate: null,
  document: { version: '1', hash: 'x' },
  volumes: [],
  originals: null,
  merges: [],
  mounts: [],
  ...changes,
});

describe('a volume is made as its original was', () => {
  const request = (spec: VolumeSpec | null, changes: Partial<Restore> = {}) =>
    volumeRequest(restore(changes), { from: volume(1), device: '/dev/sdf', snapshotId: 'snap-1', sizeGiB: 100, spec });

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

describe('a launch', () => {
  const launch = { template: 'lt-0123456789abcdef0', version: '7', subnetId: null, rootDevice: null };
  const member = (k: number, device: string) => ({
    ...{ from: volume(k), device, snapshotId: `snap-${k}`, sizeGiB: 8 },
    spec: GP3,
  });

  test('is the template’s, but for the subnet that was asked for, and is asked for once', () => {
    const request = launchRequest(restore({ launch }), undefined);
    assert.deepEqual(request.LaunchTemplate, { LaunchTemplateId: launch.template, Version: '7' });
    assert.deepEqual(
      [request.SubnetId, request.ImageId, request.BlockDeviceMappings],
      [undefined, undefined, undefined],
    );
    const other = launchRequest(restore({ launch: { ...launch, template: 'app', subnetId: 'subnet-1' } }), undefined);
    assert.deepEqual([other.SubnetId, other.LaunchTemplate], ['subnet-1', { LaunchTemplateName: 'app', Version: '7' }]);
    assert.equal(other.ClientToken, request.ClientToken);
    assert.ok((request.ClientToken?.length ?? 0) <= 64);
    assert.deepEqual(
      request.TagSpecifications?.map(({ ResourceType }) => ResourceType),
      ['instance'],
      'its root volume is none of the set',
    );
  });

  test('from the set boots its root volume, which goes with the instance; the data stays', () => {
    const from = restore({
      launch: { ...launch, rootDevice: '/dev/xvda' },
      volumes: [member(0, '/dev/xvda'), member(1, '/dev/sdf')],
      initializationRate: 200,
    });
    const image = imageRequest(from, '/dev/xvda', { architecture: 'arm64', bootMode: 'uefi' });
    assert.deepEqual(
      [image.Architecture, image.BootMode, image.RootDeviceName, image.BlockDeviceMappings],
      ['arm64', 'uefi', '/dev/xvda', [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: 'snap-0' } }]],
    );
    const request = launchRequest(from, 'ami-1');
    assert.deepEqual(
      request.BlockDeviceMappings?.map(({ DeviceName, Ebs }) => [
        DeviceName,
        Ebs?.SnapshotId,
        Ebs?.Iops,
        Ebs?.VolumeInitializationRate,
        Ebs?.DeleteOnTermination,
      ]),
      [
        ['/dev/xvda', 'snap-0', 4000, 200, true],
        ['/dev/sdf', 'snap-1', 4000, 200, false],
      ],
    );
    for (const kind of request.TagSpecifications ?? [])
      assert.ok(kind.Tags?.some(({ Key, Value }) => Key === RESTORE_TAGS.restore && Value === 'restore-1'));
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
  const mounts = (from: RestoreEvidence, wanted?: string[], beside = true) =>
    mountsWanted(from, wanted, { beside }).map(({ mount }) => mount);

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
    assert.deepEqual(mounts(from, undefined, false), ['/data']);
  });

  test('is in a swap all that lies on the volumes', () => {
    const from = evidence([fs('/data', ['nvme1n1']), fs('/log', ['nvme1n1']), fs('/other', ['nvme1n1', 'nvme2n1'])]);
    assert.deepEqual(
      mountsOn(from, [volume(1)]).map(({ mount }) => mount),
      ['/data', '/log'],
    );
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

describe('what gives its place to a copy', () => {
  const from = (roots: readonly number[] = [0]): RestoreEvidence => ({
    run: 'run-1',
    instance: INSTANCE,
    topology: { disks: [], filesystems: [], arrays: [], groups: [] },
    volumes: [0, 1, 2].map((k) => ({ volumeId: volume(k), device: `/dev/sd${'afg'[k]}`, root: roots.includes(k) })),
    receipt: null,
  });
  const at = (k: number, device: string, tags: Record<string, string> = {}) => ({ volumeId: volume(k), device, tags });
  const wanted = [volume(1), volume(2)];

  test('is the original, at whatever name it is attached by now', () => {
    const { originals, places } = originalsOf(from(), wanted, [
      at(0, '/dev/sda'),
      at(1, '/dev/sdh'),
      at(2, '/dev/sdg'),
    ]);
    assert.deepEqual(originals, [
      { volumeId: volume(1), device: '/dev/sdh' },
      { volumeId: volume(2), device: '/dev/sdg' },
    ]);
    assert.deepEqual([...places.values()], ['/dev/sdh', '/dev/sdg']);
  });

  test('is what an earlier swap has put there, or nothing where nothing is', () => {
    const swapped = at(7, '/dev/sdf', { [RESTORE_TAGS.from]: volume(5) });
    const { originals, places } = originalsOf(from(), wanted, [swapped]);
    assert.deepEqual(originals, [{ volumeId: volume(7), device: '/dev/sdf' }]);
    assert.deepEqual([...places.values()], ['/dev/sdf', '/dev/sdg']);
  });

  test('is never a volume of somebody else, nor the root volume', () => {
    const foreign = () => originalsOf(from(), wanted, [at(8, '/dev/sdf')]);
    assert.throws(foreign, { name: 'NotSwappableError' });
    assert.throws(() => originalsOf(from([1]), wanted, []), { name: 'NotSwappableError' });
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
    tier: 'standard',
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

  test('is of one request: what EC2 carried out after the run bears its tags, and is another moment', async () => {
    const late = '2026-11-22T03:05:00Z';
    const unproven = { [SET_TAGS.grade]: 'unproven' };
    const all = [
      snapshot('run-1', 1, unproven, late),
      snapshot('run-1', 2, unproven, late),
      snapshot('run-1', 1),
      snapshot('run-1', 2),
    ];
    for (const wish of [{}, { set: 'run-1' }]) {
      const { set } = await find(all, wish);
      assert.equal(set.startTime, '2026-11-22T03:00:00Z');
      assert.equal(set.snapshots.length, 2);
    }
  });

  test('of copies is as old as the set that they are of', async () => {
    const started = { [SET_TAGS.started]: '2026-11-20T03:00:00Z' };
    const all = [snapshot('copied', 1, started, '2026-11-23T03:00:00Z'), snapshot('run-1', 1)];
    assert.equal((await find(all)).set.id, 'run-1');
    assert.equal((await find(all, { before: '2026-11-21T00:00:00Z' })).set.id, 'copied');
  });

  test('is refused while members are gone, going or not completed', async () => {
    const whole = snapshot('run-1', 1, { [SET_TAGS.members]: '1' });
    await find([whole]);
    for (const faulty of [
      { ...whole, state: 'pending' },
      { ...whole, tier: 'archive' },
      { ...whole, tags: { ...whole.tags, [SET_TAGS.members]: '2' } },
    ])
      await assert.rejects(find([faulty]), { name: 'SetIncompleteError' });
    const going = { ...whole, tags: { ...whole.tags, [SET_TAGS.deleting]: '2026-11-23T03:00:00Z' } };
    await assert.rejects(find([going]), { name: 'SetDeletedError' });
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
