/** What the workflows have in common: how a state calls its function, and where an execution is logged. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { NO_EVIDENCE } from '../lambdas/shared/errors.ts';
import { SET_TAGS } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import { tellsWhatIsMissing } from './permissions.ts';
import type { Receipts } from './receipts.ts';
import { HARMLESS } from './retries.ts';
import type { StepFunction } from './step-function.ts';

export interface StepOptions {
  /** @default the whole state */
  readonly payload?: Record<string, unknown>;
  /** @default the output replaces the state */
  readonly resultPath?: string;
}

/** The state of a step's function. */
export function stepTask(
  scope: Construct,
  name: string,
  { function: lambdaFunction, taskTimeout }: StepFunction,
  options: StepOptions = {},
): tasks.LambdaInvoke {
  return new tasks.LambdaInvoke(scope, name, {
    lambdaFunction,
    // Without a payload the task gets the state as it is ("$" would be sent as that very string).
    ...(options.payload && { payload: sfn.TaskInput.fromObject(options.payload) }),
    payloadResponseOnly: true,
    // The CDK's default would try Freeze and Create snapshots again.
    retryOnServiceExceptions: false,
    taskTimeout: sfn.Timeout.duration(taskTimeout),
    ...(options.resultPath && { resultPath: options.resultPath }),
  });
}

/**
 * The stored evidence of the set whose key the state has, as text. Where there is none to be read, that is the end, with what
 * to do about it: nothing has been made yet.
 */
export function evidenceTask(scope: Construct, name: string, { bucket }: Receipts): sfn.TaskStateBase {
  const key = sfn.JsonPath.stringAt('$.key');
  const readEvidence = new tasks.CallAwsService(scope, name, {
    service: 's3',
    action: 'getObject',
    parameters: { Bucket: bucket.bucketName, Key: key },
    iamResources: [bucket.arnForObjects('sets/*')],
    additionalIamStatements: [new iam.PolicyStatement(tellsWhatIsMissing(bucket, 'sets/'))],
    resultSelector: { text: sfn.JsonPath.stringAt('$.Body') },
    resultPath: '$.object',
    taskTimeout: sfn.Timeout.duration(Duration.seconds(30)),
  });
  const noEvidence = new sfn.Fail(scope, 'No evidence', {
    error: NO_EVIDENCE,
    causePath: sfn.JsonPath.format(
      `There is no evidence to be read at s3://${bucket.bucketName}/{}: {} A set that was copied here needs it brought from the bucket of the deployment that took it (its account and Region are in the tag ${SET_TAGS.origin} of the snapshots): aws s3 cp s3://BUCKET-AT-HOME/{} s3://${bucket.bucketName}/{}. Of a set that was taken here, look at the versions of the object.`,
      key,
      sfn.JsonPath.stringAt('$.readError.Cause'),
      key,
      key,
    ),
  });
  return readEvidence
    .addRetry({ errors: NOT_THERE, maxAttempts: 0 })
    .addRetry(HARMLESS)
    .addCatch(noEvidence, { errors: [...NOT_THERE, 'S3.S3Exception'], resultPath: '$.readError' });
}

/** What S3 says of an object that is missing, and of one that may not be read: neither passes by itself. */
const NOT_THERE = ['S3.NoSuchKeyException', 'S3.AccessDeniedException'];

/** What happened when, without the states' data. */
export const loggedIn = (scope: Construct): sfn.LogOptions => ({
  destination: new logs.LogGroup(scope, 'Log', {
    retention: logs.RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.DESTROY,
  }),
  level: sfn.LogLevel.ALL,
  // Payloads name mounts, data directories and log positions: these stay in the execution history and receipts.
  includeExecutionData: false,
});

/** The wildcards that the CDK grants a state machine: its traces, its log, and the versions of its functions. */
export function acknowledgeMachine({ role }: sfn.StateMachine, ...steps: StepFunction[]): void {
  acknowledgeWildcard(role, '*', 'X-Ray and the delivery of logs, for which IAM knows no narrower resource.');
  for (const { function: lambdaFunction } of steps) {
    acknowledgeWildcard(role, `${lambdaFunction.functionArn}:*`, 'The versions of one function, as the CDK grants it.');
  }
}
