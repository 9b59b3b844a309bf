import { ArnFormat, Duration, Fn, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sns from 'aws-cdk-lib/aws-sns';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { FindTargetsInput, ReportInput } from '../lambdas/shared/contracts.ts';
import { FLEET, FLEET_EVENT, FLEET_STATES, FLEETS_PREFIX } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { FleetSteps } from './fleet-steps.ts';
import { executionsArn } from './permissions.ts';
import type { Plan } from './plan.ts';
import { HARMLESS, THROTTLED } from './retries.ts';
import { acknowledgeMachine, loggedIn, stepTask } from './workflow-parts.ts';

export interface FleetWorkflowProps {
  readonly steps: FleetSteps;
  readonly backup: sfn.StateMachine;
  readonly rescue: sfn.StateMachine;
  /** For lists and results, under `fleets/`. */
  readonly bucket: s3.IBucket;
  readonly plan: Plan;
  /** Who gets the report. @default nobody; the event is sent all the same */
  readonly topic?: sns.ITopic | undefined;
}

/**
 * One firing of one policy: `{"policy":"nightly","time":"…"}` in, every tagged instance backed up in its turn, a report
 * out; red when any of them missed its grade.
 */
export class FleetWorkflow extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, props: FleetWorkflowProps) {
    super(scope, id);
    const { steps, bucket, plan } = props;

    // Who, and when. The list outgrows a state at some 1,000 instances, so it lies in the bucket.
    const findTargets = stepTask(this, FLEET_STATES.findTargets, steps.findTargets, {
      payload: {
        input: sfn.JsonPath.entirePayload,
        fleet: sfn.JsonPath.stringAt('$$.Execution.Name'),
        policies: targetPolicies(plan),
        pacing: { perSecond: plan.pacing.snapshotsPerSecond, burst: plan.pacing.burst },
        bucket: bucket.bucketName,
      },
      resultPath: '$.found',
    }).addRetry(THROTTLED);

    const anyTargets = new sfn.Choice(this, 'Are there any targets?');
    const forEachTarget = this.forEachTarget(props);

    // Everybody who was tagged, and what became of them.
    const report = stepTask(this, FLEET_STATES.report, steps.report, {
      payload: { state: sfn.JsonPath.entirePayload, policies: reportPolicies(plan) },
      resultPath: '$.reported',
    }).addRetry(HARMLESS);

    const tell = this.tell(props);
    const announce = this.announce();
    const allReached = new sfn.Choice(this, 'Did all reach their grade?');
    const complete = new sfn.Succeed(this, 'All backed up');
    const failed = new sfn.Fail(this, 'Some were missed', {
      error: 'InstancesMissedError',
      causePath: '$.reported.message',
    });

    // The flow. A report that can't be sent must not hide how the firing ended.
    findTargets.next(anyTargets);
    anyTargets.when(sfn.Condition.numberGreaterThan('$.found.count', 0), forEachTarget).otherwise(report);
    for (const errors of UNCAUGHT) forEachTarget.addCatch(report, { errors, resultPath: '$.mapError' });
    forEachTarget.next(report).next(tell ?? announce);
    tell?.addCatch(announce, { resultPath: sfn.JsonPath.DISCARD }).next(announce);
    announce.addCatch(allReached, { resultPath: sfn.JsonPath.DISCARD }).next(allReached);
    allReached.when(sfn.Condition.booleanEquals('$.reported.red', false), complete).otherwise(failed);

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: FLEET,
      comment: 'Backs up every instance of a policy, each in its turn, and reports',
      definitionBody: sfn.DefinitionBody.fromChainable(findTargets),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    const { role } = this.stateMachine;
    for (const actions of [
      ['s3:GetObject'],
      ['s3:PutObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload'],
    ]) {
      role.addToPrincipalPolicy(
        new iam.PolicyStatement({ actions, resources: [bucket.arnForObjects(`${FLEETS_PREFIX}*`)] }),
      );
    }
    this.acknowledgeWildcards(props);
  }

  /** Its iterations never fail for a red run: one that did would not stop the others, but would not be told of either. */
  private forEachTarget({ backup, rescue, bucket }: FleetWorkflowProps): sfn.DistributedMap {
    const waitForTurn = new sfn.Wait(this, FLEET_STATES.waitForTurn, { time: sfn.WaitTime.timestampPath('$.at') });

    // Named by instance and firing: whoever asks for the same run again gets the same, and never a second one.
    const backUp = new tasks.StepFunctionsStartExecution(this, FLEET_STATES.backUp, {
      stateMachine: backup,
      integrationPattern: sfn.IntegrationPattern.RUN_JOB,
      name: sfn.JsonPath.stringAt('$.name'),
      input: sfn.TaskInput.fromJsonPathAt('$.input'),
      resultSelector: {
        grade: sfn.JsonPath.stringAt('$.Output.verdict.grade'),
        windowMs: sfn.JsonPath.numberAt('$.Output.verdict.windowMs'),
      },
      resultPath: '$.green',
      // A set is given up after two days.
      taskTimeout: sfn.Timeout.duration(Duration.hours(72)),
    });

    // Whatever its run died of, the host must not stay frozen. The rescue looks whether a thaw is owed; it has the name
    // of the run, as the sweeper's has, so that one of them is enough.
    const thawInItsPlace = new tasks.StepFunctionsStartExecution(this, FLEET_STATES.rescue, {
      stateMachine: rescue,
      name: sfn.JsonPath.stringAt('$.name'),
      input: sfn.TaskInput.fromObject({
        executionArn: sfn.JsonPath.format(
          `${executionsArn(backup).replace('*', '')}{}`,
          sfn.JsonPath.stringAt('$.name'),
        ),
        name: sfn.JsonPath.stringAt('$.name'),
        input: sfn.JsonPath.jsonToString(sfn.JsonPath.objectAt('$.input')),
      }),
      resultPath: sfn.JsonPath.DISCARD,
      taskTimeout: sfn.Timeout.duration(Duration.minutes(1)),
    });
    const missed = new sfn.Succeed(this, 'Missed');

    // A run that missed its turn has not touched its host. `again` has no other turn in it, so this ends.
    const anotherTurn = new sfn.Choice(this, 'Has it another turn?');
    const takeIt = new sfn.Pass(this, 'Take the other turn', { inputPath: '$.again' });

    waitForTurn.next(backUp);
    for (const errors of UNCAUGHT) {
      backUp.addCatch(anotherTurn, { errors, resultPath: '$.error' });
    }
    anotherTurn
      .when(
        sfn.Condition.and(
          sfn.Condition.isPresent('$.again'),
          sfn.Condition.isPresent('$.error.Cause'),
          sfn.Condition.stringMatches('$.error.Cause', '*"TurnMissedError"*'),
        ),
        takeIt.next(waitForTurn),
      )
      .otherwise(thawInItsPlace);
    // It exists already, or the event of the run's end and the sweeper will see to it.
    thawInItsPlace.addCatch(missed, { resultPath: sfn.JsonPath.DISCARD }).next(missed);

    const map = new sfn.DistributedMap(this, FLEET_STATES.forEachTarget, {
      label: 'Targets',
      mapExecutionType: sfn.StateMachineType.STANDARD,
      itemReader: new ListReader({ bucket, key: sfn.JsonPath.stringAt('$.found.targetsKey') }),
      resultWriterV2: new OutcomeWriter({
        bucket,
        prefix: sfn.JsonPath.format(`${FLEETS_PREFIX}{}/results`, sfn.JsonPath.stringAt('$$.Execution.Name')),
      }),
      resultPath: '$.results',
      // One red run must never stop the others: a host could be left frozen.
      toleratedFailurePercentage: 100,
    });
    map.itemProcessor(waitForTurn);
    return map;
  }

  /** The mail. */
  private tell({ topic }: FleetWorkflowProps): sfn.TaskStateBase | undefined {
    if (!topic) return undefined;
    return new tasks.SnsPublish(this, 'Tell', {
      topic,
      subject: sfn.JsonPath.stringAt('$.reported.subject'),
      message: sfn.TaskInput.fromJsonPathAt('$.reported.message'),
      resultPath: sfn.JsonPath.DISCARD,
      taskTimeout: sfn.Timeout.duration(Duration.seconds(30)),
    }).addRetry(HARMLESS);
  }

  /** The event, for whoever has a rule for it. */
  private announce(): sfn.TaskStateBase {
    return new tasks.EventBridgePutEvents(this, 'Announce', {
      entries: [
        {
          source: FLEET_EVENT.source,
          detailType: FLEET_EVENT.detailType,
          detail: sfn.TaskInput.fromJsonPathAt('$.reported.event'),
          eventBus: events.EventBus.fromEventBusName(this, 'Bus', 'default'),
        },
      ],
      resultPath: sfn.JsonPath.DISCARD,
      taskTimeout: sfn.Timeout.duration(Duration.seconds(30)),
    }).addRetry(HARMLESS);
  }

  private acknowledgeWildcards({ steps, backup, bucket }: FleetWorkflowProps): void {
    const { role } = this.stateMachine;
    acknowledgeMachine(this.stateMachine, steps.findTargets, steps.report);
    const runs = `${executionsOf(backup)}*`;
    acknowledgeWildcard(role, runs, 'Every run is an execution of its own.');
    acknowledgeWildcard(role, bucket.arnForObjects(`${FLEETS_PREFIX}*`), 'Every firing has objects of its own.');
    for (const children of [':*', '/Targets:*']) {
      acknowledgeWildcard(
        this.stateMachine,
        `${executionsOf(this.stateMachine)}${children}`,
        'The children of the Map are executions of their own.',
      );
    }
  }
}

/** The CDK would grant the whole bucket; the state machine's role has the fleets' part of it. */
class ListReader extends sfn.S3JsonItemReader {
  override providePolicyStatements(): iam.PolicyStatement[] {
    return [];
  }
}
class OutcomeWriter extends sfn.ResultWriterV2 {
  override providePolicyStatements(): iam.PolicyStatement[] {
    return [];
  }
}

/** As the CDK writes the ARN of a machine's executions in the policies that it makes. */
const executionsOf = (machine: sfn.StateMachine): string =>
  Stack.of(machine).formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: Fn.select(6, Fn.split(':', machine.stateMachineArn)),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });

/** Every error: States.ALL alone leaves out DataLimitExceeded. */
const UNCAUGHT = [['States.DataLimitExceeded'], ['States.ALL']];

const targetPolicies = ({ policies }: Plan): FindTargetsInput['policies'] =>
  Object.fromEntries(
    Object.entries(policies).map(([name, { freeze, windowMinutes, retain }]) => [
      name,
      { leaseSeconds: freeze.leaseSeconds, windowSeconds: windowMinutes * 60, setsKept: setsKept(retain) },
    ]),
  );

/** At most: one set may count for several periods. */
const setsKept = ({ last, daily, weekly, monthly, yearly }: Plan['policies'][string]['retain']): number =>
  last + daily + weekly + monthly + yearly;

const reportPolicies = ({ policies }: Plan): ReportInput['policies'] =>
  Object.fromEntries(
    Object.entries(policies).map(([name, { grade, schedule, timeZone }]) => [name, { grade, schedule, timeZone }]),
  );
