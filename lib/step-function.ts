import { join } from 'node:path';
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from './acknowledge.ts';
import { BUNDLES, FUNCTIONS, type FunctionName } from './functions.ts';

export interface StepFunctionProps {
  /** Its folder in `lambdas/`. */
  readonly name: FunctionName;
  /** Of its role, by which another account knows it. @default / */
  readonly rolePath?: string;
}

export interface Permission {
  readonly actions: string[];
  readonly resources: string[];
  readonly conditions?: Record<string, Record<string, string | string[]>>;
  /** Why its resources can't be named one by one, where they are not. */
  readonly because?: string;
}

/** The Lambda function of a step, with a log and a role of its own that may do nothing yet but write its log and traces. */
export class StepFunction extends Construct {
  readonly function: lambda.Function;
  readonly logGroup: logs.LogGroup;
  readonly memoryMB: number;
  readonly role: iam.Role;
  /** A task waits a little longer than its function, so that the function's own error is the one that is seen. */
  readonly taskTimeout: Duration;

  constructor(scope: Construct, id: string, { name, rolePath }: StepFunctionProps) {
    super(scope, id);
    const { timeoutSeconds, memoryMB = 512 }: { timeoutSeconds: number; memoryMB?: number } = FUNCTIONS[name];
    this.memoryMB = memoryMB;
    this.taskTimeout = Duration.seconds(timeoutSeconds + 10);

    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: logs.RetentionDays.THREE_MONTHS,
      // What proves a backup lies in the receipts, which stay.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // Not AWSLambdaBasicExecutionRole: it may write to every log of the account.
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      ...(rolePath !== undefined && { path: rolePath }),
    });
    this.logGroup.grantWrite(this.role);

    this.function = new lambda.Function(this, 'Function', {
      description: `Freezeframe: ${name.replaceAll('-', ' ')}`,
      code: lambda.Code.fromAsset(join(BUNDLES, name)),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      // CPU comes with memory, and seconds of the frozen window are dear.
      memorySize: memoryMB,
      timeout: Duration.seconds(timeoutSeconds),
      role: this.role,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: lambda.Tracing.ACTIVE,
    });
    acknowledgeWildcard(this.role, '*', 'X-Ray, and read-only actions for which IAM knows no narrower resource.');
    Validations.of(this.function).acknowledge({
      id: 'Serverless-LambdaDLQ',
      reason:
        'Step Functions waits for its answer and sees every error; a dead letter queue is for asynchronous events.',
    });
  }

  may({ actions, resources, conditions, because }: Permission): void {
    this.role.addToPolicy(new iam.PolicyStatement({ actions, resources, ...(conditions && { conditions }) }));
    if (because) for (const resource of resources) acknowledgeWildcard(this.role, resource, because);
  }
}
