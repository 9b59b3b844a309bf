import { Duration, Stack, Validations } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { DrillPolicy, Scratch } from '../lambdas/shared/drill-contracts.ts';
import type { Alarms } from './alarms.ts';
import { DeadLetters } from './dead-letters.ts';
import { DrillNetwork } from './drill-network.ts';
import { DrillSteps } from './drill-steps.ts';
import { DrillWorkflow } from './drill-workflow.ts';
import type { HostDocuments } from './host-documents.ts';
import { executionsArn, mayLook, mayTearDown } from './permissions.ts';
import type { Plan } from './plan.ts';
import type { Receipts } from './receipts.ts';
import { StepFunction } from './step-function.ts';

export interface DrillProps {
  readonly plan: Plan;
  readonly documents: HostDocuments;
  readonly restore: sfn.StateMachine;
  /** The function of Restore that lets go of a host. */
  readonly restoreHost: StepFunction;
  readonly receipts: Receipts;
  readonly alarms: Alarms;
}

/** Proves that sets restore: on the schedules of the plan, and by hand. What a killed drill has left is swept away. */
export class Drill extends Construct {
  readonly stateMachine: sfn.StateMachine;
  /** What could not be delivered; a message in it is an alarm. */
  private readonly deadLetters: DeadLetters;

  constructor(scope: Construct, id: string, { plan, documents, restore, restoreHost, receipts, alarms }: DrillProps) {
    super(scope, id);
    const { scratches, place } = new DrillNetwork(this, 'Network', { plan });
    const workflow = new DrillWorkflow(this, 'Workflow', {
      steps: new DrillSteps(this, 'Steps', { documents, place }),
      restore,
      restoreHost,
      receipts,
      policies: drillPolicies(plan, scratches),
    });
    this.stateMachine = workflow.stateMachine;
    this.deadLetters = new DeadLetters(this);
    this.schedules(plan);
    const sweep = this.sweeper();

    alarms.whenAbove0('FailedDrill', this.stateMachine.metricFailed(), {
      because: 'A drill ended red: a set could not be restored, was found damaged, or could not be verified.',
    });
    alarms.whenAbove0('TimedOutDrill', this.stateMachine.metricTimedOut(), {
      because: 'A drill took longer than 20 hours: nothing is known of its set.',
    });
    alarms.whenAbove0('UndeliveredDrill', this.deadLetters.metricApproximateNumberOfMessagesVisible(), {
      because: 'A drill could not be started by its schedule, or the sweeper of drills by the hour.',
    });
    alarms.whenAbove0('FailingDrillSweep', sweep.function.metricErrors(), {
      because: 'Instances or volumes of a drill could not be taken away: they cost money until they are.',
    });
  }

  /** Delivered twice, a firing drills twice: that costs a second drill, and harms nothing. */
  private schedules(plan: Plan): void {
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
    this.stateMachine.grantStartExecution(role);
    this.deadLetters.grantSendMessages(role);
    for (const [name, { drill, timeZone }] of Object.entries(plan.policies)) {
      if (!drill) continue;
      new scheduler.CfnSchedule(this, `Schedule-${name}`, {
        name: `Freezeframe-drill-${name}`,
        description: `Freezeframe: drills a set of policy ${name}`,
        scheduleExpression: drill.schedule,
        scheduleExpressionTimezone: timeZone,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: this.stateMachine.stateMachineArn,
          roleArn: role.roleArn,
          input: JSON.stringify({ policy: name }),
          deadLetterConfig: { arn: this.deadLetters.queueArn },
          retryPolicy: { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 30 },
        },
      });
    }
  }

  private sweeper(): StepFunction {
    const sweep = new StepFunction(this, 'SweepDrills', { name: 'sweep-drills' });
    mayLook(sweep, 'ec2:DescribeInstances', 'ec2:DescribeVolumes');
    mayTearDown(sweep);
    sweep.may({
      actions: ['states:DescribeExecution'],
      resources: [executionsArn(this.stateMachine)],
      because: 'Every drill is an execution of its own.',
    });
    // The next sweep is as good as another try of this one.
    sweep.function.configureAsyncInvoke({ retryAttempts: 0 });
    Validations.of(sweep.function).acknowledge({
      id: 'Serverless-LambdaAsyncFailureDestination',
      reason: 'A sweep that fails shows in its alarm, and the next one finds the same things.',
    });
    new events.Rule(this, 'EveryHour', {
      description: 'Freezeframe: takes away what drills that have ended left behind',
      schedule: events.Schedule.rate(Duration.hours(1)),
      targets: [
        new targets.LambdaFunction(sweep.function, {
          event: events.RuleTargetInput.fromObject({
            executions: executionsArn(this.stateMachine).replace('*', ''),
          }),
          deadLetterQueue: this.deadLetters,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
    return sweep;
  }
}

/** What a drill by hand may take, where the plan says nothing. */
const VERIFY_MINUTES = 240;

const drillPolicies = (
  { policies }: Plan,
  scratches: Readonly<Record<string, Scratch>>,
): Readonly<Record<string, DrillPolicy>> =>
  Object.fromEntries(
    Object.entries(policies).map(([name, { grade, drill }]) => {
      const scratch = scratches[name];
      const { verifyMinutes = VERIFY_MINUTES, copies = false } = drill ?? {};
      return [name, { grade, verifyMinutes, copies, ...(scratch && { scratch }) }];
    }),
  );
