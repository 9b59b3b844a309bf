import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Scratch } from '../lambdas/shared/drill-contracts.ts';
import { acknowledgeWildcard } from './acknowledge.ts';
import type { LaunchPlace } from './permissions.ts';
import type { Plan } from './plan.ts';

export interface DrillNetworkProps {
  readonly plan: Plan;
}

/**
 * What scratch instances may reach and be: nothing reaches them, and they reach nothing but HTTPS, which in an isolated
 * subnet leads to its VPC endpoints alone. Their role can talk to Systems Manager as an agent does, and no more.
 */
export class DrillNetwork extends Construct {
  /** By policy, of those that the plan has drilled. */
  readonly scratches: Readonly<Record<string, Scratch>>;
  readonly place: LaunchPlace | undefined;

  constructor(scope: Construct, id: string, { plan }: DrillNetworkProps) {
    super(scope, id);
    const drilled = Object.entries(plan.policies).flatMap(([name, { drill }]) => (drill ? [{ name, drill }] : []));
    const all = <Key extends 'vpcId' | 'subnetId' | 'imageId' | 'instanceType'>(key: Key) => [
      ...new Set(drilled.map(({ drill }) => drill[key])),
    ];
    if (drilled.length === 0) {
      this.scratches = {};
      return;
    }
    const groups = new Map(all('vpcId').map((vpcId) => [vpcId, this.securityGroup(vpcId)]));
    const role = this.role();
    const profile = new iam.CfnInstanceProfile(this, 'Profile', { roles: [role.roleName] });
    const instanceProfileArn = profile.attrArn;
    this.scratches = Object.fromEntries(
      drilled.map(({ name, drill: { vpcId, subnetId, imageId, instanceType } }) => [
        name,
        { subnetId, imageId, instanceType, instanceProfileArn, securityGroupId: groups.get(vpcId) as string },
      ]),
    );
    this.place = {
      subnetIds: all('subnetId'),
      imageIds: all('imageId'),
      instanceTypes: all('instanceType'),
      securityGroupIds: [...groups.values()],
      role,
      instanceProfileArn,
    };
  }

  private securityGroup(vpcId: string): string {
    const group = new ec2.CfnSecurityGroup(this, `Group${vpcId}`, {
      vpcId,
      groupDescription: 'Freezeframe: scratch instances of drills; nothing comes in, HTTPS goes out',
      securityGroupEgress: [
        {
          ipProtocol: 'tcp',
          fromPort: 443,
          toPort: 443,
          cidrIp: '0.0.0.0/0',
          description: 'Endpoints of Systems Manager',
        },
      ],
    });
    return group.attrGroupId;
  }

  /** Not AmazonSSMManagedInstanceCore: that may read every parameter of the account, and the scratch is no place for it. */
  private role(): iam.Role {
    const role = new iam.Role(this, 'Role', {
      description: 'Freezeframe: scratch instances of drills',
      assumedBy: new iam.ServicePrincipal(`ec2.${Stack.of(this).urlSuffix}`),
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: [
          'ssm:UpdateInstanceInformation',
          'ssmmessages:CreateControlChannel',
          'ssmmessages:CreateDataChannel',
          'ssmmessages:OpenControlChannel',
          'ssmmessages:OpenDataChannel',
          'ec2messages:AcknowledgeMessage',
          'ec2messages:DeleteMessage',
          'ec2messages:FailMessage',
          'ec2messages:GetEndpoint',
          'ec2messages:GetMessages',
          'ec2messages:SendReply',
        ],
        resources: ['*'],
      }),
    );
    acknowledgeWildcard(role, '*', 'What an SSM agent does, for which IAM knows no narrower resource.');
    return role;
  }
}
