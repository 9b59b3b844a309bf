import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from './fake-host.ts';

const withRoot = (host: FakeHost): FakeHost => host.block('vda', { serial: 'vol0aaaaaaaaaaaaaaaa' }).mount('vda', '/');

/** One LV of a thousand extents on one volume. */
const withVolume = (
  host: FakeHost,
  group: Parameters<FakeHost['group']>[2],
  volume: Parameters<FakeHost['volume']>[4] = {},
) =>
  withRoot(host)
    .ebs('nvme1n1', '0abc0123456789ab1')
    .group('vg0', 'nvme1n1', group)
    .volume('vg0', 'data', 'dm-0', ['nvme1n1'], volume)
    .mount('dm-0', '/data');

const lvmSnapshot = (host: FakeHost) => host.inspect().modes['lvm-snapshot'];

test('an LVM snapshot needs a twentieth of its origin in free extents, and says what to do without', () => {
  using enough = withVolume(new FakeHost(), { free: 50 });
  assert.deepEqual(lvmSnapshot(enough), { possible: true, why: '' });
  using few = withVolume(new FakeHost(), { free: 49 });
  assert.deepEqual(lvmSnapshot(few), {
    possible: false,
    why: 'volume group vg0 has 49 free extents, and an LVM snapshot of vg0/data needs 50; add a volume or use freezeframe:mode=fs-freeze',
  });
});

test('a thin volume needs no free extents, but a pool below 80 percent', () => {
  const thin = { type: 'thin', attr: 'Vwi-aotz--', pool: 'pool' };
  const withPool = (data: string, meta: string) => {
    const host = withVolume(new FakeHost(), { free: 0 }, thin);
    return host.volume('vg0', 'pool', '', [], { type: 'thin-pool', attr: 'twi-aotz--', data, meta });
  };
  using roomy = withPool('79.99', '12.00');
  assert.deepEqual(lvmSnapshot(roomy), { possible: true, why: '' });
  assert.equal(roomy.ask('lv_index vg0/data; is_thin "$REPLY" && echo thin'), 'thin');
  using full = withPool('50.00', '80.01');
  assert.match(lvmSnapshot(full).why, /thin pool vg0\/pool is full to 50 % \(metadata 80 %\)/);
});

test('a volume that lvcreate can’t take a snapshot of rules the mode out', () => {
  for (const volume of [
    { attr: 'swi-aos---' },
    { attr: 'Owi-aos---' },
    { type: 'mirror', attr: 'mwi-aom---' },
    { attr: '-wI-ao----' },
  ]) {
    using host = withVolume(new FakeHost(), {}, volume);
    assert.match(lvmSnapshot(host).why, /\/data does not lie right on a logical volume that can have a snapshot/);
    assert.equal(host.inspect().modes['fs-freeze'].possible, true);
  }
});

test('a shared group, and two groups of one name, rule LVM snapshots out', () => {
  using shared = withVolume(new FakeHost(), { attr: 'wz--ns' });
  assert.equal(lvmSnapshot(shared).why, 'volume group vg0 is shared');
  using cloned = withVolume(new FakeHost(), {})
    .ebs('nvme2n1', '0abc0123456789ab2')
    .group('vg0', 'nvme2n1', { uuid: 'VGcopy' });
  assert.match(lvmSnapshot(cloned).why, /2 volume groups vg0/);
});

test('a file system beside LVM rules LVM snapshots out, since it would be left unquieted', () => {
  using host = withVolume(new FakeHost(), {}).ebs('nvme2n1', '0abc0123456789ab2').mount('nvme2n1', '/plain');
  assert.match(lvmSnapshot(host).why, /\/plain does not lie right on/);
});

test('with nothing but system file systems only the application can be quieted', () => {
  using host = withRoot(new FakeHost());
  const { modes } = host.inspect();
  assert.equal(modes['lvm-snapshot'].possible, false);
  assert.match(modes['fs-freeze'].why, /no file system can be frozen \(\/: holds \//);
  assert.deepEqual(modes['app-only'], { possible: true, why: '' });
});

test('volumes of one group share its free extents by their size', () => {
  using host = withVolume(new FakeHost(), { free: 400 });
  host.volume('vg0', 'big', 'dm-1', ['nvme1n1'], { extents: 3000 }).mount('dm-1', '/big');
  host.volume('vg0', 'unmounted', 'dm-2', ['nvme1n1'], { extents: 9000 });
  const extents = host.ask('for lv in data big; do lv_index vg0/$lv; cow_extents "$REPLY"; echo "$REPLY"; done');
  assert.deepEqual(extents.split('\n').map(Number), [100, 299]);
});

test('a small volume beside a large one gets an extent of the few that are free', () => {
  using host = withVolume(new FakeHost(), { free: 30 });
  host.volume('vg0', 'small', 'dm-1', ['nvme1n1'], { extents: 5 }).mount('dm-1', '/small');
  assert.equal(host.ask('lv_index vg0/small; cow_extents "$REPLY"; echo "$REPLY"'), '1');
});

test('an LVM snapshot takes a fifth of its origin, more of a roomy group, and never more than can overflow', () => {
  const extents = (free: number) => {
    using host = withVolume(new FakeHost(), { free });
    return Number(host.ask('lv_index vg0/data; cow_extents "$REPLY"; echo "$REPLY"'));
  };
  assert.equal(extents(150), 150);
  assert.equal(extents(300), 200);
  assert.equal(extents(1000), 500);
  assert.equal(extents(100_000), 1011);
});

test('an unknown mode is refused', () => {
  using host = withRoot(new FakeHost());
  assert.equal(host.ask('mode_possible nonsense || echo "$REPLY"'), 'there is no mode nonsense');
});
