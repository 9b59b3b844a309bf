import { Duration, Validations } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { RESCUE_STATES, THAW_RESCUE } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import { DeadLetters } from './dead-letters.ts';
import { mayReadHistory, mayStart } from './permissions.ts';
import { UNTIL_THAWED } from './retries.ts';
import { StepFunction } from './step-function.ts';
import { acknowledgeMachine, loggedIn, stepTask } from './workflow-parts.ts';

export interface ThawRescueProps {
  /** Whose runs are rescued. */
  readonly backup: sfn.StateMachine;
  /** The function behind the *Thaw* of a run: the rescue asks for the very same. */
  readonly thaw: StepFunction;
  readonly alarms: Alarms;
}

/**
 * The second ring of thaw. No catcher sees the end of an execution that was stopped, timed out or died of its own size:
 * its status event does, and where that gets lost, the sweeper every five minutes.
 */
export class ThawRescue extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, props: ThawRescueProps) {
    super(scope, id);
    const { backup, alarms } = props;
    this.stateMachine = this.machine(props);

    const deadLetters = new DeadLetters(this);

    new events.Rule(this, 'RunEndedRed', {
      description: 'Freezeframe: a backup failed, timed out or was stopped; its host may have to be thawed',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [backup.stateMachineArn], status: ['FAILED', 'TIMED_OUT', 'ABORTED'] },
      },
      targets: [
        new targets.SfnStateMachine(this.stateMachine, {
          input: events.RuleTargetInput.fromEventPath('$.detail'),
          deadLetterQueue: deadLetters,
          // By then the sweeper has looked at the run several times.
          maxEventAge: Duration.minutes(30),
        }),
      ],
    });

    const sweep = this.sweeper(backup);
    new events.Rule(this, 'EveryFiveMinutes', {
      description: 'Freezeframe: looks for runs that owe a thaw and have no rescue',
      schedule: events.Schedule.rate(Duration.minutes(5)),
      targets: [
        new targets.LambdaFunction(sweep.function, {
          event: events.RuleTargetInput.fromObject({
            backup: backup.stateMachineArn,
            rescue: this.stateMachine.stateMachineArn,
          }),
          deadLetterQueue: deadLetters,
          maxEventAge: Duration.minutes(5),
        }),
      ],
    });

    alarms.whenAbove0('UndeliveredRescue', deadLetters.metricApproximateNumberOfMessagesVisible(), {
      because: 'An event could not be handed to the rescue: a host may have been left to its lease.',
    });
    alarms.whenAbove0('FailedRescue', this.stateMachine.metricFailed(), {
      because: 'The rescue could not thaw a host: look whether it is frozen.',
    });
    alarms.whenAbove0('StoppedRescue', this.stateMachine.metricAborted(), {
      because: 'A rescue was stopped before it had thawed its host.',
    });
    alarms.whenAbove0('FailingSweep', sweep.function.metricErrors(), {
      because: 'The sweeper fails again and again: a lost event would not be noticed.',
      periods: 3,
    });
  }

  private machine({ backup, thaw }: ThawRescueProps): sfn.StateMachine {
    const check = new StepFunction(this, 'CheckThaw', { name: 'check-thaw' });
    mayReadHistory(check, backup);

    // Most runs that end red have frozen nothing, or have thawed it; then their hosts are left in peace.
    const checkThaw = stepTask(this, RESCUE_STATES.checkThaw, check).addRetry(UNTIL_THAWED);
    const owed = new sfn.Choice(this, 'Is a thaw owed?');
    // Red when it fails for good: that raises the alarm.
    const thawAgain = stepTask(this, RESCUE_STATES.thaw, thaw, {
      payload: {
        run: sfn.JsonPath.stringAt('$.run'),
        instanceId: sfn.JsonPath.stringAt('$.instanceId'),
        askedBy: 'rescue',
      },
    }).addRetry(UNTIL_THAWED);

    checkThaw.next(owed);
    owed
      .when(sfn.Condition.booleanEquals('$.owed', false), new sfn.Succeed(this, 'Nothing to thaw'))
      .otherwise(thawAgain.next(new sfn.Succeed(this, 'Thawed')));

    const machine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: THAW_RESCUE,
      comment: 'Thaws the host of a run that ended red or hangs, unless the run has done so itself',
      definitionBody: sfn.DefinitionBody.fromChainable(checkThaw),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    acknowledgeMachine(machine, check, thaw);
    return machine;
  }

  private sweeper(backup: sfn.StateMachine): StepFunction {
    const sweep = new StepFunction(this, 'Sweep', { name: 'sweep' });
    sweep.may({ actions: ['states:ListExecutions'], resources: [backup.stateMachineArn] });
    mayReadHistory(sweep, backup);
    mayStart(sweep, this.stateMachine);
    // The next sweep is as good as another try of this one.
    sweep.function.configureAsyncInvoke({ retryAttempts: 0 });
    Validations.of(sweep.function).acknowledge({
      id: 'Serverless-LambdaAsyncFailureDestination',
      reason: 'A sweep that fails shows in its alarm, and what it did not see the next one sees.',
    });
    return sweep;
  }
}
