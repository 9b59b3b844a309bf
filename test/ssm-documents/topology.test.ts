import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type InspectAnswer, PARAMETER_PATTERNS } from '../../lambdas/shared/contracts.ts';
import { FakeHost } from './fake-host.ts';

const DISKS = ['nvme1n1', 'nvme2n1', 'nvme3n1', 'nvme4n1'] as const;
const volumeOf = (index: number) => `0abc0123456789ab${index}`;

/** A root disk that is never frozen, and four EBS volumes. */
const withDisks = (host: FakeHost): FakeHost => {
  host.block('vda', { serial: 'vol0aaaaaaaaaaaaaaaa' }).mount('vda', '/');
  for (const [index, disk] of DISKS.entries()) host.ebs(disk, volumeOf(index));
  return host;
};

const mounts = (answer: InspectAnswer) => answer.filesystems.map((fs) => fs.mount);
const at = (answer: InspectAnswer, mount: string) => {
  const found = answer.filesystems.find((fs) => fs.mount === mount);
  assert.ok(found, `${mount} is not among ${mounts(answer)}`);
  return found;
};
const faults = (answer: InspectAnswer) => answer.faults.map((fault) => fault.code);

test('four EBS volumes, RAID0, LVM, XFS: each layer down to the volume ids', () => {
  using host = withDisks(new FakeHost());
  host
    .md('md0', 'raid0', DISKS)
    .group('vg0', 'md0')
    .volume('vg0', 'data', 'dm-0', ['md0'])
    .udev('dm-0', { ID_FS_UUID: '7d3c9a52-0000-4000-8000-1b2c3d4e5f60' })
    .mount('dm-0', '/data', 'xfs', { options: 'rw,noatime', superOptions: 'rw,attr2,noatime' });
  const answer = host.inspect();

  assert.equal(answer.bootId, '0b5e2d0c-3f5f-4d0e-9d0a-2f1f0e6c7a11');
  assert.equal(answer.uptime, 1234.56);
  assert.equal(answer.os, 'Test Linux 1 (fake)');
  assert.deepEqual(mounts(answer), ['/data', '/']);
  const data = at(answer, '/data');
  assert.deepEqual(
    data.layers.map((layer) => [layer.name, layer.kind, layer.detail]),
    [['dm-0', 'lv', 'vg0/data'], ['md0', 'md', 'raid0'], ...DISKS.map((disk) => [disk, 'disk', ''])],
  );
  assert.deepEqual(data.disks, [...DISKS]);
  assert.deepEqual(
    [data.freezable, data.lv, data.uuid, data.options],
    [true, 'vg0/data', '7d3c9a52-0000-4000-8000-1b2c3d4e5f60', 'rw,noatime,attr2'],
  );
  assert.equal(at(answer, '/').freezable, false);
  assert.match(at(answer, '/').why, /holds \//);
  assert.deepEqual(
    answer.disks.map((disk) => [disk.name, disk.kind, disk.volumeId]),
    [...DISKS.map((disk, index) => [disk, 'ebs', `vol-${volumeOf(index)}`]), ['vda', 'ebs', 'vol-0aaaaaaaaaaaaaaaa']],
  );
  assert.equal(answer.arrays[0]?.uuid, '11111111:22222222:33333333:44444444');
  assert.deepEqual(answer.groups[0]?.disks, [...DISKS]);
  assert.deepEqual(answer.faults, []);
  assert.ok(Object.values(answer.modes).every((mode) => mode.possible));
});

test('Xen names: an EBS volume whose id only EC2 knows, and the disk of a partition', () => {
  using host = new FakeHost();
  host.block('xvda').partition('xvda', 'xvda1').mount('xvda1', '/');
  host.block('xvdf', { 'device/devtype': 'vbd' }).partition('xvdf', 'xvdf1').mount('xvdf1', '/data');
  const answer = host.inspect();
  assert.deepEqual(
    answer.disks.map((disk) => [disk.name, disk.kind, disk.volumeId]),
    [
      ['xvda', 'ebs', ''],
      ['xvdf', 'ebs', ''],
    ],
  );
  assert.deepEqual(
    at(answer, '/data').layers.map((layer) => `${layer.name} ${layer.kind}`),
    ['xvdf1 partition', 'xvdf disk'],
  );
  assert.equal(at(answer, '/data').freezable, true);
  assert.equal(answer.modes['lvm-snapshot'].possible, false);
});

test('an LV striped over two disks, through dm-crypt, with hyphens in the names of group and volume', () => {
  using host = withDisks(new FakeHost());
  host
    .dm('dm-0', 'crypt1', 'CRYPT-LUKS2-aaaa-crypt1', ['nvme1n1'])
    .group('my-vg', 'mapper/crypt1')
    .group('my-vg', 'nvme2n1')
    .volume('my-vg', 'my-data', 'dm-1', ['dm-0', 'nvme2n1'], { type: 'striped' })
    .mount('dm-1', '/data');
  const answer = host.inspect();
  assert.deepEqual(
    at(answer, '/data').layers.map((layer) => `${layer.name} ${layer.kind} ${layer.detail}`.trim()),
    ['dm-1 lv my-vg/my-data', 'dm-0 crypt', 'nvme2n1 disk', 'nvme1n1 disk'],
  );
  assert.equal(at(answer, '/data').lv, 'my-vg/my-data');
  assert.deepEqual(answer.groups[0]?.disks, ['nvme1n1', 'nvme2n1']);
});

test('dm-crypt upon an LV: frozen, but not through a snapshot of an LV it does not lie right on', () => {
  using host = withDisks(new FakeHost());
  host.group('vg0', 'nvme1n1').volume('vg0', 'data', 'dm-0', ['nvme1n1']);
  host.dm('dm-1', 'secret', 'CRYPT-LUKS2-bbbb-secret', ['dm-0']).mount('dm-1', '/data');
  const answer = host.inspect();
  assert.deepEqual([at(answer, '/data').freezable, at(answer, '/data').lv], [true, '']);
  assert.match(answer.modes['lvm-snapshot'].why, /\/data does not lie right on a logical volume/);
});

test('a degraded, a resyncing and a member-less array are faults that name the array; a check is none', () => {
  const codes = (level: string, files: Record<string, string>) => {
    using host = withDisks(new FakeHost());
    host.md('md0', level, ['nvme1n1', 'nvme2n1'], files).mount('md0', '/data');
    const answer = host.inspect();
    for (const fault of answer.faults) assert.match(fault.message, /array md0/);
    return faults(answer);
  };
  assert.deepEqual(codes('raid1', { 'md/degraded': '1' }), ['ArrayDegraded']);
  assert.deepEqual(codes('raid1', { 'md/degraded': '1', 'md/sync_action': 'recover' }), [
    'ArrayDegraded',
    'ArrayResyncing',
  ]);
  assert.deepEqual(codes('raid5', { 'md/sync_action': 'resync' }), ['ArrayResyncing']);
  assert.deepEqual(codes('raid10', { 'md/sync_action': 'check' }), []);
  assert.deepEqual(codes('raid0', { 'md/dev-nvme2n1/state': 'faulty' }), ['ArrayMemberMissing']);
});

test('an array that nothing is mounted on, or only swap, is nobody’s fault', () => {
  using host = withDisks(new FakeHost());
  host.md('md0', 'raid1', ['nvme1n1', 'nvme2n1'], { 'md/degraded': '1' }).swap('/dev/md0', 'partition');
  host.md('md1', 'raid1', ['nvme3n1', 'nvme4n1'], { 'md/degraded': '1' });
  assert.deepEqual(host.inspect().faults, []);
});

test('instance store among EBS volumes is a fault of the array and never frozen; alone it is only left out', () => {
  using host = withDisks(new FakeHost());
  host.instanceStore('nvme5n1').instanceStore('nvme6n1');
  host.md('md0', 'raid0', ['nvme1n1', 'nvme5n1']).mount('md0', '/data', 'xfs').mount('nvme6n1', '/scratch');
  const answer = host.inspect();
  assert.ok(faults(answer).every((code) => code === 'InstanceStoreMember') && faults(answer).length > 0);
  assert.match(answer.faults[0]?.message ?? '', /array md0 .*nvme5n1 \(instance store\)/);
  assert.match(at(answer, '/data').why, /nvme5n1 is instance store/);
  assert.match(at(answer, '/scratch').why, /nvme6n1 is instance store/);
});

test('a disk that is no EBS volume in the volume group is a fault even where no file system reaches it yet', () => {
  using host = withDisks(new FakeHost());
  host
    .block('sdb')
    .group('vg0', 'nvme1n1')
    .group('vg0', 'sdb')
    .volume('vg0', 'data', 'dm-0', ['nvme1n1'])
    .mount('dm-0', '/data');
  const answer = host.inspect();
  assert.deepEqual(faults(answer), ['InstanceStoreMember']);
  assert.match(answer.faults[0]?.message ?? '', /volume group vg0 .*sdb \(no EBS volume\)/);
});

test('a partial, an exported and a moving volume group are faults', () => {
  const codes = (attr: string, missing: number, pvmove: boolean) => {
    using host = withDisks(new FakeHost());
    host.group('vg0', 'nvme1n1', { attr, missing }).volume('vg0', 'data', 'dm-0', ['nvme1n1']).mount('dm-0', '/data');
    if (pvmove) host.volume('vg0', '[pvmove0]', '', [], { attr: 'p-C-aom---', type: 'mirror' });
    return faults(host.inspect());
  };
  assert.deepEqual(codes('wz-pn-', 1, false), ['GroupPartial']);
  assert.deepEqual(codes('wzx-n-', 0, false), ['GroupExported']);
  assert.deepEqual(codes('wz--n-', 0, true), ['GroupMoving']);
});

test('a bind mount is its file system once more, listed once under the mount of its root', () => {
  using host = withDisks(new FakeHost());
  host
    .mount('nvme1n1', '/srv/part', 'ext4', { root: '/part' })
    .mount('nvme1n1', '/data')
    .mount('nvme1n1', '/mnt/again', 'ext4', { root: '/sub' });
  assert.deepEqual(mounts(host.inspect()), ['/data', '/']);
  assert.equal(host.ask('mount_of /srv/part/x; echo "$REPLY"; mount_of /etc/passwd; echo "$REPLY"'), '/data\n/');
});

test('nested mounts are frozen deepest first, several file systems of one group among them', () => {
  using host = withDisks(new FakeHost());
  host.group('vg0', 'nvme1n1').volume('vg0', 'a', 'dm-0', ['nvme1n1']).volume('vg0', 'b', 'dm-1', ['nvme1n1']);
  host.mount('dm-0', '/data').mount('dm-1', '/data/inner', 'ext4', { parent: 21 }).mount('nvme2n1', '/other');
  assert.deepEqual(mounts(host.inspect()), ['/other', '/data/inner', '/data', '/']);
});

test('a file system in an image file is frozen before the one that holds the file, though it was mounted first', () => {
  using host = withDisks(new FakeHost());
  host.block('loop0', { 'loop/backing_file': '/data/image' });
  host.mount('loop0', '/image').mount('nvme1n1', '/data');
  const answer = host.inspect();
  assert.deepEqual(mounts(answer), ['/image', '/data', '/']);
  assert.deepEqual(at(answer, '/image').disks, ['nvme1n1']);
  assert.equal(at(answer, '/image').freezable, true);
});

test('a file system in an image file on the root file system is never frozen', () => {
  using host = withDisks(new FakeHost());
  host.block('loop0', { 'loop/backing_file': '/var/image' }).mount('loop0', '/image');
  assert.match(at(host.inspect(), '/image').why, /its image file lies on \//);
});

test('a file system under another mount can’t be reached by its path and is not frozen', () => {
  using host = withDisks(new FakeHost());
  host.mount('nvme1n1', '/data').mount('nvme2n1', '/data', 'ext4', { parent: 21 });
  host.mount('nvme3n1', '/srv/deep').mount('nvme4n1', '/srv');
  const answer = host.inspect();
  const hidden = answer.filesystems.filter((fs) => !fs.freezable).map((fs) => fs.device);
  assert.deepEqual(hidden.sort(), ['nvme1n1', 'nvme3n1', 'vda']);
  assert.equal(host.ask('mount_of /srv/deep/x; echo "$REPLY"'), '/srv');
});

test('a path is real as readlink has it, and one without links starts no process', () => {
  using host = withDisks(new FakeHost());
  const at = host.directory;
  mkdirSync(join(at, 'place/deep'), { recursive: true });
  symlinkSync('place', join(at, 'link'));
  symlinkSync('../missing', join(at, 'place/dangling'));
  const straight = ['/', `${at}/place/deep`, `${at}/place/gone/further`, `${at}/place/with blank`];
  const crooked = [`${at}/link/deep`, `${at}/place/dangling`, `${at}/place/`, `${at}//place`, `${at}/link/../place`];
  const real = (paths: string[]) =>
    host.ask(`readlink() { echo -n 'by a process: '; command readlink "$@"; }
      for path in ${paths.map((path) => `'${path}'`).join(' ')}; do real_path "$path"; echo "$REPLY"; done`);
  const expected = (paths: string[]) => execFileSync('readlink', ['-m', '--', ...paths], { encoding: 'utf8' }).trim();
  assert.equal(real(straight), expected(straight));
  assert.equal(real(crooked).replaceAll('by a process: ', ''), expected(crooked));
});

test('mounts that stood before the root was moved into place are not hidden by it', () => {
  using host = new FakeHost();
  host.ebs('nvme1n1', volumeOf(1)).ebs('nvme0n1', volumeOf(0));
  host.mount('nvme1n1', '/data', 'ext4', { parent: 21 }).mount('nvme0n1', '/', 'ext4', { parent: 1 });
  assert.equal(at(host.inspect(), '/data').freezable, true);
});

test('what the host needs to thaw is never frozen: system directories, swap files, read-only and foreign types', () => {
  using host = withDisks(new FakeHost());
  host.ebs('nvme5n1', volumeOf(5)).ebs('nvme6n1', volumeOf(6));
  host
    .mount('nvme1n1', '/var/log')
    .mount('nvme2n1', '/swap')
    .swap('/swap/file', 'file')
    .mount('nvme3n1', '/frozen-fast', 'ext4', { superOptions: 'ro' })
    .mount('nvme4n1', '/boot/efi', 'vfat')
    .mount('nvme5n1', '/var/lib/mysql')
    .mount('nvme6n1', '/tmp');
  const answer = host.inspect();
  assert.match(at(answer, '/var/log').why, /holds \/var\/log/);
  assert.match(at(answer, '/swap').why, /swap file \/swap\/file/);
  assert.match(at(answer, '/frozen-fast').why, /read-only/);
  assert.match(at(answer, '/boot/efi').why, /vfat can't be frozen/);
  assert.match(at(answer, '/tmp').why, /holds \/tmp/);
  assert.equal(at(answer, '/var/lib/mysql').freezable, true);
});

test('tmpfs, overlay, network file systems and snaps are no file systems of ours', () => {
  using host = withDisks(new FakeHost());
  host.block('loop0', { 'loop/backing_file': '/var/lib/snapd/x.snap' });
  host
    .mount('tmpfs', '/run', 'tmpfs')
    .mount('overlay', '/var/lib/docker/x', 'overlay')
    .mount('fs:/x', '/nfs', 'nfs4')
    .mount('loop0', '/snap/x/1', 'squashfs');
  assert.deepEqual(mounts(host.inspect()), ['/']);
});

test('btrfs on several disks is told with all of its members, its subvolumes as one', () => {
  using host = withDisks(new FakeHost());
  for (const disk of ['nvme1n1', 'nvme2n1']) host.file(`sys/fs/btrfs/b7f0-uuid/devices/${disk}/x`, '');
  host
    .mount('nvme2n1', '/data', 'btrfs', { root: '/@data', number: '0:39' })
    .mount('nvme2n1', '/logs', 'btrfs', { root: '/@logs', number: '0:39' });
  const data = at(host.inspect(), '/data');
  assert.deepEqual([data.disks, data.device, data.uuid], [['nvme2n1', 'nvme1n1'], 'nvme2n1', 'b7f0-uuid']);
  assert.deepEqual(mounts(host.inspect()), ['/data', '/']);
});

test('names with blanks, quotes and backslashes are told as they are', () => {
  using host = withDisks(new FakeHost());
  host.mount('nvme1n1', '/my\\040data\\134x"y', 'ext4');
  assert.deepEqual(mounts(host.inspect()), ['/my data\\x"y', '/']);
});

test('write counters are kept of devices that only frozen file systems are written through', () => {
  using host = withDisks(new FakeHost());
  host.partition('nvme1n1', 'nvme1n1p1').partition('nvme1n1', 'nvme1n1p2');
  host.mount('nvme1n1p1', '/data').mount('nvme1n1p2', '/var');
  host.md('md0', 'raid0', ['nvme2n1', 'nvme3n1']).group('vg0', 'md0');
  host.volume('vg0', 'one', 'dm-0', ['md0']).volume('vg0', 'raw', 'dm-1', ['md0']).mount('dm-0', '/one');
  host.mount('nvme4n1', '/four');
  assert.equal(
    host.ask(`for i in "\${!FS_MOUNT[@]}"; do echo "\${FS_MOUNT[i]}:\${FS_OWN[i]}"; done`),
    ['/four:nvme4n1', '/one:dm-0', '/var:', '/data:nvme1n1p1', '/:'].join('\n'),
  );
});

test('an array under one file system counts down to its disks', () => {
  using host = withDisks(new FakeHost());
  host.md('md0', 'raid1', ['nvme1n1', 'nvme2n1']).mount('md0', '/data');
  assert.equal(host.ask(`echo "\${FS_OWN[0]}"`), 'md0 nvme1n1 nvme2n1');
});

test('the hash is that of what a freeze depends on: a new mount changes it, free extents and array states do not', () => {
  const arrayed = (change: (host: FakeHost) => void, free = 100) => {
    const host = withDisks(new FakeHost());
    host
      .md('md0', 'raid1', ['nvme1n1', 'nvme2n1'])
      .group('vg0', 'md0', { free })
      .volume('vg0', 'data', 'dm-0', ['md0']);
    host.mount('dm-0', '/data');
    change(host);
    return host;
  };
  const hash = (change: (host: FakeHost) => void, free?: number) => {
    using host = arrayed(change, free);
    return host.inspect('none').topologyHash;
  };
  const before = hash(() => {});
  assert.match(before, new RegExp(PARAMETER_PATTERNS.Topology));
  assert.equal(
    hash((host) => host.file('sys/class/block/md0/md/array_state', 'active'), 7),
    before,
  );
  const changes = (change: (host: FakeHost) => void, more = '') => {
    using host = arrayed(change);
    return host.ask(`${more}\ntopology_hash; topology_changes ${before}; echo "$REPLY"`);
  };
  assert.equal(
    changes(() => {}),
    '',
  );
  assert.equal(
    changes((host) => host.mount('nvme3n1', '/new')),
    'file systems',
  );
  assert.equal(
    changes((host) => host.file('sys/class/block/nvme1n1/device/serial', 'vol0fffffffffffffff0')),
    'disks',
  );
  assert.equal(
    changes(() => {}, "app_found redis Redis 1; P_HOOK='another'"),
    'applications, the hook document',
  );
});

test('thirty disks and a dozen mounts fit into one answer of the agent', () => {
  using host = new FakeHost();
  host.ebs('nvme0n1', volumeOf(0)).partition('nvme0n1', 'nvme0n1p1').mount('nvme0n1p1', '/');
  const disks = Array.from({ length: 30 }, (_, index) => `nvme${index + 1}n1`);
  for (const [index, disk] of disks.entries()) host.ebs(disk, `0abc0123456789a${10 + index}`);
  host.md('md0', 'raid10', disks).group('vg0', 'md0');
  for (let k = 0; k < 12; k += 1) {
    host
      .volume('vg0', `data-number-${k}`, `dm-${k}`, ['md0'])
      .udev(`dm-${k}`, { ID_FS_UUID: '7d3c9a52-0000-4000-8000-1b2c3d4e5f60' });
    host.mount(`dm-${k}`, `/srv/databases/number-${k}`, 'xfs', {
      superOptions: 'rw,attr2,inode64,logbufs=8,logbsize=64k,sunit=128,swidth=256,noquota',
    });
  }
  const answer = host.inspect();
  assert.equal(answer.filesystems.length, 13);
  assert.equal(at(answer, '/srv/databases/number-3').disks.length, 30);
  assert.ok(JSON.stringify(answer).length < 20_000);
});

test('an lvm2 without --nohints is asked without it', () => {
  using host = withDisks(new FakeHost());
  host.oldLvm().group('vg0', 'nvme1n1').volume('vg0', 'data', 'dm-0', ['nvme1n1']).mount('dm-0', '/data');
  assert.equal(at(host.inspect(), '/data').lv, 'vg0/data');
});

test('what counts as written to a frozen device are sectors, not the flushes of a cache that had nothing to write', () => {
  using host = withDisks(new FakeHost());
  const diskstats = (writes: number, sectors: number) =>
    host.file('proc/diskstats', ` 259 1 nvme1n1 10 0 80 5 ${writes} 0 ${sectors} 7 0 9 12 0 0 0 0 3 1\n`);
  const counted = () => host.ask('WRITE_DEVICE=(nvme1n1); counters_read freeze; declare -p WRITE_FREEZE');
  diskstats(100, 4096);
  const before = counted();
  diskstats(101, 4096);
  assert.equal(counted(), before);
  diskstats(102, 4104);
  assert.notEqual(counted(), before);
});
