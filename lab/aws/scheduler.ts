import type { IncomingMessage } from 'node:http';
import type { GetScheduleCommandInput, GetScheduleCommandOutput } from '@aws-sdk/client-scheduler';
import { AwsError } from './errors.ts';
import type { Stack } from './template.ts';
import type { Operations } from './world.ts';

/** EventBridge Scheduler: the stack's schedules, as long as nobody disables or deletes one. */
export class Scheduler {
  readonly disabled = new Set<string>();
  readonly deleted = new Set<string>();
  readonly operations: Operations;

  constructor(stack: Stack) {
    this.operations = {
      GetSchedule: ({ Name = '' }: GetScheduleCommandInput): Partial<GetScheduleCommandOutput> => {
        const found = stack.schedules.find(({ name }) => name === Name && !this.deleted.has(name));
        if (!found) throw new AwsError('ResourceNotFoundException', `Schedule ${Name} does not exist.`, 404);
        return {
          Name,
          GroupName: 'default',
          State: this.disabled.has(Name) ? 'DISABLED' : 'ENABLED',
          ScheduleExpression: found.expression,
          ScheduleExpressionTimezone: found.timeZone,
        };
      },
    };
  }
}

/** Its API is REST: the operation and its one parameter are the path. */
export const schedulerRest = {
  action: ({ method, url = '' }: IncomingMessage): string =>
    method === 'GET' && /^\/schedules\/[^/?]+/.test(url) ? 'GetSchedule' : `${method} ${url}`,
  input: ({ url = '' }: IncomingMessage): object => ({
    Name: decodeURIComponent(/^\/schedules\/([^/?]+)/.exec(url)?.[1] ?? ''),
  }),
};
