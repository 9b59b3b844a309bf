import { Construct } from 'constructs';
import type { HostDocuments } from './host-documents.ts';
import {
  mayAttachVolumes,
  mayEndLaunches,
  mayHoldSets,
  mayLaunch,
  mayLook,
  mayMakeVolumes,
  mayPin,
  mayRemoveVolumes,
  mayRun,
  maySendToLaunched,
  maySwapVolumes,
} from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface RestoreStepsProps {
  readonly documents: HostDocuments;
  /** Roles that launched instances may have. Without any none is launched. */
  readonly roles: readonly string[];
}

/** The functions behind the states of Restore, each with the rights that its step needs and no others. */
export class RestoreSteps extends Construct {
  readonly findSet = new StepFunction(this, 'FindSet', { name: 'find-set' });
  readonly planRestore = new StepFunction(this, 'PlanRestore', { name: 'plan-restore' });
  /** Serves *Hold set* and *Let go of set*. */
  readonly holdSet = new StepFunction(this, 'HoldSet', { name: 'hold-set' });
  readonly launchInstance = new StepFunction(this, 'LaunchInstance', { name: 'launch-instance' });
  readonly terminateInstance = new StepFunction(this, 'TerminateInstance', { name: 'terminate-instance' });
  readonly createVolumes = new StepFunction(this, 'CreateVolumes', { name: 'create-volumes' });
  readonly attachVolumes = new StepFunction(this, 'AttachVolumes', { name: 'attach-volumes' });
  /** Serves *Swap volumes* and *Swap back*. */
  readonly swapVolumes = new StepFunction(this, 'SwapVolumes', { name: 'swap-volumes' });
  /** Serves every state that asks the host for something: one document with several acts. */
  readonly restoreHost = new StepFunction(this, 'RestoreHost', { name: 'restore-host' });
  readonly removeVolumes = new StepFunction(this, 'RemoveVolumes', { name: 'remove-volumes' });

  constructor(scope: Construct, id: string, { documents, roles }: RestoreStepsProps) {
    super(scope, id);

    mayLook(this.findSet, 'ec2:DescribeSnapshots');

    mayLook(this.planRestore, 'ec2:DescribeInstances', 'ec2:DescribeVolumes', 'ssm:DescribeInstanceInformation');
    mayPin(this.planRestore, documents.forRestore);

    mayLook(this.holdSet, 'ec2:DescribeSnapshots');
    mayHoldSets(this.holdSet);

    mayLook(
      this.launchInstance,
      'ec2:DescribeInstances',
      'ec2:DescribeImages',
      'ec2:DescribeLaunchTemplateVersions',
      'ssm:DescribeInstanceInformation',
    );
    if (roles.length > 0) mayLaunch(this.launchInstance, roles);

    mayLook(this.terminateInstance, 'ec2:DescribeInstances', 'ec2:DescribeImages');
    mayEndLaunches(this.terminateInstance);

    mayLook(this.createVolumes, 'ec2:DescribeVolumes');
    mayMakeVolumes(this.createVolumes);

    mayLook(this.attachVolumes, 'ec2:DescribeInstances', 'ec2:DescribeVolumes');
    mayAttachVolumes(this.attachVolumes);

    mayLook(this.swapVolumes, 'ec2:DescribeVolumes');
    maySwapVolumes(this.swapVolumes);

    mayLook(this.restoreHost, 'ec2:DescribeVolumes');
    mayRun(this.restoreHost, documents.forRestore);
    maySendToLaunched(this.restoreHost);

    mayLook(this.removeVolumes, 'ec2:DescribeVolumes');
    mayRemoveVolumes(this.removeVolumes);
  }
}
