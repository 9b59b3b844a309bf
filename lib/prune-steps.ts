import { Construct } from 'constructs';
import { type Destination, ownRegions } from './destinations.ts';
import { mayLook, mayPruneSets } from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface PruneStepsProps {
  readonly destinations: readonly Destination[];
}

/** The functions behind the states of Prune, each with the rights that its step needs and no others. */
export class PruneSteps extends Construct {
  readonly listSets = new StepFunction(this, 'ListSets', { name: 'list-sets' });
  readonly decide = new StepFunction(this, 'Decide', { name: 'decide' });
  readonly delete = new StepFunction(this, 'Delete', { name: 'delete' });

  constructor(scope: Construct, id: string, { destinations }: PruneStepsProps) {
    super(scope, id);
    mayLook(this.listSets, 'ec2:DescribeSnapshots');

    const facts = ['ec2:DescribeSnapshots', 'ec2:DescribeInstances', 'ec2:DescribeLockedSnapshots'];
    mayLook(this.decide, ...facts);

    mayLook(this.delete, ...facts, 'ec2:DescribeImages');
    mayPruneSets(this.delete, ownRegions(destinations));
  }
}
