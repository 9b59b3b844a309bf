import { Construct } from 'constructs';
import type { HostDocuments } from './host-documents.ts';
import {
  mayDeleteSets,
  mayLabelSets,
  mayLockSets,
  mayLook,
  mayPin,
  mayRead,
  mayRun,
  mayRunVss,
  mayTakeSets,
} from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface BackupStepsProps {
  readonly documents: HostDocuments;
  /** Documents of the user's own that a tag may choose. */
  readonly hookDocuments: readonly string[];
}

/** The functions behind the states of Backup, each with the rights that its step needs and no others. */
export class BackupSteps extends Construct {
  readonly inspectHost = new StepFunction(this, 'InspectHost', { name: 'inspect-host' });
  /** Serves *Rehearse*, *Create snapshots* and *Create snapshots unfrozen*: what was rehearsed is what happens. */
  readonly createSnapshots = new StepFunction(this, 'CreateSnapshots', { name: 'create-snapshots' });
  readonly freeze = new StepFunction(this, 'Freeze', { name: 'freeze' });
  readonly thaw = new StepFunction(this, 'Thaw', { name: 'thaw' });
  readonly snapshotWithVss = new StepFunction(this, 'SnapshotWithVss', { name: 'snapshot-with-vss' });
  readonly checkVss = new StepFunction(this, 'CheckVss', { name: 'check-vss' });
  readonly grade = new StepFunction(this, 'Grade', { name: 'grade' });
  readonly lock = new StepFunction(this, 'Lock', { name: 'lock' });
  readonly checkSnapshots = new StepFunction(this, 'CheckSnapshots', { name: 'check-snapshots' });
  readonly discard = new StepFunction(this, 'Discard', { name: 'discard' });

  constructor(scope: Construct, id: string, { documents, hookDocuments }: BackupStepsProps) {
    super(scope, id);

    mayLook(this.inspectHost, 'ec2:DescribeInstances', 'ec2:DescribeVolumes', 'ssm:DescribeInstanceInformation');
    mayPin(this.inspectHost, documents.forInspect, documents.forInspectWindows, documents.forFreeze, documents.forThaw);
    mayRead(this.inspectHost, hookDocuments);
    mayRun(this.inspectHost, documents.forInspect, documents.forInspectWindows);

    mayLook(this.createSnapshots, 'ec2:DescribeSnapshots', 'ec2:DescribeVolumes');
    mayTakeSets(this.createSnapshots);

    mayRun(this.freeze, documents.forFreeze);
    mayRun(this.thaw, documents.forThaw);

    mayRunVss(this.snapshotWithVss);
    mayLook(this.checkVss, 'ssm:ListCommandInvocations', 'ec2:DescribeSnapshots');

    // Whatever bears the run's tag: a set whose answer was lost is found here, and not leaked.
    mayLook(this.grade, 'ec2:DescribeSnapshots');
    mayLabelSets(this.grade);

    mayLockSets(this.lock);

    mayLook(this.checkSnapshots, 'ec2:DescribeSnapshots');

    mayLook(this.discard, 'ec2:DescribeSnapshots');
    mayDeleteSets(this.discard);
  }
}
