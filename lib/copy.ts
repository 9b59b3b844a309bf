import { Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { COPY, COPY_STATES, METRICS } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import { CopySteps } from './copy-steps.ts';
import { DeadLetters } from './dead-letters.ts';
import { type Destination, placeId } from './destinations.ts';
import { ofAll } from './metrics.ts';
import type { Plan } from './plan.ts';
import { plannedPlace } from './planned-place.ts';
import { retention } from './prune.ts';
import { HARMLESS } from './retries.ts';
import { acknowledgeMachine, loggedIn, stepTask } from './workflow-parts.ts';

export interface CopyProps {
  readonly plan: Plan;
  readonly destinations: readonly Destination[];
  readonly alarms: Alarms;
}

/** EC2 works on twenty copies at a time: often enough that they seldom stand idle, seldom enough to cost next to nothing. */
const EVERY = Duration.minutes(5);

/**
 * Keeps each destination supplied with copies: every five minutes it looks at what is there and what is not, and does what
 * can be done now. No execution waits for a copy, and none remembers anything: what there is says what is left to do.
 */
export class Copy extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, { plan, destinations, alarms }: CopyProps) {
    super(scope, id);
    const { account, region } = Stack.of(this);
    const steps = new CopySteps(this, 'Steps', { destinations });

    // What the destination lacks, what is under way, and what is to be done about it now.
    const planCopies = stepTask(this, COPY_STATES.planCopies, steps.planCopies, {
      payload: {
        input: sfn.JsonPath.entirePayload,
        home: { account, region },
        policies: retention(plan),
        destinations: destinations.map((each) => ({ ...plannedPlace(this, each), wishes: each.wishes })),
      },
    }).addRetry(HARMLESS);
    const anything = new sfn.Choice(this, 'Is anything to be done?');
    // Copies that were begun stay in EC2's hands; the next execution sees what has become of them.
    const copySnapshots = stepTask(this, COPY_STATES.copySnapshots, steps.copySnapshots).addRetry(HARMLESS);
    const right = new sfn.Choice(this, 'Did all go right?');
    const failed = new sfn.Fail(this, 'Copy failed', {
      error: 'CopyIncompleteError',
      causePath: sfn.JsonPath.format(
        'tried again every five minutes; sets of which a copy has failed, after six hours: {} {}',
        sfn.JsonPath.jsonToString(sfn.JsonPath.objectAt('$.report.troubles')),
        sfn.JsonPath.jsonToString(sfn.JsonPath.objectAt('$.report.failing')),
      ),
    });

    planCopies.next(anything);
    anything.when(sfn.Condition.stringEquals('$.next', 'copy'), copySnapshots.next(right)).otherwise(right);
    const hasAny = (list: string) => sfn.Condition.isPresent(`$.report.${list}[0]`);
    right
      .when(sfn.Condition.or(hasAny('troubles'), hasAny('failing')), failed)
      .otherwise(new sfn.Succeed(this, 'Copied'));

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: COPY,
      comment: 'Keeps another Region or account supplied with copies of whole sets',
      definitionBody: sfn.DefinitionBody.fromChainable(planCopies),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    acknowledgeMachine(this.stateMachine, steps.planCopies, steps.copySnapshots);
    this.everyFewMinutes(destinations, alarms);
    alarms.whenAbove0('FailedCopy', this.stateMachine.metricFailed(), {
      because: 'A destination could not be looked at, or a copy was refused or has failed.',
    });
    alarms.whenAbove0('LateCopies', ofAll(METRICS.lateCopies), {
      because: 'A destination lacks sets that are older than their policy lets a set be.',
      period: Duration.hours(1),
    });
  }

  private everyFewMinutes(destinations: readonly Destination[], alarms: Alarms): void {
    const deadLetters = new DeadLetters(this);
    for (const { region, account } of destinations) {
      new events.Rule(this, `To-${placeId({ region, account })}`, {
        description: `Freezeframe: copies to ${region}${account ? ` of account ${account}` : ''}`,
        schedule: events.Schedule.rate(EVERY),
        targets: [
          new targets.SfnStateMachine(this.stateMachine, {
            input: events.RuleTargetInput.fromObject({ region, ...(account !== undefined && { account }) }),
            deadLetterQueue: deadLetters,
            // What was missed is found by the next one.
            maxEventAge: EVERY,
          }),
        ],
      });
    }
    alarms.whenAbove0('UndeliveredCopy', deadLetters.metricApproximateNumberOfMessagesVisible(), {
      because: 'Copies could not be started.',
    });
  }
}
