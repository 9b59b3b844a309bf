import { iamOperations } from '../../lab/aws/iam.ts';
import { Monitoring } from '../../lab/aws/monitoring.ts';
import { Scheduler } from '../../lab/aws/scheduler.ts';
import type { ModelAccount } from './model-account.ts';

/** Has an account tell of its alarms, schedules and roles, and lets a test change them. */
export function healthOf({ world, deployment: { stack } }: Pick<ModelAccount, 'world' | 'deployment'>) {
  const [monitoring, scheduler] = [new Monitoring(stack), new Scheduler(stack)];
  world.register('monitoring', monitoring.operations);
  world.register('scheduler', scheduler.operations);
  world.register('iam', iamOperations(world.account, stack.roles));
  return { monitoring, scheduler };
}
