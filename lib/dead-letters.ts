import { Duration, Validations } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Where events lie that could not be handed to their target, for as long as anybody may take to look. */
export class DeadLetters extends sqs.Queue {
  constructor(scope: Construct) {
    super(scope, 'DeadLetters', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    Validations.of(this).acknowledge(
      { id: 'AwsSolutions-SQS3', reason: 'It is the dead letter queue.' },
      { id: 'Serverless-SQSRedrivePolicy', reason: 'It is the dead letter queue.' },
    );
  }
}
