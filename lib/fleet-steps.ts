import { Validations } from 'aws-cdk-lib';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { mayKeepLists, mayLook } from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface FleetStepsProps {
  readonly bucket: s3.IBucket;
}

/** The functions behind the states of Fleet, and the daily look at the age of sets. */
export class FleetSteps extends Construct {
  readonly findTargets = new StepFunction(this, 'FindTargets', { name: 'find-targets' });
  readonly report = new StepFunction(this, 'Report', { name: 'report' });
  readonly checkRpo = new StepFunction(this, 'CheckRpo', { name: 'check-rpo' });

  constructor(scope: Construct, id: string, { bucket }: FleetStepsProps) {
    super(scope, id);
    mayLook(this.findTargets, 'ec2:DescribeInstances', 'ssm:DescribeInstanceInformation');
    mayKeepLists(this.findTargets, bucket, 's3:GetObject', 's3:PutObject');
    mayKeepLists(this.report, bucket, 's3:GetObject');
    mayLook(this.checkRpo, 'ec2:DescribeInstances', 'ec2:DescribeSnapshots');
    Validations.of(this.checkRpo.function).acknowledge({
      id: 'Serverless-LambdaAsyncFailureDestination',
      reason: 'A check that fails shows in its alarm, and the next day looks at the very same sets.',
    });
  }
}
