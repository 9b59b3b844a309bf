import { Duration, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { FIRING } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import { DeadLetters } from './dead-letters.ts';
import type { Plan } from './plan.ts';
import { acknowledgeMachine, loggedIn } from './workflow-parts.ts';

export interface SchedulesProps {
  readonly plan: Plan;
  readonly fleet: sfn.StateMachine;
  readonly alarms: Alarms;
}

/**
 * A schedule for each policy. EventBridge Scheduler delivers at least once, and can't name an execution by the time of
 * the firing, which has colons in it: a workflow of one state in between does, and Step Functions takes a name once.
 */
export class Schedules extends Construct {
  /** What could not be delivered; a message in it is an alarm. */
  readonly deadLetters: DeadLetters;

  constructor(scope: Construct, id: string, { plan, fleet, alarms }: SchedulesProps) {
    super(scope, id);
    const firing = this.firing(fleet);
    this.deadLetters = new DeadLetters(this);

    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
    firing.grantStartExecution(role);
    this.deadLetters.grantSendMessages(role);

    for (const [name, { schedule, timeZone }] of Object.entries(plan.policies)) {
      new scheduler.CfnSchedule(this, name, {
        name: `Freezeframe-${name}`,
        description: `Freezeframe: backs up the instances of policy ${name}`,
        scheduleExpression: schedule,
        scheduleExpressionTimezone: timeZone,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: firing.stateMachineArn,
          roleArn: role.roleArn,
          input: JSON.stringify({ policy: name, time: '<aws.scheduler.scheduled-time>' }),
          deadLetterConfig: { arn: this.deadLetters.queueArn },
          // Later than this it is better told than done: the window of the policy has moved on.
          retryPolicy: { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 30 },
        },
      });
    }
    alarms.whenAbove0('UndeliveredFiring', this.deadLetters.metricApproximateNumberOfMessagesVisible(), {
      because: 'A schedule fired and could not start its backups, or the daily look at their age could not be started.',
    });
    alarms.whenAbove0('FailedFiring', firing.metricFailed(), {
      because: 'A schedule fired and its fleet could not be started.',
    });
    alarms.whenAbove0('FailedFleet', fleet.metricFailed(), {
      because: 'A firing ended red: instances missed their grade, or it could not even look for them.',
    });
  }

  private firing(fleet: sfn.StateMachine): sfn.StateMachine {
    const time = sfn.JsonPath.stringSplit(sfn.JsonPath.stringAt('$.time'), ':');
    const start = new tasks.StepFunctionsStartExecution(this, 'Start the fleet', {
      stateMachine: fleet,
      name: sfn.JsonPath.format(
        '{}-{}{}{}',
        sfn.JsonPath.stringAt('$.policy'),
        ...[0, 1, 2].map((part) => sfn.JsonPath.arrayGetItem(time, part)),
      ),
      input: sfn.TaskInput.fromObject({
        policy: sfn.JsonPath.stringAt('$.policy'),
        time: sfn.JsonPath.stringAt('$.time'),
      }),
      taskTimeout: sfn.Timeout.duration(Duration.minutes(1)),
    });
    const started = new sfn.Succeed(this, 'Started');
    start.addCatch(new sfn.Succeed(this, 'Started before'), { errors: [ALREADY_THERE] }).next(started);
    const machine = new sfn.StateMachine(this, 'Firing', {
      stateMachineName: FIRING,
      comment: 'Starts the fleet of a policy once for each firing of its schedule',
      definitionBody: sfn.DefinitionBody.fromChainable(start),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    acknowledgeMachine(machine);
    return machine;
  }
}

/** The firing was delivered before, and its fleet has ended since. */
const ALREADY_THERE = 'StepFunctions.ExecutionAlreadyExistsException';
