import { ArnFormat, Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

export interface AlarmsProps {
  /** E-mail address that is told of every alarm. @default nobody; alarms show in CloudWatch */
  readonly notify?: string;
}

/** The alarms of this stack, and who hears of them. */
export class Alarms extends Construct {
  /** Undefined when nobody is to be told. */
  readonly topic: sns.Topic | undefined;
  readonly all: cloudwatch.Alarm[] = [];

  constructor(scope: Construct, id: string, { notify }: AlarmsProps = {}) {
    super(scope, id);
    if (notify === undefined) return;
    this.topic = new sns.Topic(this, 'Topic', { displayName: 'Freezeframe', enforceSSL: true });
    // The policy that denies plain text takes the place of the topic's own, which would let CloudWatch publish.
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'AlarmsOfFreezeframe',
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { ArnLike: { 'aws:SourceArn': alarmArn(this, '*') } },
      }),
    );
    this.topic.addSubscription(new subscriptions.EmailSubscription(notify));
    Validations.of(this.topic).acknowledge(
      { id: 'AwsSolutions-SNS2', reason: ENCRYPTION },
      { id: 'Serverless-SNSRedrivePolicy', reason: 'An e-mail address takes no dead letter queue.' },
    );
  }

  /** An alarm by its name, which is a section of the runbook; its description says where. */
  whenAbove0(
    name: string,
    metric: cloudwatch.Metric,
    { because, periods = 1, period = Duration.minutes(5) }: AlarmReason,
  ): void {
    const alarm = new cloudwatch.Alarm(this, name, {
      alarmName: PREFIX + name,
      alarmDescription: `${because} What to do: ${RUNBOOK}#${name.toLowerCase()}`,
      metric: metric.with({ period, statistic: 'Maximum' }),
      threshold: 0,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    this.all.push(alarm);
    if (this.topic) alarm.addAlarmAction(new actions.SnsAction(this.topic));
  }
}

export interface AlarmReason {
  /** For whoever gets the alarm: what it means. */
  readonly because: string;
  /** Periods that it has to last. @default 1 */
  readonly periods?: number;
  /** @default five minutes */
  readonly period?: Duration;
}

const PREFIX = 'Freezeframe-';

const alarmArn = (scope: Construct, name: string): string =>
  Stack.of(scope).formatArn({
    service: 'cloudwatch',
    resource: 'alarm',
    resourceName: PREFIX + name,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });

/** In the repository: where it is hosted, the stack does not know. */
const RUNBOOK = 'docs/runbook.md';

const ENCRYPTION =
  'CloudWatch cannot publish under the AWS managed key, and what it says is the name and the state of an alarm.';
