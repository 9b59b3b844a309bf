import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { FLEETS_PREFIX } from '../lambdas/shared/names.ts';

/**
 * Where the receipt and the topology of every set lie: `sets/<instance>/<run>.json`. They outlive the stack. Beside them,
 * under `fleets/`, the lists and results of each firing, for 90 days.
 */
export class Receipts extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      versioned: true,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.bucket.addLifecycleRule({
      id: 'FleetsExpire',
      prefix: FLEETS_PREFIX,
      expiration: Duration.days(90),
      noncurrentVersionExpiration: Duration.days(7),
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Only the state machines and the functions of a fleet write here, and their history says what and when; reads are in CloudTrail data events for those who want them.',
    });
  }
}
