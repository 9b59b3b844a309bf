import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { RESTORE, RESTORE_STATES } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { Alarms } from './alarms.ts';
import type { Receipts } from './receipts.ts';
import type { RestoreSteps } from './restore-steps.ts';
import { HARMLESS, THROTTLED } from './retries.ts';
import { StepFunction } from './step-function.ts';
import { acknowledgeMachine, evidenceTask, loggedIn, stepTask } from './workflow-parts.ts';

export interface RestoreWorkflowProps {
  readonly steps: RestoreSteps;
  /** Where the sets' evidence lies. */
  readonly receipts: Receipts;
  readonly alarms: Alarms;
}

/**
 * One restore of one set: `{"instanceId":"i-…"}` in, mounted file systems out. Whatever fails, what this restore made is
 * taken away again. Nothing of the original is touched, except by a swap, which puts it back when it fails.
 */
export class RestoreWorkflow extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, { steps, receipts, alarms }: RestoreWorkflowProps) {
    super(scope, id);

    // The set that was asked for, or the newest that fits
    const findSet = stepTask(this, RESTORE_STATES.findSet, steps.findSet, {
      payload: { input: ALL, restore: sfn.JsonPath.stringAt('$$.Execution.Name') },
    }).addRetry(THROTTLED);

    // Topology and volumes as they were when the set was made
    const readEvidence = evidenceTask(this, RESTORE_STATES.readEvidence, receipts);

    // What is made and mounted, and where. Its output is the restore that all later states carry on.
    const planRestore = stepTask(this, RESTORE_STATES.planRestore, steps.planRestore).addRetry(THROTTLED);

    // Retention keeps its hands off until volumes are made of it.
    const holdSet = this.onSet(steps, 'hold', RESTORE_STATES.holdSet).addRetry(THROTTLED);

    // From here on there is something to take away. Each step may be repeated: it goes on where it was.
    const isLaunch = new sfn.Choice(this, 'Launch an instance?');
    // Its output is the restore once more, now with the instance.
    const launchInstance = stepTask(this, RESTORE_STATES.launchInstance, steps.launchInstance).addRetry(THROTTLED);
    const bootsFromSet = new sfn.Choice(this, 'From the root of the set?');
    const createVolumes = stepTask(this, RESTORE_STATES.createVolumes, steps.createVolumes, {
      resultPath: '$.created',
    }).addRetry(THROTTLED);

    // Before a volume is there, lest udev put an array of copies together by itself
    const prepareHost = this.onHost(steps, 'prepare', RESTORE_STATES.prepareHost);

    const isSwap = new sfn.Choice(this, 'Swap?');
    const attachVolumes = stepTask(this, RESTORE_STATES.attachVolumes, steps.attachVolumes, {
      resultPath: '$.attached',
    }).addRetry(THROTTLED);
    const mount = this.onHost(steps, 'mount', RESTORE_STATES.mount, '$.mounted');

    // A swap: services stopped and originals unmounted; then volume for volume; then mounted and started where they were.
    const vacate = this.onHost(steps, 'vacate', RESTORE_STATES.vacate, '$.vacated');
    const swapVolumes = this.onVolumes(steps, 'swap', RESTORE_STATES.swapVolumes, '$.attached').addRetry(THROTTLED);
    const occupy = this.onHost(steps, 'occupy', RESTORE_STATES.occupy, '$.mounted');

    const settle = this.onHost(steps, 'settle', RESTORE_STATES.settle, '$.mounted');

    const letGoOfSet = this.onSet(steps, 'letGo', RESTORE_STATES.letGoOfSet).addRetry({ ...HARMLESS, maxAttempts: 3 });
    const hasFailed = new sfn.Choice(this, 'Was it restored?');
    const complete = new sfn.Succeed(this, 'Restored');

    // The way back of a swap, whatever is to become of the copies. Nothing is given up before the originals are back.
    const vacateCopies = this.onHost(steps, 'vacateCopies', RESTORE_STATES.vacateCopies);
    const swapBack = this.onVolumes(steps, 'back', RESTORE_STATES.swapBack).addRetry(HARMLESS);
    const occupyOriginals = this.onHost(steps, 'occupyOriginals', RESTORE_STATES.occupyOriginals).addRetry(HARMLESS);

    // What was made is kept only when that was asked for by name.
    const keep = new sfn.Choice(this, 'Keep what was made?');
    const hasInstance = new sfn.Choice(this, 'On an instance of its own?');
    const terminateInstance = stepTask(this, RESTORE_STATES.terminateInstance, steps.terminateInstance, {
      resultPath: sfn.JsonPath.DISCARD,
    }).addRetry({ ...HARMLESS, maxAttempts: 3 });
    const releaseHost = this.onHost(steps, 'release', RESTORE_STATES.releaseHost);
    const removeVolumes = stepTask(this, RESTORE_STATES.removeVolumes, steps.removeVolumes, {
      resultPath: sfn.JsonPath.DISCARD,
    }).addRetry({ ...HARMLESS, maxAttempts: 3 });

    const failed = new sfn.Fail(this, 'Restore failed', { errorPath: '$.error.Error', causePath: '$.error.Cause' });
    const somethingLeft = this.failedTwice('Something is left', '$.removeError');
    const originalsNotBack = this.failedTwice('Originals are not back', '$.backError');

    // The flow.
    findSet.next(readEvidence).next(planRestore).next(holdSet).next(isLaunch);
    isLaunch.when(sfn.Condition.isNull('$.launch'), createVolumes).otherwise(launchInstance);
    launchInstance.next(bootsFromSet);
    // Then its volumes came with it, and the host has mounted what needs no merging of LVM snapshots.
    bootsFromSet.when(sfn.Condition.isNull('$.launch.rootDevice'), createVolumes).otherwise(settle);
    settle.next(letGoOfSet);
    createVolumes.next(prepareHost).next(isSwap);
    isSwap.when(sfn.Condition.isNull('$.originals'), attachVolumes).otherwise(vacate);
    attachVolumes.next(mount).next(letGoOfSet);
    vacate.next(swapVolumes).next(occupy).next(letGoOfSet);
    letGoOfSet.next(hasFailed);
    hasFailed.when(sfn.Condition.isPresent('$.error'), failed).otherwise(complete);

    for (const state of [holdSet, launchInstance, settle, createVolumes, prepareHost, attachVolumes, mount]) {
      caughtBy(keep, '$.error', state);
    }
    for (const state of [vacate, swapVolumes, occupy]) caughtBy(vacateCopies, '$.error', state);
    vacateCopies.next(swapBack).next(occupyOriginals).next(keep);
    // EC2 says whether a volume is in use, when the host can't.
    caughtBy(swapBack, '$.vacateError', vacateCopies);
    for (const state of [swapBack, occupyOriginals]) caughtBy(originalsNotBack, '$.backError', state);
    keep.when(sfn.Condition.booleanEquals('$.keepOnFailure', true), letGoOfSet).otherwise(hasInstance);
    hasInstance.when(sfn.Condition.isNull('$.launch'), releaseHost).otherwise(terminateInstance);
    terminateInstance.next(removeVolumes);

    // A host that can't be asked any more holds up nobody: EC2 says whether a volume is in use.
    releaseHost.next(removeVolumes).next(letGoOfSet);
    caughtBy(removeVolumes, '$.releaseError', releaseHost);
    for (const state of [terminateInstance, removeVolumes]) caughtBy(somethingLeft, '$.removeError', state);
    // The hold ends by itself.
    caughtBy(hasFailed, '$.holdError', letGoOfSet);

    this.stateMachine = new sfn.StateMachine(this, 'StateMachine', {
      stateMachineName: RESTORE,
      comment: 'One set restored to mounted file systems beside the original, on another instance, or in its place',
      definitionBody: sfn.DefinitionBody.fromChainable(findSet),
      tracingEnabled: true,
      logs: loggedIn(this),
    });
    acknowledgeWildcard(
      this.stateMachine.role,
      receipts.bucket.arnForObjects('sets/*'),
      'Every set has its own object.',
    );
    acknowledgeMachine(this.stateMachine, ...Object.values(steps).filter((step) => step instanceof StepFunction));
    alarms.whenAbove0('FailedRestore', this.stateMachine.metricFailed(), {
      because: 'A restore failed: see what of, and whether volumes of it are left.',
    });
  }

  private onHost(steps: RestoreSteps, act: string, name: string, resultPath: string = sfn.JsonPath.DISCARD) {
    return stepTask(this, name, steps.restoreHost, { payload: { act, restore: ALL }, resultPath }).addRetry(THROTTLED);
  }

  private onSet({ holdSet }: RestoreSteps, act: string, name: string) {
    return stepTask(this, name, holdSet, { payload: { act, restore: ALL }, resultPath: sfn.JsonPath.DISCARD });
  }

  private onVolumes(steps: RestoreSteps, act: string, name: string, resultPath: string = sfn.JsonPath.DISCARD) {
    return stepTask(this, name, steps.swapVolumes, { payload: { act, restore: ALL }, resultPath });
  }

  /** An end in which the way back failed as well. */
  private failedTwice(name: string, path: string) {
    return new sfn.Fail(this, name, {
      errorPath: `${path}.Error`,
      causePath: sfn.JsonPath.format(
        '{} · the restore had failed with {}: {}',
        sfn.JsonPath.stringAt(`${path}.Cause`),
        sfn.JsonPath.stringAt('$.error.Error'),
        sfn.JsonPath.stringAt('$.error.Cause'),
      ),
    });
  }
}

/** The whole state. */
const ALL = sfn.JsonPath.entirePayload;

/** Leads every error of this task to `handler`. States.ALL alone leaves out DataLimitExceeded. */
function caughtBy(handler: sfn.IChainable, resultPath: string, state: sfn.TaskStateBase): void {
  state.addCatch(handler, { errors: ['States.DataLimitExceeded'], resultPath });
  state.addCatch(handler, { errors: ['States.ALL'], resultPath });
}
