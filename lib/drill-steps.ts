import { Construct } from 'constructs';
import type { HostDocuments } from './host-documents.ts';
import {
  type LaunchPlace,
  mayLaunchScratch,
  mayLook,
  mayPin,
  mayRun,
  mayStampSets,
  mayTearDown,
} from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface DrillStepsProps {
  readonly documents: HostDocuments;
  /** Undefined when the plan drills no policy: then nothing may be launched. */
  readonly place: LaunchPlace | undefined;
}

/** The functions behind the states of Drill, each with the rights that its step needs and no others. */
export class DrillSteps extends Construct {
  readonly chooseSet = new StepFunction(this, 'ChooseSet', { name: 'choose-set' });
  readonly planDrill = new StepFunction(this, 'PlanDrill', { name: 'plan-drill' });
  readonly launchScratch = new StepFunction(this, 'LaunchScratch', { name: 'launch-scratch' });
  readonly waitForAgent = new StepFunction(this, 'WaitForAgent', { name: 'wait-for-agent' });
  readonly verify = new StepFunction(this, 'Verify', { name: 'verify' });
  readonly checkVerify = new StepFunction(this, 'CheckVerify', { name: 'check-verify' });
  readonly judge = new StepFunction(this, 'Judge', { name: 'judge' });
  readonly tearDown = new StepFunction(this, 'TearDown', { name: 'tear-down' });

  constructor(scope: Construct, id: string, { documents, place }: DrillStepsProps) {
    super(scope, id);
    mayLook(this.chooseSet, 'ec2:DescribeSnapshots');
    mayPin(this.planDrill, documents.forVerify);
    if (place) mayLaunchScratch(this.launchScratch, place);
    mayLook(this.waitForAgent, 'ec2:DescribeInstances', 'ssm:DescribeInstanceInformation');
    mayRun(this.verify, documents.forVerify);
    mayLook(this.checkVerify, 'ssm:GetCommandInvocation');
    mayStampSets(this.judge);
    mayLook(this.tearDown, 'ec2:DescribeInstances', 'ec2:DescribeVolumes');
    mayTearDown(this.tearDown);
  }
}
