import { Construct } from 'constructs';
import { type Destination, ownRegions } from './destinations.ts';
import { mayCopySets, mayLook } from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface CopyStepsProps {
  readonly destinations: readonly Destination[];
}

/** The functions behind the states of Copy, each with the rights that its step needs and no others. */
export class CopySteps extends Construct {
  readonly planCopies = new StepFunction(this, 'PlanCopies', { name: 'plan-copies' });
  readonly copySnapshots = new StepFunction(this, 'CopySnapshots', { name: 'copy-snapshots' });

  constructor(scope: Construct, id: string, { destinations }: CopyStepsProps) {
    super(scope, id);
    mayLook(this.planCopies, 'ec2:DescribeSnapshots', 'ec2:DescribeInstances');

    mayLook(this.copySnapshots, 'ec2:DescribeSnapshots');
    mayCopySets(this.copySnapshots, ownRegions(destinations));
  }
}
