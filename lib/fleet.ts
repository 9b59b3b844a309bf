import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { CheckRpoInput } from '../lambdas/shared/contracts.ts';
import { METRICS } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import { FleetSteps } from './fleet-steps.ts';
import { FleetWorkflow } from './fleet-workflow.ts';
import { sayLimits } from './limits.ts';
import { ofAll } from './metrics.ts';
import type { Plan } from './plan.ts';
import type { Receipts } from './receipts.ts';
import { rpoHours } from './rpo.ts';
import { Schedules } from './schedules.ts';

export interface FleetProps {
  readonly plan: Plan;
  readonly backup: sfn.StateMachine;
  readonly rescue: sfn.StateMachine;
  readonly receipts: Receipts;
  readonly alarms: Alarms;
}

/** What starts backups by itself: schedules, the fleet that each of them starts, and the daily look at what it is worth. */
export class Fleet extends Construct {
  readonly workflow: FleetWorkflow;

  constructor(scope: Construct, id: string, { plan, backup, rescue, receipts, alarms }: FleetProps) {
    super(scope, id);
    // The compiler's exactOptionalPropertyTypes tells the class from its own interface; nothing else does.
    const bucket = receipts.bucket as s3.IBucket;
    const steps = new FleetSteps(this, 'Steps', { bucket });
    this.workflow = new FleetWorkflow(this, 'Workflow', { steps, backup, rescue, bucket, plan, topic: alarms.topic });
    const { deadLetters } = new Schedules(this, 'Schedules', { plan, fleet: this.workflow.stateMachine, alarms });
    sayLimits(this, plan);

    const rule = new events.Rule(this, 'EveryDay', {
      description: 'Freezeframe: how old the newest set of each instance is',
      schedule: events.Schedule.rate(Duration.days(1)),
    });
    rule.addTarget(
      new targets.LambdaFunction(steps.checkRpo.function, {
        event: events.RuleTargetInput.fromObject({ policies: ages(plan) } satisfies CheckRpoInput),
        deadLetterQueue: deadLetters,
      }),
    );
    alarms.whenAbove0('StaleSets', ofAll(METRICS.stale), {
      because: 'Instances have no completed set of their grade that is young enough, or none at all.',
      period: Duration.days(1),
    });
    alarms.whenAbove0('FailingRpoCheck', steps.checkRpo.function.metricErrors(), {
      because: 'The daily look at the age of sets fails: an instance that is backed up no more would not be noticed.',
    });
  }
}

export const ages = ({ policies }: Plan): CheckRpoInput['policies'] =>
  Object.fromEntries(
    Object.entries(policies).map(([name, policy]) => [name, { grade: policy.grade, rpoHours: rpoHours(policy) }]),
  );
