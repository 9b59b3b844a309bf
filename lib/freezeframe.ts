import { Construct } from 'constructs';
import type { RunPolicy } from '../lambdas/shared/contracts.ts';
import { METRICS } from '../lambdas/shared/names.ts';
import { Alarms } from './alarms.ts';
import { BackupSteps } from './backup-steps.ts';
import { BackupWorkflow } from './backup-workflow.ts';
import { Copy } from './copy.ts';
import { Dashboard } from './dashboard.ts';
import { destinationsOf } from './destinations.ts';
import { Drill } from './drill.ts';
import { Fleet } from './fleet.ts';
import { HostDocuments } from './host-documents.ts';
import { ofAll } from './metrics.ts';
import type { Plan } from './plan.ts';
import { Prune } from './prune.ts';
import { Receipts } from './receipts.ts';
import { RestoreSteps } from './restore-steps.ts';
import { RestoreWorkflow } from './restore-workflow.ts';
import { ThawRescue } from './thaw-rescue.ts';
import { VssInstancePolicy } from './vss-instance-policy.ts';

export interface FreezeframeProps {
  /** From `parsePlan`. */
  readonly plan: Plan;
}

/** The whole of Freezeframe, in the order that things flow: what runs on the hosts, what steers it, what is kept. */
export class Freezeframe extends Construct {
  readonly documents: HostDocuments;
  /** For the roles of Windows instances. */
  readonly vssInstancePolicy: VssInstancePolicy;
  readonly receipts: Receipts;
  readonly backup: BackupWorkflow;
  readonly rescue: ThawRescue;
  readonly restore: RestoreWorkflow;
  /** Undefined when the plan copies nothing. */
  readonly copy: Copy | undefined;
  readonly drill: Drill;
  readonly prune: Prune;
  readonly fleet: Fleet;
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, { plan }: FreezeframeProps) {
    super(scope, id);
    // In an app without this flag the CDK drops the results of a fleet's runs without a word.
    this.node.setContext(RESULTS_OF_A_MAP, true);
    this.documents = new HostDocuments(this, 'Documents');
    this.vssInstancePolicy = new VssInstancePolicy(this, 'VssInstance');
    this.receipts = new Receipts(this, 'Receipts');
    const { hookDocuments } = plan;
    const steps = new BackupSteps(this, 'Steps', { documents: this.documents, hookDocuments });
    this.backup = new BackupWorkflow(this, 'Backup', {
      steps,
      receipts: this.receipts,
      policies: runPolicies(plan),
      hookDocuments,
    });
    const alarms = new Alarms(this, 'Alarms', plan.notify === undefined ? {} : { notify: plan.notify });
    alarms.whenAbove0('Downgrade', ofAll(METRICS.downgraded), {
      because: 'A run did not earn the grade that its policy asks for.',
    });
    alarms.whenAbove0('StuckThaw', ofAll(METRICS.stuckThaws), {
      because: 'No thaw reached a frozen host in time: it had to thaw itself, or nobody knows.',
    });
    this.rescue = new ThawRescue(this, 'Rescue', { backup: this.backup.stateMachine, thaw: steps.thaw, alarms });
    this.fleet = new Fleet(this, 'Fleet', {
      plan,
      backup: this.backup.stateMachine,
      rescue: this.rescue.stateMachine,
      receipts: this.receipts,
      alarms,
    });
    const restoreSteps = new RestoreSteps(this, 'RestoreSteps', {
      documents: this.documents,
      roles: plan.restore.roles,
    });
    this.restore = new RestoreWorkflow(this, 'Restore', { steps: restoreSteps, receipts: this.receipts, alarms });
    this.drill = new Drill(this, 'Drill', {
      plan,
      documents: this.documents,
      restore: this.restore.stateMachine,
      restoreHost: restoreSteps.restoreHost,
      receipts: this.receipts,
      alarms,
    });
    const destinations = destinationsOf(plan);
    if (destinations.length > 0) this.copy = new Copy(this, 'Copy', { plan, destinations, alarms });
    this.prune = new Prune(this, 'Prune', { plan, destinations, alarms });
    this.dashboard = new Dashboard(this, 'Dashboard', {
      plan,
      alarms,
      steps,
      workflows: {
        Backup: this.backup.stateMachine,
        Fleet: this.fleet.workflow.stateMachine,
        Restore: this.restore.stateMachine,
        Drill: this.drill.stateMachine,
        Prune: this.prune.stateMachine,
        ...(this.copy && { Copy: this.copy.stateMachine }),
      },
    });
  }
}

const RESULTS_OF_A_MAP = '@aws-cdk/aws-stepfunctions:useDistributedMapResultWriterV2';

/** The part of each policy that a run needs. */
const runPolicies = ({ policies }: Plan): Record<string, RunPolicy> =>
  Object.fromEntries(
    Object.entries(policies).map(([name, { grade, onDowngrade, freeze, lock }]) => [
      name,
      { grade, onDowngrade, leaseSeconds: freeze.leaseSeconds, ...(lock && { lock }) },
    ]),
  );
