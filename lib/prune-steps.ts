import { Construct } from 'constructs';
import { COPIES_PATH, type Destination, rightsFor } from './destinations.ts';
import { mayArchiveSets, mayGoElsewhere, mayLook, mayPruneSets } from './permissions.ts';
import { StepFunction } from './step-function.ts';

export interface PruneStepsProps {
  readonly destinations: readonly Destination[];
}

/** The functions behind the states of Prune, each with the rights that its step needs and no others. */
export class PruneSteps extends Construct {
  readonly listSets = new StepFunction(this, 'ListSets', { name: 'list-sets', rolePath: COPIES_PATH });
  readonly decide = new StepFunction(this, 'Decide', { name: 'decide', rolePath: COPIES_PATH });
  readonly delete = new StepFunction(this, 'Delete', { name: 'delete', rolePath: COPIES_PATH });

  readonly archive = new StepFunction(this, 'Archive', { name: 'archive' });

  constructor(scope: Construct, id: string, { destinations }: PruneStepsProps) {
    super(scope, id);
    mayLook(this.listSets, 'ec2:DescribeSnapshots');
    mayGoElsewhere(this.listSets, rightsFor(destinations).accounts);

    const facts = ['ec2:DescribeSnapshots', 'ec2:DescribeInstances', 'ec2:DescribeLockedSnapshots'];
    mayLook(this.decide, ...facts);
    mayGoElsewhere(this.decide, rightsFor(destinations).accounts);

    mayLook(this.delete, ...facts, 'ec2:DescribeImages');
    mayPruneSets(this.delete, rightsFor(destinations));

    mayLook(this.archive, ...facts, 'ec2:DescribeImages', 'ec2:DescribeSnapshotTierStatus');
    mayArchiveSets(this.archive);
  }
}
