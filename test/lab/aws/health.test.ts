/** CloudWatch, EventBridge Scheduler and IAM as the lab plays them: through unmodified SDK clients. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { GetInstanceProfileCommand, IAMClient, ListAttachedRolePoliciesCommand } from '@aws-sdk/client-iam';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { iamOperations } from '../../../lab/aws/iam.ts';
import { Monitoring } from '../../../lab/aws/monitoring.ts';
import { Scheduler } from '../../../lab/aws/scheduler.ts';
import { stackOfTests } from '../../support/model-account.ts';
import { lab, refusal } from './setup.ts';

it('tells of alarms by prefix and state, a page at a time', async () => {
  await using world = await lab();
  const monitoring = new Monitoring(await stackOfTests());
  world.world.register('monitoring', monitoring.operations);
  monitoring.ringing.set('Freezeframe-FailedRescue', Date.UTC(2026, 0, 1));
  const client = new CloudWatchClient(world.config);
  const { MetricAlarms: [alarm] = [] } = await client.send(
    new DescribeAlarmsCommand({ AlarmNamePrefix: 'Freezeframe-', StateValue: 'ALARM' }),
  );
  assert.equal(alarm?.AlarmName, 'Freezeframe-FailedRescue');
  assert.match(alarm?.AlarmDescription ?? '', /docs\/runbook\.md#failedrescue$/);
  assert.deepEqual(alarm?.StateUpdatedTimestamp, new Date(Date.UTC(2026, 0, 1)));
  const first = await client.send(new DescribeAlarmsCommand({ MaxRecords: 2 }));
  const second = await client.send(new DescribeAlarmsCommand({ MaxRecords: 2, NextToken: first.NextToken }));
  assert.equal(
    new Set([...(first.MetricAlarms ?? []), ...(second.MetricAlarms ?? [])].map(({ AlarmName }) => AlarmName)).size,
    4,
  );
  client.destroy();
});

it('tells of a schedule by its path, and refuses one that is not there', async () => {
  await using world = await lab();
  const scheduler = new Scheduler(await stackOfTests());
  world.world.register('scheduler', scheduler.operations);
  const client = new SchedulerClient(world.config);
  const state = async () => (await client.send(new GetScheduleCommand({ Name: 'Freezeframe-nightly' }))).State;
  assert.equal(await state(), 'ENABLED');
  scheduler.disabled.add('Freezeframe-nightly');
  assert.equal(await state(), 'DISABLED');
  assert.equal(await refusal(client.send(new GetScheduleCommand({ Name: 'nix' }))), 'ResourceNotFoundException');
  client.destroy();
});

it('tells of the policies of a role by its instance profile', async () => {
  await using world = await lab();
  const { managedPolicies } = await stackOfTests();
  const role = {
    name: 'web',
    arn: 'arn:aws:iam::111122223333:role/web',
    trust: {},
    managed: [],
    policies: managedPolicies,
  };
  world.world.register('iam', iamOperations('111122223333', [role]));
  const client = new IAMClient(world.config);
  const { InstanceProfile } = await client.send(new GetInstanceProfileCommand({ InstanceProfileName: 'web' }));
  assert.equal(InstanceProfile?.Roles?.[0]?.RoleName, 'web');
  const { AttachedPolicies = [] } = await client.send(new ListAttachedRolePoliciesCommand({ RoleName: 'web' }));
  assert.deepEqual(
    AttachedPolicies.map(({ PolicyName }) => PolicyName),
    managedPolicies.map(({ name }) => name),
  );
  assert.equal(
    await refusal(client.send(new GetInstanceProfileCommand({ InstanceProfileName: 'nix' }))),
    'NoSuchEntityException',
  );
  client.destroy();
});
