/** Instances that are launched and terminated, as EC2 does it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { HeldAgent, lab, refusal } from './setup.ts';

const WISH: RunInstancesCommandInput = {
  ImageId: 'ami-0123456789abcdef0',
  InstanceType: 't3.large',
  SubnetId: 'subnet-0123456789abcdef0',
  MinCount: 1,
  MaxCount: 1,
  TagSpecifications: [
    { ResourceType: 'instance', Tags: [{ Key: 'purpose', Value: 'drill' }] },
    { ResourceType: 'volume', Tags: [{ Key: 'purpose', Value: 'root' }] },
  ],
};

async function withMachines() {
  const on = await lab({ latency: { instanceMs: 20_000, describeMs: 500, volumeMs: 100 } });
  const { launches } = on.world.ec2;
  launches.images.set('ami-0123456789abcdef0', { rootGiB: 8 });
  launches.subnets.set('subnet-0123456789abcdef0', { availabilityZone: 'eu-central-1b' });
  const machines = new Map<string, (agent: HeldAgent) => void>();
  launches.machines = {
    start: ({ instanceId }) => new Promise((resolve) => machines.set(instanceId, resolve)),
    stop: async (instanceId) => {
      machines.delete(instanceId);
    },
  };
  const run = (more: Partial<RunInstancesCommandInput> = {}) =>
    on.ec2.send(new RunInstancesCommand({ ...WISH, ...more }));
  const launch = async () => (await run()).Instances?.[0]?.InstanceId ?? '';
  const seen = async (id: string) =>
    (await on.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations?.[0]?.Instances?.[0];
  const volumes = async () => (await on.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? [];
  const terminate = (id: string) => on.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  return Object.assign(on, { run, launch, seen, volumes, terminate, machines });
}

test('a launched instance shows a little later, is pending before it runs, and SSM knows it once its agent has started', async () => {
  await using on = await withMachines();
  const id = await on.launch();
  assert.equal(await refusal(on.seen(id)), 'InvalidInstanceID.NotFound');
  await on.clock.advance(500);
  const pending = await on.seen(id);
  assert.deepEqual(
    [pending?.State?.Name, pending?.Placement?.AvailabilityZone, pending?.Tags],
    ['pending', 'eu-central-1b', [{ Key: 'purpose', Value: 'drill' }]],
  );
  await on.clock.advance(20_000);
  assert.equal((await on.seen(id))?.State?.Name, 'running');
  const known = async () =>
    (await on.ssm.send(new DescribeInstanceInformationCommand({}))).InstanceInformationList?.length;
  assert.equal(await known(), 0);
  on.machines.get(id)?.(new HeldAgent());
  await on.clock.advance(1);
  assert.equal(await known(), 1);
});

test('the same request with one client token is one instance, another request with it is refused', async () => {
  await using on = await withMachines();
  const ids = [await on.run({ ClientToken: 'a' }), await on.run({ ClientToken: 'a' })].map(
    ({ Instances }) => Instances?.[0]?.InstanceId,
  );
  assert.equal(ids[0], ids[1]);
  assert.equal(on.machines.size, 1);
  assert.equal(await refusal(on.run({ ClientToken: 'a', InstanceType: 't3.micro' })), 'IdempotentParameterMismatch');
});

test('an image, a subnet, a tag or a capacity that is not there is refused, and nothing is launched', async () => {
  await using on = await withMachines();
  assert.equal(await refusal(on.run({ ImageId: 'ami-0ffffffffffffffff' })), 'InvalidAMIID.NotFound');
  assert.equal(await refusal(on.run({ SubnetId: 'subnet-0ffffffffffffffff' })), 'InvalidSubnetID.NotFound');
  const tags = [{ Key: 'aws:x', Value: '' }];
  assert.equal(
    await refusal(on.run({ TagSpecifications: [{ ResourceType: 'instance', Tags: tags }] })),
    'InvalidParameterValue',
  );
  assert.equal(await refusal(on.run({ DryRun: true })), 'DryRunOperation');
  on.world.ec2.launches.machines = undefined;
  assert.equal(await refusal(on.run()), 'InsufficientInstanceCapacity');
  assert.equal(on.machines.size, 0);
  assert.deepEqual(await on.volumes(), []);
});

test('a terminated instance takes its root volume with it, leaves the others free, and shows for an hour', async () => {
  await using on = await withMachines();
  const id = await on.launch();
  await on.clock.advance(20_000);
  const { VolumeId } = await on.ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1b', Size: 1 }));
  await on.clock.advance(1_000);
  await on.ec2.send(new AttachVolumeCommand({ InstanceId: id, VolumeId, Device: '/dev/sdf' }));
  await on.clock.advance(1_000);
  const { TerminatingInstances } = await on.terminate(id);
  assert.deepEqual(
    [TerminatingInstances?.[0]?.PreviousState?.Name, TerminatingInstances?.[0]?.CurrentState?.Name],
    ['running', 'shutting-down'],
  );
  assert.equal((await on.volumes()).length, 2);
  await on.clock.advance(20_000);
  assert.equal((await on.seen(id))?.State?.Name, 'terminated');
  assert.deepEqual(
    (await on.volumes()).map((volume) => [volume.VolumeId, volume.State]),
    [[VolumeId, 'available']],
  );
  assert.equal(on.machines.size, 0);
  assert.equal(await refusal(on.terminate(id)), 'no error');
  await on.clock.advance(3_600_000);
  assert.equal(await refusal(on.seen(id)), 'InvalidInstanceID.NotFound');
});

test('an image of a root snapshot boots it, with data volumes of snapshots and a template for the rest', async () => {
  await using on = await withMachines();
  const { snapshots, launches } = on.world.ec2;
  for (const image of ['root', 'data']) on.store.images.set(image, 0);
  const put = (image: string, sizeGiB: number) =>
    snapshots.put({ volumeId: 'vol-1', image, sizeGiB, startedAt: 0, visibleAt: 0 });
  const [root, data] = [put('root', 8), put('data', 100)];
  launches.templates.set('app', {
    imageId: 'ami-0123456789abcdef0',
    type: 'm7g.large',
    subnetId: 'subnet-0123456789abcdef0',
  });
  const register = (Name: string) =>
    on.ec2.send(
      new RegisterImageCommand({
        Name,
        Architecture: 'arm64',
        RootDeviceName: '/dev/sda1',
        BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { SnapshotId: root.id } }],
      }),
    );
  const { ImageId = '' } = await register('of-a-set');
  assert.equal(await refusal(register('of-a-set')), 'InvalidAMIName.Duplicate');
  const started: { rootImage?: string | undefined; dataVolumes: readonly string[] }[] = [];
  launches.machines = {
    start: async (launch) => {
      started.push(launch);
      return new HeldAgent();
    },
    stop: async () => {},
  };
  const launch = (more: object) =>
    on.ec2.send(
      new RunInstancesCommand({
        MinCount: 1,
        MaxCount: 1,
        LaunchTemplate: { LaunchTemplateName: 'app' },
        ImageId,
        BlockDeviceMappings: [
          { DeviceName: '/dev/sda1', Ebs: { SnapshotId: root.id } },
          { DeviceName: '/dev/sdf', Ebs: { SnapshotId: data.id, VolumeType: 'gp3', Iops: 4000 } },
        ],
        ...more,
      }),
    );
  assert.equal(
    await refusal(launch({ LaunchTemplate: { LaunchTemplateName: 'none' } })),
    'InvalidLaunchTemplateName.NotFoundException',
  );
  const { Instances } = await launch({});
  await on.clock.advance(20_000);
  const [made] = Instances ?? [];
  assert.deepEqual(
    [made?.InstanceType, made?.RootDeviceName, made?.BlockDeviceMappings?.map(({ DeviceName }) => DeviceName)],
    ['m7g.large', '/dev/sda1', ['/dev/sda1', '/dev/sdf']],
  );
  assert.deepEqual([started[0]?.rootImage, started[0]?.dataVolumes.length], ['root', 1]);
  const second = (await on.volumes()).find(({ Attachments }) => Attachments?.[0]?.Device === '/dev/sdf');
  assert.deepEqual([second?.Size, second?.Iops], [100, 4000]);
  // An image holds its snapshot.
  assert.equal(await refusal(on.ec2.send(new DeleteSnapshotCommand({ SnapshotId: root.id }))), 'InvalidSnapshot.InUse');
  await on.ec2.send(new DeregisterImageCommand({ ImageId }));
  assert.equal(await refusal(on.ec2.send(new DeleteSnapshotCommand({ SnapshotId: root.id }))), 'no error');
});
