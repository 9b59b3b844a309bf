import { Construct } from 'constructs';
import { COPIES_PATH, type Destination, rightsFor } from './destinations.ts';
import { mayCopySets, mayGoElsewhere, mayLook } from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface CopyStepsProps {
  readonly destinations: readonly Destination[];
}

/** The functions behind the states of Copy, each with the rights that its step needs and no others. */
export class CopySteps extends Construct {
  readonly planCopies = new StepFunction(this, 'PlanCopies', { name: 'plan-copies', rolePath: COPIES_PATH });
  readonly copySnapshots = new StepFunction(this, 'CopySnapshots', { name: 'copy-snapshots', rolePath: COPIES_PATH });

  constructor(scope: Construct, id: string, { destinations }: CopyStepsProps) {
    super(scope, id);
    mayLook(this.planCopies, 'ec2:DescribeSnapshots', 'ec2:DescribeInstances');
    mayGoElsewhere(this.planCopies, rightsFor(destinations).accounts);

    mayLook(this.copySnapshots, 'ec2:DescribeSnapshots');
    mayCopySets(this.copySnapshots, rightsFor(destinations));
  }
}
