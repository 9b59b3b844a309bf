import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from './acknowledge.ts';
import { COPIES_PATH, copiesRoleName } from './destinations.ts';
import { type Grantee, mayKeepCopies, mayLook, mayPruneCopies, mayUseKeysInEbs } from './permissions.ts';
import type { Permission } from './step-function.ts';

export interface CopyDestinationProps {
  /** The account whose sets are copied to this one. */
  readonly homeAccount: string;
  /** That copies may lie in. @default all */
  readonly regions?: readonly string[];
}

/**
 * For an account that gets copies of another one's sets: the role by which Freezeframe there makes, grades, locks and prunes
 * copies here. It touches nothing that is no copy of that account's sets.
 */
export class CopyDestination extends Construct implements Grantee {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, { homeAccount, regions = ['*'] }: CopyDestinationProps) {
    super(scope, id);
    const { partition } = Stack.of(this);
    this.role = new iam.Role(this, 'Role', {
      roleName: copiesRoleName(homeAccount),
      description: `Freezeframe: copies of the sets of account ${homeAccount}`,
      assumedBy: new iam.AccountPrincipal(homeAccount).withConditions({
        ArnLike: { 'aws:PrincipalArn': `arn:${partition}:iam::${homeAccount}:role${COPIES_PATH}*` },
      }),
    });
    mayLook(this, 'ec2:DescribeSnapshots', 'ec2:DescribeImages');
    this.may({
      actions: ['ec2:CopySnapshot'],
      resources: [
        Stack.of(this).formatArn({ service: 'ec2', region: '*', account: '', resource: 'snapshot', resourceName: '*' }),
      ],
      // What is copied from: what that account shares, never a snapshot of this one.
      conditions: { StringEquals: { 'ec2:Owner': homeAccount } },
      because: 'Snapshots come and go; the condition on their owner tells those that are shared from all others.',
    });
    for (const region of regions) {
      mayKeepCopies(this, region, `${homeAccount}/*`);
      mayPruneCopies(this, region, `${homeAccount}/*`);
    }
    // The keys of the sets are in the other account, in whatever Region: their policies say whether they may be used.
    mayUseKeysInEbs(this, ['*'], '*');
    acknowledgeWildcard(this.role, '*', 'Read-only actions for which IAM knows no narrower resource.');
  }

  may({ actions, resources, conditions, because }: Permission): void {
    this.role.addToPolicy(new iam.PolicyStatement({ actions, resources, ...(conditions && { conditions }) }));
    if (because) for (const resource of resources) acknowledgeWildcard(this.role, resource, because);
  }
}
