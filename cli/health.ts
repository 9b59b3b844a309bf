/** What AWS tells of a deployment beside its workflows: alarms, schedules, the roles of instances. */
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { GetInstanceProfileCommand, IAMClient, ListAttachedRolePoliciesCommand } from '@aws-sdk/client-iam';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { ask } from '../lambdas/shared/aws-errors.ts';

const requestHandler = { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true };

export interface Alarm {
  name: string;
  /** It ends with where to read what to do. */
  description: string;
  since: number;
}

/** Those of ours that ring. */
export const ringingAlarms = async (): Promise<Alarm[]> => {
  const client = new CloudWatchClient({ requestHandler });
  const found: Alarm[] = [];
  let next: string | undefined;
  do {
    const page = await ask('cloudwatch:DescribeAlarms', () =>
      client.send(
        new DescribeAlarmsCommand({
          AlarmNamePrefix: 'Freezeframe-',
          AlarmTypes: ['MetricAlarm'],
          StateValue: 'ALARM',
          ...(next && { NextToken: next }),
        }),
      ),
    );
    for (const { AlarmName = '', AlarmDescription = '', StateUpdatedTimestamp } of page.MetricAlarms ?? []) {
      found.push({ name: AlarmName, description: AlarmDescription, since: StateUpdatedTimestamp?.getTime() ?? 0 });
    }
    next = page.NextToken;
  } while (next);
  return found;
};

/** Undefined when there is no such schedule. */
export const scheduleState = async (name: string): Promise<string | undefined> => {
  const client = new SchedulerClient({ requestHandler });
  try {
    const { State } = await ask('scheduler:GetSchedule', () => client.send(new GetScheduleCommand({ Name: name })));
    return State;
  } catch (error) {
    if ((error as Error).name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
};

/** Names of the managed policies that the role of an instance profile has; undefined when the profile has no role. */
export const policiesOfProfile = async (profileArn: string): Promise<string[] | undefined> => {
  const client = new IAMClient({ requestHandler });
  const { InstanceProfile } = await ask('iam:GetInstanceProfile', () =>
    client.send(new GetInstanceProfileCommand({ InstanceProfileName: profileArn.split('/').at(-1) })),
  );
  const role = InstanceProfile?.Roles?.[0]?.RoleName;
  if (role === undefined) return undefined;
  const found: string[] = [];
  let marker: string | undefined;
  do {
    const page = await ask('iam:ListAttachedRolePolicies', () =>
      client.send(new ListAttachedRolePoliciesCommand({ RoleName: role, ...(marker && { Marker: marker }) })),
    );
    found.push(...(page.AttachedPolicies ?? []).map(({ PolicyName = '' }) => PolicyName));
    marker = page.IsTruncated ? page.Marker : undefined;
  } while (marker);
  return found;
};
