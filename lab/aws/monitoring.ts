import type { DescribeAlarmsCommandInput, DescribeAlarmsCommandOutput } from '@aws-sdk/client-cloudwatch';
import { page } from './ec2-filters.ts';
import { AwsError } from './errors.ts';
import type { Stack } from './template.ts';
import type { Operations } from './world.ts';

/** CloudWatch's alarms: which of the stack's ring is the test's to say. */
export class Monitoring {
  /** Name of each alarm that rings, and since when. */
  readonly ringing = new Map<string, number>();
  readonly operations: Operations;

  constructor(stack: Stack) {
    this.operations = {
      DescribeAlarms: (input: DescribeAlarmsCommandInput): Partial<DescribeAlarmsCommandOutput> => {
        if (input.AlarmNames && input.AlarmNamePrefix) {
          throw new AwsError('InvalidParameterCombination', 'AlarmNames and AlarmNamePrefix cannot be used together');
        }
        const found = stack.alarms
          .filter(({ name }) => name.startsWith(input.AlarmNamePrefix ?? ''))
          .map(({ name, description }) => ({
            AlarmName: name,
            AlarmDescription: description,
            StateValue: this.ringing.has(name) ? ('ALARM' as const) : ('OK' as const),
            StateUpdatedTimestamp: new Date(this.ringing.get(name) ?? 0),
          }))
          .filter(({ StateValue }) => input.StateValue === undefined || StateValue === input.StateValue);
        const { items, NextToken } = page(found, input.MaxRecords ?? 50, input.NextToken);
        return { MetricAlarms: items, CompositeAlarms: [], ...(NextToken ? { NextToken } : {}) };
      },
    };
  }
}
