import type {
  GetInstanceProfileCommandInput,
  GetInstanceProfileCommandOutput,
  ListAttachedRolePoliciesCommandInput,
  ListAttachedRolePoliciesCommandOutput,
} from '@aws-sdk/client-iam';
import { AwsError } from './errors.ts';
import type { RoleResource } from './template.ts';
import type { Operations } from './world.ts';

/** IAM: roles with their managed policies, and an instance profile of the same name for each. */
export function iamOperations(account: string, roles: readonly RoleResource[]): Operations {
  const find = (name: string | undefined): RoleResource => {
    const role = roles.find((each) => each.name === name);
    if (!role) throw new AwsError('NoSuchEntity', `Instance Profile ${name} cannot be found.`, 404);
    return role;
  };
  const made = { Path: '/', CreateDate: new Date(0) };
  return {
    GetInstanceProfile: ({
      InstanceProfileName,
    }: GetInstanceProfileCommandInput): Partial<GetInstanceProfileCommandOutput> => {
      const { name, arn } = find(InstanceProfileName);
      return {
        InstanceProfile: {
          ...made,
          InstanceProfileName: name,
          InstanceProfileId: 'AIPAEXAMPLE',
          Arn: `arn:aws:iam::${account}:instance-profile/${name}`,
          Roles: [{ ...made, RoleName: name, RoleId: 'AROAEXAMPLE', Arn: arn }],
        },
      };
    },
    ListAttachedRolePolicies: ({
      RoleName,
    }: ListAttachedRolePoliciesCommandInput): Partial<ListAttachedRolePoliciesCommandOutput> => ({
      AttachedPolicies: find(RoleName).policies.map(({ name }) => ({
        PolicyName: name,
        PolicyArn: `arn:aws:iam::${account}:policy/${name}`,
      })),
      IsTruncated: false,
    }),
  };
}
