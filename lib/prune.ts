import { Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { PRUNE, PRUNE_STATES } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import { DeadLetters } from './dead-letters.ts';
import type { Destination } from './destinations.ts';
import type { Plan } from './plan.ts';
import { plannedPlace } from './planned-place.ts';
import { PruneSteps } from './prune-steps.ts';
import { HARMLESS } from './retries.ts';
import { acknowledgeMachine, loggedIn, stepTask } from './workflow-parts.ts';

export interface PruneProps {
  readonly plan: Plan;
  readonly destinations: readonly Destination[];
  readonly alarms: Alarms;
}

/** Lets go of the sets that no policy keeps: every day, and by hand with `{"dryRun": true}` to see what it would do. */
export class Prune extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, { plan, destinations, alarms }: PruneProps) {
    super(scope, id);
    const { account, region } = Stack.of(this);
    const steps = new PruneSteps(this, 'Steps', { destinations });

    // How much there is of ours, in each Region, shared out into parts that fit into memory.
    const listSets = stepTask(this, PRUNE_STATES.listSets, steps.listSets, {
      payload: {
        input: sfn.JsonPath.entirePayload,
        policies: retention(plan),
        home: { account, region },
        destinations: destinations.map((each) => plannedPlace(this, each)),
      },
    }).addRetry(HARMLESS);
    // Part after part: which sets stay, which go, and why.
    const decide = stepTask(this, PRUNE_STATES.decide, steps.decide).addRetry(HARMLESS);
    // Whole sets, at EC2's pace, each decided on once more just before; comes back here until the batch is done.
    const deleteSets = stepTask(this, PRUNE_STATES.delete, steps.delete).addRetry(HARMLESS);

    // Sets that are kept for long, as many as EC2 archives at once.
    const archive = stepTask(this, PRUNE_STATES.archive, steps.archive).addRetry(HARMLESS);

    const next = new sfn.Choice(this, 'What is next?');
    const isNext = (what: string) => sfn.Condition.stringEquals('$.next', what);
    const failed = new sfn.Fail(this, 'Prune failed', {
      error: 'PruneIncompleteError',
      causePath: sfn.JsonPath.format(
        'not everything could be listed, decided on, deleted or archived; the rest was; the next prune tries again: {}',
        sfn.JsonPath.jsonToString(sfn.JsonPath.objectAt('$.report.troubles')),
      ),
    });

    listSets.next(next);
    next
      .when(isNext('decide'), decide.next(next))
      .when(isNext('delete'), deleteSets.next(next))
      .when(isNext('archive'), archive.next(next))
      .when(sfn.Condition.isPresent('$.report.troubles[0]'), failed)
      .otherwise(new sfn.Succeed(this, 'Pruned'));

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: PRUNE,
      comment: 'Lets go of the sets that no policy keeps, whole, and says why the others stay',
      definitionBody: sfn.DefinitionBody.fromChainable(listSets),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    acknowledgeMachine(this.stateMachine, steps.listSets, steps.decide, steps.delete, steps.archive);
    const undelivered = this.everyDay();
    alarms.whenAbove0('FailedPrune', this.stateMachine.metricFailed(), {
      because: 'Sets that are due could not all be deleted: they cost money until they are.',
    });
    alarms.whenAbove0('UndeliveredPrune', undelivered.metricApproximateNumberOfMessagesVisible(), {
      because: 'The prune of a day could not be started: nothing was let go.',
    });
  }

  private everyDay(): DeadLetters {
    const deadLetters = new DeadLetters(this);
    new events.Rule(this, 'EveryDay', {
      description: 'Freezeframe: lets go of the sets that no policy keeps',
      schedule: events.Schedule.rate(Duration.days(1)),
      targets: [
        new targets.SfnStateMachine(this.stateMachine, {
          input: events.RuleTargetInput.fromObject({ dryRun: false }),
          deadLetterQueue: deadLetters,
        }),
      ],
    });
    return deadLetters;
  }
}

/** The part of each policy that retention needs. */
export const retention = ({ policies }: Plan) =>
  Object.fromEntries(
    Object.entries(policies).map(([name, { grade, timeZone, retain, archive }]) => [
      name,
      { grade, timeZone, retain, ...(archive && { archiveAfterDays: archive.afterDays }) },
    ]),
  );
