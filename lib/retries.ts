/** How often a task is tried again, and for how long in all. */
import { Duration } from 'aws-cdk-lib';
import { JitterType, type RetryProps } from 'aws-cdk-lib/aws-stepfunctions';

/** What Lambda says when an invocation did not work out or died on its way, and our own word for a throttled call. */
const PASSING_TROUBLE = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
  'Lambda.Unknown',
  'Runtime.ExitError',
  'Sandbox.Timedout',
  'ThrottledError',
];

/** 2 + 4 + 8 + 16 + 30 + 30 s: waits 90 s at most. */
export const THROTTLED: RetryProps = {
  errors: PASSING_TROUBLE,
  interval: Duration.seconds(2),
  backoffRate: 2,
  maxDelay: Duration.seconds(30),
  maxAttempts: 6,
  jitterStrategy: JitterType.FULL,
};

/** The request was refused before it had any effect: one that may have had must not be sent twice. Waits 90 s at most. */
export const NOT_ACCEPTED: RetryProps = { ...THROTTLED, errors: ['ThrottledError', 'Lambda.TooManyRequestsException'] };

/**
 * EC2 takes a snapshot of a volume every 15 s, and a set whose answer was lost shows up late: the function looks for it
 * before it asks for another. 5 + 10 + 20 + 30 + 30 s: waits 95 s.
 */
export const UNTIL_TAKEN: RetryProps = {
  errors: [...PASSING_TROUBLE, 'SnapshotTooSoonError', 'SnapshotAnswerLostError'],
  interval: Duration.seconds(5),
  backoffRate: 2,
  maxDelay: Duration.seconds(30),
  maxAttempts: 5,
};

/** The same act twice does no harm, so any error is worth another try. 2 + 4 + 8 + 16 + 30 + 30 s: waits 90 s at most. */
export const HARMLESS: RetryProps = { ...THROTTLED, errors: ['States.ALL'] };

/**
 * Outlives minutes of a throttled or queued Run Command. 2 + 4 + 8 + 16 + 12 × 30 s: waits 390 s, without jitter since
 * every second counts; where each try hangs for its 100 s, it goes on for 35 minutes.
 */
export const UNTIL_THAWED: RetryProps = {
  errors: ['States.ALL'],
  interval: Duration.seconds(2),
  backoffRate: 2,
  maxDelay: Duration.seconds(30),
  maxAttempts: 16,
};
