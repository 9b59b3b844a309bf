import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { SET_TAGS, UNPROVEN, VSS_INSTANCE_POLICY, VSS_TAGS } from '../lambdas/shared/names.ts';
import { acknowledgeWildcard } from './acknowledge.ts';

/** Any value of a tag, but not its absence. */
const PRESENT = '*';

/**
 * What a Windows instance's own role needs, since VSS takes the snapshots from the instance: AWS's AWSEC2VssSnapshotPolicy
 * (version 2) without AMIs, and for our sets only. An instance may take its own volumes, under the tag of a run and as
 * unproven, and put VSS's marks on what it took so. The stack offers it; whoever runs the instance attaches it.
 */
export class VssInstancePolicy extends Construct {
  readonly policy: iam.ManagedPolicy;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const stack = Stack.of(this);
    const ec2 = (resource: string) => stack.formatArn({ service: 'ec2', resource, resourceName: '*' });
    /** The ARN of a snapshot names no account. */
    const snapshots = stack.formatArn({ service: 'ec2', account: '', resource: 'snapshot', resourceName: '*' });
    // Credentials of an instance are bound to it: this is the very instance that asks.
    const itself = {
      ArnLike: {
        'ec2:SourceInstanceARN': stack.formatArn({
          service: 'ec2',
          resource: 'instance',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
          resourceName: '${ec2:InstanceId}',
        }),
      },
    };

    this.policy = new iam.ManagedPolicy(this, 'Policy', {
      // IAM has no Regions, and a deployment is of one.
      managedPolicyName: `${VSS_INSTANCE_POLICY}-${stack.region}`,
      description: 'Lets a Windows instance take the snapshots of its own volumes that Freezeframe asks VSS for',
      statements: [
        allow('ec2:DescribeInstanceAttribute', ec2('instance'), itself),
        allow('ec2:CreateSnapshots', ec2('instance'), itself),
        allow('ec2:CreateSnapshots', ec2('volume')),
        allow('ec2:CreateSnapshots', snapshots, {
          StringLike: {
            [`aws:RequestTag/${VSS_TAGS.config}`]: PRESENT,
            [`aws:RequestTag/${SET_TAGS.run}`]: PRESENT,
          },
          StringEquals: { [`aws:RequestTag/${SET_TAGS.grade}`]: UNPROVEN },
        }),
        allow('ec2:CreateTags', snapshots, { StringEquals: { 'ec2:CreateAction': 'CreateSnapshots' } }),
        allow('ec2:CreateTags', snapshots, {
          StringLike: {
            [`aws:ResourceTag/${VSS_TAGS.config}`]: PRESENT,
            [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT,
          },
          'ForAllValues:StringEquals': { 'aws:TagKeys': [VSS_TAGS.consistent, VSS_TAGS.device] },
        }),
        allow('ec2:DescribeSnapshots', '*'),
      ],
    });
    for (const [resource, because] of [
      [ec2('instance'), 'The condition names the one instance that asks.'],
      [ec2('volume'), 'Volumes of that instance: the call names it, and nothing of theirs is known beforehand.'],
      [snapshots, 'Snapshots come and go; the conditions on their tags tell those of a run from all others.'],
      ['*', 'A read-only action for which IAM knows no narrower resource.'],
    ] as const) {
      acknowledgeWildcard(this.policy, resource, because);
    }
  }
}

const allow = (action: string, resource: string, conditions?: Record<string, Record<string, string | string[]>>) =>
  new iam.PolicyStatement({ actions: [action], resources: [resource], ...(conditions && { conditions }) });
