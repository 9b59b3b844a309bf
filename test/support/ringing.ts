import type { AlarmResource } from '../../lab/aws/template.ts';
import type { ModelAccount } from './model-account.ts';

/**
 * Names of the alarms of the stack that have rung by now, from what happened in the account: executions that ended,
 * functions that failed, dead letters that lie there. An alarm on any other metric is not listened to.
 */
export const ringing = (account: ModelAccount): string[] =>
  account.deployment.stack.alarms.filter((alarm) => hasRung(alarm, countedBy(account, alarm))).map(({ name }) => name);

/** The moments that a metric counted, in milliseconds of the account's clock. */
function countedBy(
  { deployment, stepFunctions, clock }: ModelAccount,
  { metric, dimensions }: AlarmResource,
): number[] {
  const ended = (status: string) =>
    stepFunctions.executions
      .filter(({ machine, ...execution }) => machine.arn === dimensions.StateMachineArn && execution.status === status)
      .map(({ stoppedAt = 0 }) => stoppedAt);
  switch (metric) {
    case 'AWS/States ExecutionsFailed':
      return ended('FAILED');
    case 'AWS/States ExecutionsAborted':
      return ended('ABORTED');
    case 'AWS/Lambda Errors':
      return deployment.lambdas.invocations
        .filter(({ functionName, result }) => functionName === dimensions.FunctionName && !FINE.includes(result))
        .map(({ startedAt }) => startedAt);
    case 'AWS/SQS ApproximateNumberOfMessagesVisible':
      return stepFunctions.deadLetters
        .filter(({ target }) => target.deadLetterArn?.endsWith(`:${dimensions.QueueName}`))
        .map(() => clock.now());
    default:
      return [];
  }
}

const FINE = ['ok', 'running'];

/** So many periods in a row in which the metric was above the threshold. */
function hasRung({ threshold, periodSeconds, periods }: AlarmResource, moments: readonly number[]): boolean {
  const counts = new Map<number, number>();
  for (const at of moments) {
    const period = Math.floor(at / (periodSeconds * 1_000));
    counts.set(period, (counts.get(period) ?? 0) + 1);
  }
  const isAbove = (period: number) => (counts.get(period) ?? 0) > threshold;
  return [...counts.keys()].some((first) => Array.from({ length: periods }, (_, n) => first + n).every(isAbove));
}
