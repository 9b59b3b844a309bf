import { Duration } from 'aws-cdk-lib';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { RunPolicy } from '../lambdas/shared/contracts.ts';
import { BACKUP, STATES } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { BackupSteps } from './backup-steps.ts';
import type { Receipts } from './receipts.ts';
import { HARMLESS, NOT_ACCEPTED, THROTTLED, UNTIL_TAKEN, UNTIL_THAWED } from './retries.ts';
import { StepFunction } from './step-function.ts';
import { acknowledgeMachine, loggedIn, stepTask } from './workflow-parts.ts';

export interface BackupWorkflowProps {
  readonly steps: BackupSteps;
  readonly receipts: Receipts;
  /** The policies of the plan, by name. */
  readonly policies: Record<string, RunPolicy>;
  /** Documents of the user's own that a tag may choose. */
  readonly hookDocuments: readonly string[];
}

/** One backup of one instance: `{"instanceId":"i-…"}` in, a graded snapshot set out; red when it missed its grade. */
export class BackupWorkflow extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, props: BackupWorkflowProps) {
    super(scope, id);
    const { steps } = props;

    // What is there, what can be frozen, in which order and why. Its output is the run that all later states carry on.
    const inspectHost = stepTask(this, STATES.inspect, steps.inspectHost, {
      payload: {
        input: ALL,
        run: sfn.JsonPath.stringAt('$$.Execution.Name'),
        policies: props.policies,
        ...(props.hookDocuments.length > 0 && { hookDocuments: props.hookDocuments }),
      },
    }).addRetry(THROTTLED);

    // The very function that will take the set asks EC2 whether it may, and is warm then.
    const rehearse = stepTask(this, STATES.rehearse, steps.createSnapshots, {
      payload: { act: 'rehearse', run: ALL },
      resultPath: sfn.JsonPath.DISCARD,
    }).addRetry(THROTTLED);

    const anythingToFreeze = new sfn.Choice(this, 'Is there anything to freeze?');

    // Answers as soon as the host is frozen; the holder and its watchdog stay behind on the host. A freeze is never
    // tried again: whatever the first try left is thawed.
    const freeze = stepTask(this, STATES.freeze, steps.freeze, { resultPath: '$.frozen' });

    // One CreateSnapshots call for all volumes, never sent twice.
    const createSnapshots = stepTask(this, STATES.createSnapshots, steps.createSnapshots, {
      payload: { act: 'frozen', run: ALL },
      resultPath: '$.snapshots',
    });

    // Whatever happened. Brings back the host's receipt.
    const thaw = stepTask(this, STATES.thaw, steps.thaw, { resultPath: '$.thawed' }).addRetry(UNTIL_THAWED);

    // On Windows, VSS freezes, takes and thaws by itself in ten seconds at most: nothing is held while it is waited for.
    // What it leaves is found by its tag.
    const snapshotWithVss = stepTask(this, STATES.snapshotWithVss, steps.snapshotWithVss, {
      resultPath: '$.vssCommand',
    }).addRetry(NOT_ACCEPTED);
    const waitForVss = new sfn.Wait(this, 'Wait for VSS', {
      time: sfn.WaitTime.secondsPath('$.vssCommand.waitSeconds'),
    });
    const checkVss = stepTask(this, STATES.checkVss, steps.checkVss, { resultPath: '$.vssCommand' }).addRetry(
      THROTTLED,
    );
    const takenByVss = new sfn.Choice(this, 'Has VSS taken the set?');

    const setTaken = new sfn.Choice(this, 'Was a set taken?');

    // A set that proves nothing but its one point in time is better than none.
    const createUnfrozen = stepTask(this, STATES.createUnfrozen, steps.createSnapshots, {
      payload: { act: 'unfrozen', run: ALL },
      resultPath: '$.snapshots',
    }).addRetry(UNTIL_TAKEN);

    // What the evidence proves, no more. Its output replaces the run; `error` is in it when the run must end red.
    const grade = stepTask(this, STATES.grade, steps.grade).addRetry(THROTTLED);

    const storeReceipt = this.storeReceipt(props.receipts).addRetry(HARMLESS);

    const keepSet = new sfn.Choice(this, 'Keep the set?');

    // Before the snapshots are completed, so that nobody can delete a member of the set in between.
    const lock = stepTask(this, STATES.lock, steps.lock, { resultPath: sfn.JsonPath.DISCARD }).addRetry(HARMLESS);

    const wait = new sfn.Wait(this, 'Wait for snapshots', { time: sfn.WaitTime.secondsPath('$.progress.waitSeconds') });
    const checkSnapshots = stepTask(this, STATES.checkSnapshots, steps.checkSnapshots, {
      resultPath: '$.progress',
    }).addRetry(THROTTLED);
    const completed = new sfn.Choice(this, 'Are they completed?');

    const discard = stepTask(this, STATES.discard, steps.discard, { resultPath: sfn.JsonPath.DISCARD }).addRetry(
      THROTTLED,
    );

    const complete = new sfn.Succeed(this, 'Complete');
    const failed = this.failWithFirstError();

    // The flow.
    inspectHost.next(rehearse).next(anythingToFreeze);
    anythingToFreeze
      .when(sfn.Condition.stringEquals('$.mode', 'crash'), createUnfrozen)
      .when(sfn.Condition.stringEquals('$.mode', 'vss'), snapshotWithVss)
      .otherwise(freeze);

    // The frozen window: two tasks, and every way out of them is Thaw.
    caughtBy(thaw, '$.error', freeze, createSnapshots);
    freeze.next(createSnapshots).next(thaw).next(setTaken);
    caughtBy(setTaken, '$.thawError', thaw);

    // No set of VSS's, or one that it does not vouch for: the policy decides what is taken instead.
    snapshotWithVss.next(waitForVss).next(checkVss).next(takenByVss);
    caughtBy(setTaken, '$.error', snapshotWithVss, checkVss);
    takenByVss
      .when(sfn.Condition.stringEquals('$.vssCommand.outcome', 'taken'), grade)
      .when(sfn.Condition.stringEquals('$.vssCommand.outcome', 'again'), snapshotWithVss)
      .otherwise(waitForVss);

    setTaken
      .when(sfn.Condition.isPresent('$.snapshots'), grade)
      .when(sfn.Condition.stringEquals('$.policy.onDowngrade', 'discard'), grade)
      .otherwise(createUnfrozen.next(grade));
    caughtBy(grade, '$.unfrozenError', createUnfrozen);

    // An evidence that can't be stored ends the run red, after the set has been seen to.
    grade.next(storeReceipt).next(keepSet);
    // One failed member fails the set: what is left of it is of no use, and counts against EC2's limits.
    checkSnapshots.addCatch(discard, { errors: ['SnapshotFailedError'], resultPath: '$.failedError' });
    caughtBy(failed, '$.lateError', grade, checkSnapshots, discard);
    caughtBy(keepSet, '$.storeError', storeReceipt);

    const keep = sfn.Condition.booleanEquals('$.verdict.keep', true);
    keepSet
      .when(sfn.Condition.and(keep, sfn.Condition.isPresent('$.lock')), lock)
      .when(keep, wait)
      .otherwise(discard.next(failed));
    lock.next(wait);
    caughtBy(wait, '$.lockError', lock);

    // A run with an error goes to its end in red only now, with its set completed.
    wait.next(checkSnapshots).next(completed);
    completed
      .when(sfn.Condition.booleanEquals('$.progress.completed', false), wait)
      .when(sfn.Condition.or(...['$.error', '$.storeError', '$.lockError'].map(sfn.Condition.isPresent)), failed)
      .otherwise(complete);

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: BACKUP,
      comment: 'One backup of one instance, its application and its array frozen for the moment of the snapshots',
      // No timeout of the whole execution: no catcher sees it, so it could end a run between Freeze and Thaw.
      definitionBody: sfn.DefinitionBody.fromChainable(inspectHost),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    this.acknowledgeWildcards(props);
  }

  private storeReceipt({ bucket }: Receipts) {
    return new tasks.CallAwsService(this, 'Store receipt', {
      service: 's3',
      action: 'putObject',
      parameters: {
        Bucket: bucket.bucketName,
        Key: sfn.JsonPath.format(
          'sets/{}/{}.json',
          sfn.JsonPath.stringAt('$.instanceId'),
          sfn.JsonPath.stringAt('$.run'),
        ),
        Body: sfn.JsonPath.objectAt('$.evidence'),
        ContentType: 'application/json',
      },
      iamResources: [bucket.arnForObjects('sets/*')],
      resultPath: sfn.JsonPath.DISCARD,
      taskTimeout: sfn.Timeout.duration(Duration.seconds(30)),
    });
  }

  private acknowledgeWildcards({ steps, receipts }: BackupWorkflowProps): void {
    const { role } = this.stateMachine;
    acknowledgeWildcard(role, receipts.bucket.arnForObjects('sets/*'), 'Every run stores an object of its own.');
    acknowledgeMachine(this.stateMachine, ...Object.values(steps).filter((step) => step instanceof StepFunction));
  }

  /**
   * Fail needs both a name and a cause at their paths, and an error of Grade's may lack the cause. Grade makes one error
   * of those before it; where it fails itself, they stand beside each other, and the first of them counts.
   */
  private failWithFirstError(): sfn.Choice {
    const failed = new sfn.Fail(this, 'Backup failed', { errorPath: '$.error.Error', causePath: '$.error.Cause' });
    const noCause = new sfn.Pass(this, 'No cause was given', {
      result: sfn.Result.fromString('no cause was given'),
      resultPath: '$.error.Cause',
    });
    const errorAt = (path: string, name: string) =>
      new sfn.Pass(this, name, { inputPath: path, resultPath: '$.error' }).next(failed);
    const which = new sfn.Choice(this, 'Which error came first?')
      .when(sfn.Condition.isPresent('$.error.Cause'), failed)
      .when(sfn.Condition.isPresent('$.error'), noCause.next(failed));
    for (const [path, name] of [
      ['$.thawError', 'The error of Thaw'],
      ['$.unfrozenError', 'The error of Create snapshots unfrozen'],
      ['$.storeError', 'The error of Store receipt'],
      ['$.lockError', 'The error of Lock'],
      ['$.failedError', 'The error of Check snapshots'],
    ] as const) {
      which.when(sfn.Condition.isPresent(path), errorAt(path, name));
    }
    return which.otherwise(errorAt('$.lateError', 'The late error'));
  }
}

/** The whole state. */
const ALL = sfn.JsonPath.entirePayload;

/** Leads every error of these tasks to `handler`. States.ALL alone leaves out DataLimitExceeded. */
function caughtBy(handler: sfn.IChainable, resultPath: string, ...states: sfn.TaskStateBase[]): void {
  for (const state of states) {
    state.addCatch(handler, { errors: ['States.DataLimitExceeded'], resultPath });
    state.addCatch(handler, { errors: ['States.ALL'], resultPath });
  }
}
