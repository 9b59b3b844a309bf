/** Locks and copies of snapshots, as EC2 keeps them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CopySnapshotCommand,
  type CopySnapshotCommandInput,
  DeleteSnapshotCommand,
  DescribeImagesCommand,
  DescribeLockedSnapshotsCommand,
  DescribeSnapshotsCommand,
  DescribeSnapshotTierStatusCommand,
  EC2Client,
  LockSnapshotCommand,
  type LockSnapshotCommandInput,
  ModifySnapshotAttributeCommand,
  ModifySnapshotTierCommand,
  UnlockSnapshotCommand,
} from '@aws-sdk/client-ec2';
import { DATA, instance, lab, refusal } from './setup.ts';

const DAY_MS = 86_400_000;

async function withSnapshot() {
  const on = await lab({ latency: { snapshotCopyMs: 60_000 } });
  on.world.ec2.addInstance(instance());
  const snapshot = on.world.ec2.snapshots.put({ volumeId: DATA[0] });
  const lock = (more: Partial<LockSnapshotCommandInput> = {}) =>
    on.ec2.send(new LockSnapshotCommand({ SnapshotId: snapshot.id, LockMode: 'governance', LockDuration: 7, ...more }));
  const remove = () => on.ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot.id }));
  const locks = async () => (await on.ec2.send(new DescribeLockedSnapshotsCommand({}))).Snapshots;
  const there = new EC2Client({ ...on.config, region: 'eu-west-1' });
  const copy = (more: Partial<CopySnapshotCommandInput> = {}) =>
    there.send(new CopySnapshotCommand({ SourceRegion: on.world.region, SourceSnapshotId: snapshot.id, ...more }));
  const copies = async () => (await there.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }))).Snapshots;
  return Object.assign(on, { snapshot, lock, remove, locks, copy, copies, there });
}

test('a locked snapshot can’t be deleted until its lock has expired', async () => {
  await using on = await withSnapshot();
  await on.lock();
  assert.equal((await on.locks())?.[0]?.LockState, 'governance');
  assert.notEqual(await refusal(on.remove()), 'no error');
  await on.clock.advance(7 * DAY_MS);
  assert.equal((await on.locks())?.[0]?.LockState, 'expired');
  assert.equal(await refusal(on.remove()), 'no error');
});

test('a lock that was put on while the snapshot was pending counts from its completion', async () => {
  await using on = await withSnapshot();
  Object.assign(on.snapshot, { state: 'pending', completedAt: undefined });
  await on.lock({ LockDuration: 1 });
  await on.clock.advance(2 * DAY_MS);
  assert.equal((await on.locks())?.[0]?.LockExpiresOn, undefined);
  Object.assign(on.snapshot, { state: 'completed', completedAt: on.clock.now() });
  assert.equal((await on.locks())?.[0]?.LockExpiresOn?.getTime(), on.clock.now() + DAY_MS);
});

test('governance can be taken off again; compliance can’t, nor be shortened, but for its cool-off', async () => {
  await using on = await withSnapshot();
  const unlock = () => on.ec2.send(new UnlockSnapshotCommand({ SnapshotId: on.snapshot.id }));
  await on.lock();
  await unlock();
  await on.lock({ LockMode: 'compliance', CoolOffPeriod: 1 });
  assert.equal(await refusal(unlock()), 'no error');
  await on.lock({ LockMode: 'compliance' });
  assert.equal(await refusal(unlock()), 'InvalidParameterValue');
  assert.equal(await refusal(on.lock({ LockMode: 'compliance', LockDuration: 6 })), 'InvalidParameterValue');
  assert.equal(await refusal(on.lock({ LockMode: 'compliance', LockDuration: 8 })), 'no error');
  assert.equal(await refusal(on.lock({ LockMode: 'compliance', LockDuration: 40_000 })), 'InvalidParameterValue');
});

test('a copy belongs to its Region, bears the tags of the call only, and knows no volume', async () => {
  await using on = await withSnapshot();
  on.snapshot.tags = new Map([['own', 'x']]);
  await on.copy({ TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'a', Value: 'b' }] }] });
  const [copy] = (await on.copies()) ?? [];
  assert.deepEqual([copy?.State, copy?.Tags, copy?.VolumeId], ['pending', [{ Key: 'a', Value: 'b' }], 'vol-ffffffff']);
  assert.equal(on.world.ec2.snapshots.all.size, 1, 'the source’s Region has none of it');
  await on.clock.advance(60_000);
  assert.equal((await on.copies())?.[0]?.State, 'completed');
});

test('only a completed snapshot is copied, and twenty at a time into one Region', async () => {
  await using on = await withSnapshot();
  for (let made = 0; made < 20; made += 1) await on.copy();
  assert.equal(await refusal(on.copy()), 'ResourceLimitExceeded');
  await on.clock.advance(60_000);
  assert.equal(await refusal(on.copy()), 'no error');
  on.snapshot.state = 'pending';
  assert.equal(await refusal(on.copy()), 'IncorrectState');
});

test('a key that may not be used shows only after the call: the copy fails and says why', async () => {
  await using on = await withSnapshot();
  on.world.inRegion('eu-west-1').ec2.copies.deniedKeys.add('arn:key');
  await on.copy({ Encrypted: true, KmsKeyId: 'arn:key' });
  await on.clock.advance(60_000);
  const [copy] = (await on.copies()) ?? [];
  assert.deepEqual([copy?.State, copy?.StateMessage], ['error', 'Given key ID is not accessible']);
});

test('a copy that is given a time takes that long, and fails when its source goes away meanwhile', async () => {
  await using on = await withSnapshot();
  for (const minutes of [10, 20, 2_895]) {
    assert.equal(await refusal(on.copy({ CompletionDurationMinutes: minutes })), 'InvalidParameterValue');
  }
  await on.copy({ CompletionDurationMinutes: 30 });
  await on.clock.advance(29 * 60_000);
  assert.deepEqual(
    (await on.copies())?.map(({ State, Progress }) => [State, Progress]),
    [['pending', '50%']],
  );
  await on.clock.advance(60_000);
  await on.copy();
  on.snapshot.deleted = true;
  await on.clock.advance(60_000);
  assert.deepEqual(
    (await on.copies())?.map(({ State }) => State),
    ['completed', 'error'],
  );
});

test('two Regions move so much at once for copies with a time: then they take longer, and then there is no room', async () => {
  await using on = await withSnapshot();
  Object.assign(on.snapshot, { sizeGiB: 600 });
  // 600 GiB in 15 minutes are 683 MiB/s, and one copy gets 500.
  for (let copy = 0; copy < 4; copy += 1) await on.copy({ CompletionDurationMinutes: 15 });
  assert.equal(await refusal(on.copy({ CompletionDurationMinutes: 15 })), 'ResourceLimitExceeded');
  await on.clock.advance(16 * 60_000);
  assert.ok((await on.copies())?.every(({ State }) => State === 'pending'));
  await on.clock.advance(5 * 60_000);
  assert.ok((await on.copies())?.every(({ State }) => State === 'completed'));
});

test('another account copies what is shared with it, and nothing else; EBS’s own key can’t be shared', async () => {
  await using on = await withSnapshot();
  const role = 'arn:aws:iam::210987654321:role/copies';
  const theirs = new EC2Client({
    ...on.config,
    region: 'eu-west-1',
    credentials: { accessKeyId: on.world.accessKeyFor(role), secretAccessKey: 'lab' },
  });
  const take = () =>
    theirs.send(new CopySnapshotCommand({ SourceRegion: on.world.region, SourceSnapshotId: on.snapshot.id }));
  const share = (OperationType: 'add' | 'remove') =>
    on.ec2.send(
      new ModifySnapshotAttributeCommand({
        ...{ SnapshotId: on.snapshot.id, Attribute: 'createVolumePermission', OperationType },
        UserIds: ['210987654321'],
      }),
    );
  assert.equal(await refusal(take()), 'InvalidSnapshot.NotFound');
  await share('add');
  assert.equal(await refusal(take()), 'no error');
  assert.equal((await theirs.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }))).Snapshots?.length, 1);
  assert.deepEqual(await on.copies(), [], 'it is theirs');
  await share('remove');
  assert.equal(await refusal(take()), 'InvalidSnapshot.NotFound');
  Object.assign(on.snapshot, { encrypted: true });
  assert.equal(await refusal(share('add')), 'OperationNotPermitted');
});

test('the archive takes completed snapshots that no image is made of, so many at a time and of a volume', async () => {
  await using on = await withSnapshot();
  on.world.latency.snapshotArchiveMs = 60_000;
  const archive = (snapshot = on.world.ec2.snapshots.put({ volumeId: 'vol-1' })) =>
    on.ec2.send(new ModifySnapshotTierCommand({ SnapshotId: snapshot.id, StorageTier: 'archive' }));
  const tiered = async (operation: string) =>
    (
      await on.ec2.send(
        new DescribeSnapshotTierStatusCommand({ Filters: [{ Name: 'last-tiering-operation', Values: [operation] }] }),
      )
    ).SnapshotTierStatuses?.length;
  for (let sent = 0; sent < 25; sent += 1) await archive();
  assert.equal(await refusal(archive()), 'ResourceLimitExceeded');
  assert.equal(await tiered('archival-in-progress'), 25);
  await on.clock.advance(60_000);
  assert.equal(await tiered('archival-completed'), 25);
  assert.equal(await refusal(archive()), 'ResourceLimitExceeded', 'of this volume');
  assert.equal(await refusal(archive(on.snapshot)), 'no error');
  assert.equal(await refusal(archive(on.snapshot)), 'IncorrectState', 'it is on its way');
  const used = on.world.ec2.snapshots.put({ volumeId: 'vol-2', inUseBy: 'ami-1' });
  assert.equal(await refusal(archive(used)), 'InvalidSnapshot.InUse');
  await on.clock.advance(60_000);
  assert.equal(await refusal(on.copy()), 'IncorrectState', 'nothing is copied from there');
});

test('an image tells which snapshots it is made of', async () => {
  await using on = await withSnapshot();
  on.snapshot.inUseBy = 'ami-1';
  const { Images } = await on.ec2.send(
    new DescribeImagesCommand({ Filters: [{ Name: 'block-device-mapping.snapshot-id', Values: [on.snapshot.id] }] }),
  );
  assert.deepEqual(
    Images?.map(({ ImageId }) => ImageId),
    ['ami-1'],
  );
  assert.equal(await refusal(on.remove()), 'InvalidSnapshot.InUse');
});
