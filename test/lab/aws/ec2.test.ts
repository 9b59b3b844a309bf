import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttachVolumeCommand,
  CreateSnapshotsCommand,
  type CreateSnapshotsCommandInput,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  type EC2ServiceException,
  paginateDescribeInstances,
} from '@aws-sdk/client-ec2';
import { DATA, INSTANCE, instance, lab, ROOT, refusal } from './setup.ts';

const set = (more: Partial<CreateSnapshotsCommandInput> = {}) =>
  new CreateSnapshotsCommand({ InstanceSpecification: { InstanceId: INSTANCE }, ...more });
const tags = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, n) => ({ Key: `${prefix}${n}`, Value: `a<b&c "${n}"` }));

test('a set has one member a volume, one start time, pending state, and the tags of the call and of the volume', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const answer = await on.ec2.send(
    set({
      CopyTagsFromSource: 'volume',
      Description: 'a <set>',
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'run', Value: 'a&b' }] }],
    }),
  );
  assert.deepEqual(
    answer.Snapshots?.map((s) => s.VolumeId),
    [ROOT, ...DATA],
  );
  assert.equal(new Set(answer.Snapshots?.map((s) => s.StartTime?.getTime())).size, 1);
  assert.ok(answer.Snapshots?.every((s) => s.State === 'pending'));
  assert.deepEqual(answer.Snapshots?.[1]?.Tags, [
    { Key: 'Name', Value: 'data one' },
    { Key: 'run', Value: 'a&b' },
  ]);
  await on.clock.advance(0);
  const { Snapshots } = await on.ec2.send(
    new DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: [{ Name: 'tag:run', Values: ['a&b'] }] }),
  );
  assert.ok(Snapshots?.length === 3 && Snapshots.every((s) => s.State === 'completed' && s.Progress === '100%'));
});

test('the boot volume and named data volumes are left out; the root id among them fails the request', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const answer = await on.ec2.send(
    set({ InstanceSpecification: { InstanceId: INSTANCE, ExcludeBootVolume: true, ExcludeDataVolumeIds: [DATA[0]] } }),
  );
  assert.deepEqual(
    answer.Snapshots?.map((s) => s.VolumeId),
    [DATA[1]],
  );
  const exclude = (ExcludeDataVolumeIds: string[]) =>
    refusal(on.ec2.send(set({ InstanceSpecification: { InstanceId: INSTANCE, ExcludeDataVolumeIds } })));
  assert.equal(await exclude([ROOT]), 'InvalidParameterValue');
  assert.equal(await exclude(Array.from({ length: 41 }, () => DATA[0])), 'InvalidParameterValue');
});

test('a dry run says DryRunOperation with 412 and takes nothing', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const error = await on.ec2.send(set({ DryRun: true })).catch((e: EC2ServiceException) => e);
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'DryRunOperation');
  assert.equal(error.$metadata.httpStatusCode, 412);
  assert.equal(on.world.ec2.snapshots.all.size, 0);
});

test('an instance that is unknown, malformed or missing is told apart', async () => {
  await using on = await lab();
  const of = (InstanceId: string | undefined) => refusal(on.ec2.send(set({ InstanceSpecification: { InstanceId } })));
  assert.equal(await of('i-0000000000000000f'), 'InvalidInstanceID.NotFound');
  assert.equal(await of('web-1'), 'InvalidInstanceID.Malformed');
  assert.equal(await of(undefined), 'MissingParameter');
});

test('a volume takes one snapshot in 15 seconds', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  await on.ec2.send(set());
  await on.clock.advance(14_999);
  assert.equal(await refusal(on.ec2.send(set())), 'SnapshotCreationPerVolumeRateExceeded');
  await on.clock.advance(1);
  assert.equal((await on.ec2.send(set())).Snapshots?.length, 3);
});

test('snapshots in flight are limited to five a volume, and to one of st1; those in error count', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  for (let n = 0; n < 4; n += 1) on.world.ec2.snapshots.put({ volumeId: DATA[0], state: 'pending' });
  const failed = on.world.ec2.snapshots.put({ volumeId: DATA[0], state: 'error' });
  assert.equal(await refusal(on.ec2.send(set())), 'ConcurrentSnapshotLimitExceeded');
  await on.ec2.send(new DeleteSnapshotCommand({ SnapshotId: failed.id }));
  assert.equal(await refusal(on.ec2.send(set())), 'no error');

  const other = 'i-0000000000000000b';
  on.world.ec2.addInstance({
    id: other,
    volumes: [{ id: 'vol-000000000000000b1', device: '/dev/sdf', sizeGiB: 500, type: 'st1' }],
  });
  on.world.ec2.snapshots.put({ volumeId: 'vol-000000000000000b1', state: 'pending' });
  const answer = on.ec2.send(set({ InstanceSpecification: { InstanceId: other } }));
  assert.equal(await refusal(answer), 'ConcurrentSnapshotLimitExceeded');
});

test('a resource bears at most 50 tags, none of them with the prefix aws:', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const specify = (Tags: { Key: string; Value: string }[]) =>
    set({ DryRun: true, CopyTagsFromSource: 'volume', TagSpecifications: [{ ResourceType: 'snapshot', Tags }] });
  assert.equal(await refusal(on.ec2.send(specify(tags(49)))), 'DryRunOperation');
  // The volume's own tag is copied and counts; its aws: tag is not copied.
  assert.equal(await refusal(on.ec2.send(specify(tags(50)))), 'TagLimitExceeded');
  assert.equal(await refusal(on.ec2.send(specify(tags(1, 'aws:')))), 'InvalidParameterValue');
  const label = new CreateTagsCommand({ Resources: [DATA[1]], Tags: tags(51) });
  assert.equal(await refusal(on.ec2.send(label)), 'TagLimitExceeded');
});

test('one member that fails puts the whole set in error', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  let taken = 0;
  on.store.completion = () => (++taken === 2 ? Promise.reject(new Error('disk gone')) : Promise.resolve());
  await on.ec2.send(set());
  await on.clock.advance(0);
  assert.deepEqual(
    [...on.world.ec2.snapshots.all.values()].map((s) => s.state),
    ['error', 'error', 'error'],
  );
});

test('a set stays pending until the storage has it and its completion has passed', async () => {
  await using on = await lab({ latency: { snapshotCompletionMs: 60_000 } });
  on.world.ec2.addInstance(instance());
  const { Snapshots = [] } = await on.ec2.send(set());
  await on.clock.advance(59_999);
  const describe = new DescribeSnapshotsCommand({ SnapshotIds: [Snapshots[0]?.SnapshotId ?? ''] });
  assert.equal((await on.ec2.send(describe)).Snapshots?.[0]?.State, 'pending');
  await on.clock.advance(1);
  assert.equal((await on.ec2.send(describe)).Snapshots?.[0]?.State, 'completed');
});

test('a new set shows in Describe only after a while', async () => {
  await using on = await lab({ latency: { describeMs: 2_000 } });
  on.world.ec2.addInstance(instance());
  const { Snapshots = [] } = await on.ec2.send(set());
  const byId = new DescribeSnapshotsCommand({ SnapshotIds: [Snapshots[0]?.SnapshotId ?? ''] });
  assert.equal(await refusal(on.ec2.send(byId)), 'InvalidSnapshot.NotFound');
  const all = new DescribeSnapshotsCommand({ OwnerIds: ['self'] });
  assert.equal((await on.ec2.send(all)).Snapshots?.length, 0);
  await on.clock.advance(2_000);
  assert.equal((await on.ec2.send(all)).Snapshots?.length, 3);
});

test('the bucket of CreateSnapshots holds 100 and fills at 5 a second; the SDK meets a 503 that it retries', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const calls = Array.from({ length: 101 }, () => refusal(on.ec2.send(set({ DryRun: true }))));
  const results = await Promise.all(calls);
  assert.equal(results.filter((name) => name === 'DryRunOperation').length, 100);
  const error = await on.ec2.send(set()).catch((e: EC2ServiceException) => e);
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.$metadata.httpStatusCode], ['RequestLimitExceeded', 503]);
  await on.clock.advance(200);
  assert.equal(await refusal(on.ec2.send(set({ DryRun: true }))), 'DryRunOperation');
});

test('instances are found by tag, page by page', async () => {
  await using on = await lab();
  for (let n = 0; n < 12; n += 1) {
    const id = `i-00000000000000${n.toString(16).padStart(3, '0')}`;
    on.world.ec2.addInstance({ id, tags: n % 2 ? { 'freezeframe:policy': 'nightly weekly' } : {}, volumes: [] });
  }
  const Filters = [
    { Name: 'tag-key', Values: ['freezeframe:policy'] },
    { Name: 'tag:freezeframe:policy', Values: ['*nightly*'] },
    { Name: 'instance-state-name', Values: ['running'] },
  ];
  const pages: number[] = [];
  for await (const { Reservations } of paginateDescribeInstances({ client: on.ec2, pageSize: 5 }, { Filters })) {
    pages.push(Reservations?.length ?? 0);
  }
  assert.deepEqual(pages, [5, 1]);
  const odd = new DescribeInstancesCommand({ Filters: [{ Name: 'colour', Values: ['red'] }] });
  assert.equal(await refusal(on.ec2.send(odd)), 'InvalidParameterValue');
});

test('an instance shows its devices, and its volumes who they are attached to', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const { Reservations } = await on.ec2.send(new DescribeInstancesCommand({ InstanceIds: [INSTANCE] }));
  const shown = Reservations?.[0]?.Instances?.[0];
  assert.equal(shown?.RootDeviceName, '/dev/xvda');
  assert.deepEqual(
    shown?.BlockDeviceMappings?.map((m) => [m.DeviceName, m.Ebs?.VolumeId]),
    [
      ['/dev/xvda', ROOT],
      ['/dev/sdf', DATA[0]],
      ['/dev/sdg', DATA[1]],
    ],
  );
  const attached = new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [INSTANCE] }] });
  assert.equal((await on.ec2.send(attached)).Volumes?.length, 3);
});

test('tags are put on and taken off', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  await on.ec2.send(
    new CreateTagsCommand({ Resources: [DATA[0], INSTANCE], Tags: [{ Key: 'grade', Value: 'crash' }] }),
  );
  assert.equal(on.world.ec2.volumes.find(DATA[0]).tags.get('grade'), 'crash');
  await on.ec2.send(new DeleteTagsCommand({ Resources: [DATA[0]], Tags: [{ Key: 'grade' }] }));
  assert.equal(on.world.ec2.volumes.find(DATA[0]).tags.has('grade'), false);
});

test('a snapshot in use is not deleted, one that is gone is not found', async () => {
  await using on = await lab();
  const used = on.world.ec2.snapshots.put({ volumeId: DATA[0], inUseBy: 'ami-1' });
  const free = on.world.ec2.snapshots.put({ volumeId: DATA[0] });
  const remove = (SnapshotId: string) => refusal(on.ec2.send(new DeleteSnapshotCommand({ SnapshotId })));
  assert.equal(await remove(used.id), 'InvalidSnapshot.InUse');
  assert.equal(await remove(free.id), 'no error');
  assert.equal(await remove(free.id), 'InvalidSnapshot.NotFound');
});

test('a volume is made of a snapshot once for a token, attached, detached and deleted', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  on.store.images.set('image-x', 42);
  const snapshot = on.world.ec2.snapshots.put({ volumeId: DATA[0], image: 'image-x' });
  const create = (Size?: number) =>
    on.ec2.send(
      new CreateVolumeCommand({
        SnapshotId: snapshot.id,
        AvailabilityZone: 'eu-central-1a',
        VolumeType: 'gp3',
        ClientToken: 'restore-1',
        ...(Size ? { Size } : {}),
      }),
    );
  const { VolumeId = '' } = await create();
  assert.equal((await create()).VolumeId, VolumeId);
  assert.equal(await refusal(create(200)), 'IdempotentParameterMismatch');
  await on.clock.advance(0);
  assert.equal(on.store.volumes.get(VolumeId), 42);

  const attach = new AttachVolumeCommand({ VolumeId, InstanceId: INSTANCE, Device: '/dev/sdh' });
  await on.ec2.send(attach);
  assert.equal(await refusal(on.ec2.send(attach)), 'VolumeInUse');
  assert.equal(await refusal(on.ec2.send(new DeleteVolumeCommand({ VolumeId }))), 'VolumeInUse');
  await on.clock.advance(0);
  await on.ec2.send(new DetachVolumeCommand({ VolumeId }));
  await on.clock.advance(0);
  await on.ec2.send(new DeleteVolumeCommand({ VolumeId }));
  const gone = new DescribeVolumesCommand({ VolumeIds: [VolumeId] });
  assert.equal(await refusal(on.ec2.send(gone)), 'InvalidVolume.NotFound');
});

test('planned faults strike: an error before the act, a lost answer after it, garbage instead of an answer', async () => {
  await using on = await lab({ limits: { snapshotIntervalMs: 0 } });
  on.world.ec2.addInstance(instance());
  const at = { service: 'ec2', action: 'CreateSnapshots' };
  on.world.faults.add({ ...at, nth: 1, fault: { kind: 'error', code: 'InternalError', status: 500 } });
  on.world.faults.add({ ...at, nth: 2, fault: { kind: 'lostAnswer' } });
  on.world.faults.add({ ...at, nth: 3, fault: { kind: 'malformed' } });
  assert.equal(await refusal(on.ec2.send(set())), 'InternalError');
  assert.equal(on.world.ec2.snapshots.all.size, 0);
  assert.notEqual(await refusal(on.ec2.send(set())), 'no error');
  assert.equal(on.world.ec2.snapshots.all.size, 3);
  assert.notEqual(await refusal(on.ec2.send(set())), 'no error');
  assert.equal(on.world.ec2.snapshots.all.size, 6);
  assert.deepEqual(
    on.world.log.map(({ action, result, fault }) => [action, result, fault?.kind]),
    [
      ['CreateSnapshots', 'InternalError', 'error'],
      ['CreateSnapshots', 'ok', 'lostAnswer'],
      ['CreateSnapshots', 'ok', 'malformed'],
    ],
  );
});

test('a request that does not fit the model is refused by name; a call without the right is refused as unauthorised', async () => {
  await using on = await lab();
  on.world.ec2.addInstance(instance());
  const raw = async (body: string) => {
    const authorization = 'AWS4-HMAC-SHA256 Credential=k/20260101/eu-central-1/ec2/aws4_request, Signature=x';
    const response = await fetch(on.server.endpoint, { method: 'POST', headers: { authorization }, body });
    return [response.status, /<Code>(.*?)<\/Code>/.exec(await response.text())?.[1]];
  };
  assert.deepEqual(await raw('Action=CreateSnapshots&Version=2016-11-15&Colour=red'), [400, 'UnknownParameter']);
  assert.deepEqual(await raw('Action=CreateSnapshots&DryRun=perhaps'), [400, 'InvalidParameterValue']);
  assert.deepEqual(await raw('Action=MakeCoffee'), [400, 'InvalidAction']);
  on.world.authorize = ({ action }) => action !== 'DescribeInstances';
  assert.equal(await refusal(on.ec2.send(new DescribeInstancesCommand({}))), 'UnauthorizedOperation');
});

test('a client that is told only by its environment reaches the world', async () => {
  await using on = await lab();
  const environment = on.server.environment('arn:aws:iam::111122223333:role/other');
  Object.assign(process.env, environment);
  const client = new EC2Client({});
  try {
    await client.send(new DescribeInstancesCommand({}));
    assert.equal(on.world.log.at(-1)?.principal, 'arn:aws:iam::111122223333:role/other');
  } finally {
    client.destroy();
    for (const name of Object.keys(environment)) delete process.env[name];
  }
});
