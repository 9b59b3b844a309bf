import { ArnFormat, Duration, Fn, Stack } from 'aws-cdk-lib';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import type { DrillPolicy } from '../lambdas/shared/drill-contracts.ts';
import { DRILL, DRILL_STATES } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { DrillSteps } from './drill-steps.ts';
import type { Receipts } from './receipts.ts';
import { HARMLESS, NOT_ACCEPTED, THROTTLED } from './retries.ts';
import { StepFunction } from './step-function.ts';
import { acknowledgeMachine, evidenceTask, loggedIn, stepTask } from './workflow-parts.ts';

export interface DrillWorkflowProps {
  readonly steps: DrillSteps;
  readonly restore: sfn.StateMachine;
  /** The function of Restore that lets go of a host. */
  readonly restoreHost: StepFunction;
  /** Where the sets' evidence lies. */
  readonly receipts: Receipts;
  readonly policies: Readonly<Record<string, DrillPolicy>>;
}

/**
 * One drill of one set: `{"policy":"nightly"}` or `{"instanceId":"i-…"}` in, a verdict out. The set is restored on a machine
 * that is thrown away again, and verified there. Whatever happens, nothing of it is left.
 */
export class DrillWorkflow extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, props: DrillWorkflowProps) {
    super(scope, id);
    const { steps, receipts } = props;

    // The newest set, of the instance whose last drill is the longest ago
    const chooseSet = stepTask(this, DRILL_STATES.chooseSet, steps.chooseSet, {
      payload: { input: ALL, drill: sfn.JsonPath.stringAt('$$.Execution.Name'), policies: props.policies },
    }).addRetry(THROTTLED);

    // File systems and applications as they were when the set was made
    const readEvidence = evidenceTask(this, DRILL_STATES.readEvidence, receipts);
    const planDrill = stepTask(this, DRILL_STATES.planDrill, steps.planDrill).addRetry(THROTTLED);

    // A machine of its own, unless somebody has offered one
    const ownMachine = new sfn.Choice(this, 'A machine of its own?');
    const launchScratch = stepTask(this, DRILL_STATES.launchScratch, steps.launchScratch, {
      resultPath: '$.launched',
    }).addRetry(THROTTLED);
    const waitForAgent = stepTask(this, DRILL_STATES.waitForAgent, steps.waitForAgent, {
      resultPath: '$.ready',
    }).addRetry(THROTTLED);

    // The very workflow that a person would start
    const restoreToScratch = this.restoreTo('$.ready.wish', DRILL_STATES.restore, props);
    const restoreToTarget = this.restoreTo('$.wish', 'Restore to the target', props);

    // File systems, databases and the user's checks, for hours if it has to be
    const verify = stepTask(this, DRILL_STATES.verify, steps.verify, { resultPath: '$.verification' }).addRetry(
      NOT_ACCEPTED,
    );
    const wait = new sfn.Wait(this, 'Wait for Verify', {
      time: sfn.WaitTime.secondsPath('$.verification.waitSeconds'),
    });
    const checkVerify = stepTask(this, DRILL_STATES.checkVerify, steps.checkVerify, {
      resultPath: '$.verification',
    }).addRetry(THROTTLED);
    const verified = new sfn.Choice(this, 'Is it verified?');

    // What it has shown goes on every snapshot of the set
    const judge = stepTask(this, DRILL_STATES.judge, steps.judge, { resultPath: '$.judged' }).addRetry(HARMLESS);

    // From here on nothing is looked at any more, and all of it goes. An instance of the user's has to be let go of.
    const hostToRelease = new sfn.Choice(this, 'A host to release?');
    const releaseHost = stepTask(this, DRILL_STATES.releaseHost, props.restoreHost, {
      payload: { act: 'release', restore: sfn.JsonPath.objectAt('$.restored.output') },
      resultPath: sfn.JsonPath.DISCARD,
    }).addRetry({ ...HARMLESS, maxAttempts: 2 });
    const tearDown = stepTask(this, DRILL_STATES.tearDown, steps.tearDown, {
      payload: { drill: sfn.JsonPath.stringAt('$$.Execution.Name') },
      resultPath: sfn.JsonPath.DISCARD,
    }).addRetry({ ...HARMLESS, maxAttempts: 3 });

    const ended = new sfn.Choice(this, 'How did it end?');
    const complete = new sfn.Succeed(this, 'Drilled');
    const fail = (name: string, path: string) =>
      new sfn.Fail(this, name, { errorPath: `${path}.Error`, causePath: `${path}.Cause` });

    // The flow.
    chooseSet.next(readEvidence).next(planDrill).next(ownMachine);
    ownMachine
      .when(sfn.Condition.isPresent('$.target'), restoreToTarget)
      .otherwise(launchScratch.next(waitForAgent).next(restoreToScratch));
    for (const restore of [restoreToScratch, restoreToTarget]) restore.next(verify);
    verify.next(wait).next(checkVerify).next(verified);
    verified.when(sfn.Condition.booleanEquals('$.verification.done', true), judge).otherwise(wait);
    judge.next(hostToRelease);

    // A drill that fails leaves nothing, either. What the restore died of may be the set's fault: that is judged, too.
    caughtBy(hostToRelease, '$.error', launchScratch, waitForAgent);
    caughtBy(judge, '$.error', restoreToScratch, restoreToTarget, verify, checkVerify);
    caughtBy(hostToRelease, '$.judgeError', judge);
    hostToRelease
      .when(
        sfn.Condition.and(sfn.Condition.isPresent('$.target'), sfn.Condition.isPresent('$.restored')),
        releaseHost.next(tearDown),
      )
      .otherwise(tearDown);
    // A host that can't be asked any more holds up nobody: EC2 says whether a volume is in use.
    caughtBy(tearDown, '$.releaseError', releaseHost);
    caughtBy(fail('Something is left', '$.tearDownError'), '$.tearDownError', tearDown);
    tearDown.next(ended);
    ended
      .when(sfn.Condition.isPresent('$.judged.error'), fail('Drill failed', '$.judged.error'))
      .when(sfn.Condition.isPresent('$.judgeError'), fail('Not judged', '$.judgeError'))
      .when(sfn.Condition.isPresent('$.error'), fail('Not drilled', '$.error'))
      .otherwise(complete);

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: DRILL,
      comment: 'Restores a set on a machine that is thrown away again, and verifies it there',
      definitionBody: sfn.DefinitionBody.fromChainable(chooseSet),
      // Longer than all of it can take; what it leaves then, the sweeper takes.
      timeout: Duration.hours(20),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    this.acknowledgeWildcards(props);
  }

  /** Waits for the end of the restore: its error is in the cause of this task's. */
  private restoreTo(wish: string, name: string, { restore }: DrillWorkflowProps): tasks.StepFunctionsStartExecution {
    return new tasks.StepFunctionsStartExecution(this, name, {
      stateMachine: restore,
      integrationPattern: sfn.IntegrationPattern.RUN_JOB,
      input: sfn.TaskInput.fromJsonPathAt(wish),
      resultSelector: {
        startedAt: sfn.JsonPath.numberAt('$.StartDate'),
        stoppedAt: sfn.JsonPath.numberAt('$.StopDate'),
        output: sfn.JsonPath.objectAt('$.Output'),
      },
      resultPath: '$.restored',
      // All tasks of a restore with their retries.
      taskTimeout: sfn.Timeout.duration(Duration.hours(3)),
    });
  }

  private acknowledgeWildcards({ steps, restore, restoreHost, receipts }: DrillWorkflowProps): void {
    const { role } = this.stateMachine;
    const functions = Object.values(steps).filter((step) => step instanceof StepFunction);
    acknowledgeMachine(this.stateMachine, ...functions, restoreHost);
    acknowledgeWildcard(role, receipts.bucket.arnForObjects('sets/*'), 'Every set has its own object.');
    const restores = Stack.of(this).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: Fn.select(6, Fn.split(':', restore.stateMachineArn)),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    acknowledgeWildcard(role, `${restores}*`, 'Every restore is an execution of its own.');
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
