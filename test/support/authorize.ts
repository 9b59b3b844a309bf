import { after } from 'node:test';
import type { Tags } from '../../lab/aws/ec2-filters.ts';
import type { Stack } from '../../lab/aws/template.ts';
import type { AuthorizedCall, World } from '../../lab/aws/world.ts';
import { type IdentityPolicy, judge } from './iam.ts';
import { type AccountOptions, ModelAccount } from './model-account.ts';

/**
 * Judges every call by the policies that were synthesised for its role, as IAM would: each resource that an action
 * touches is asked for on its own, with the tags that it bears and those that the request brings. What was refused is
 * noted in `refused`.
 */
export function authorizeBySynthesisedPolicies(
  world: World,
  ...stacks: Stack[]
): { refused: string[]; judged: Set<string> } {
  const refused: string[] = [];
  const judged = new Set<string>();
  world.authorize = async (call) => {
    const roles = stacks.flatMap((stack) => stack.roles);
    const role = roles.find(({ arn }) => arn === call.principal);
    // Somebody beside the stack: the test itself.
    if (!role) return true;
    const policies = role.policies.map(({ name, document }) => ({ name, policy: document }));
    const named = wordsOf.get(role) ?? JSON.stringify(policies).toLowerCase();
    wordsOf.set(role, named);
    for (const asked of asks(world.inAccount(call.account).inRegion(call.region), call)) {
      // No policy names an instance, a volume, a snapshot or a run, and what a key is that no policy names decides nothing:
      // one answer holds for all that differ in nothing else.
      const trust = trustOf(asked, roles);
      const decides = named + JSON.stringify(trust ?? '').toLowerCase();
      const context = Object.entries(asked.context).map(([key, value]) =>
        decides.includes(key.toLowerCase()) ? [key, value] : [key],
      );
      const question = JSON.stringify([call.principal, { ...asked, context }, trust]).replace(
        /\b(i|vol|snap|ami)-[0-9a-f]{17}(-\d+)?\b/g,
        '$1',
      );
      const known = answers.get(role) ?? new Map<string, Promise<boolean>>();
      answers.set(role, known);
      const answer = known.get(question) ?? isAllowed(call.principal, policies, asked, trust);
      known.set(question, answer);
      if (!(await answer)) {
        refused.push(`${role.name}: ${asked.action} ${asked.resource} ${JSON.stringify(asked.context)}`);
        return false;
      }
      judged.add(`${call.service}:${call.action}`);
    }
    return true;
  };
  return { refused, judged };
}

/** An account of a test file of its own, every call in it judged. `others`: stacks with roles that its own takes on. */
export async function judgedAccount(options: AccountOptions = {}, ...others: Stack[]) {
  const account = await ModelAccount.open(options);
  after(() => account.close());
  const { world, deployment } = account;
  return { account, world, ...authorizeBySynthesisedPolicies(world, deployment.stack, ...others) };
}

/** By role: a stack's roles are the same in every world that it is deployed to. */
const answers = new WeakMap<Stack['roles'][number], Map<string, Promise<boolean>>>();

/** By role: what its policies say, to look keys up in. */
const wordsOf = new WeakMap<Stack['roles'][number], string>();

interface Asked {
  readonly action: string;
  readonly resource: string;
  readonly context: Record<string, string | string[]>;
}

/** A role says itself who may take it on; of a role that is not there nobody may. */
const trustOf = ({ action, resource }: Asked, roles: Stack['roles']): unknown =>
  action === 'sts:AssumeRole' ? (roles.find(({ arn }) => arn === resource)?.trust ?? NOBODY) : undefined;

const NOBODY = { Version: '2012-10-17', Statement: [] };

async function isAllowed(
  principal: string,
  policies: IdentityPolicy[],
  asked: Asked,
  resourcePolicy: unknown,
): Promise<boolean> {
  const accountIn = (arn: string) => /^arn:aws:iam::(\d+):/.exec(arn)?.[1];
  const account = accountIn(asked.resource) ?? accountIn(principal) ?? '';
  return (await judge({ ...asked, principal, account, policies, resourcePolicy })) === 'Allowed';
}

/** What IAM asks of one call. */
function asks(world: World, { service, action, input, principal }: AuthorizedCall): Asked[] {
  const place = `${world.region}:${world.account}`;
  const instanceArn = (id: string) => `arn:aws:ec2:${place}:instance/${id}`;
  const volumeArn = (id: string) => `arn:aws:ec2:${place}:volume/${id}`;
  const snapshotArn = (id: string) => `arn:aws:ec2:${world.region}::snapshot/${id}`;
  const imageArn = (id: string) => `arn:aws:ec2:${world.region}::image/${id}`;
  // A document of AWS's own is in an account of AWS's.
  const documentArn = (name: string) =>
    `arn:aws:ssm:${world.region}:${name.startsWith('AWS') ? '999999999999' : world.account}:document/${name}`;
  const whole: Asked = { action: `${service}:${action}`, resource: '*', context: {} };
  const given = (input ?? {}) as Input;
  switch (whole.action) {
    case 'ec2:CreateSnapshots': {
      const id = given.InstanceSpecification?.InstanceId ?? '';
      const instance = world.ec2.instances.get(id);
      const tags = given.TagSpecifications?.flatMap(({ Tags: list = [] }) => list) ?? [];
      return [
        {
          ...whole,
          resource: instanceArn(id),
          context: { ...borne('aws:ResourceTag', instance?.tags), ...fromInstance(principal, id, instanceArn) },
        },
        ...[...(instance?.devices.values() ?? [])].map((volumeId) => ({
          ...whole,
          resource: `arn:aws:ec2:${place}:volume/${volumeId}`,
          context: borne('aws:ResourceTag', world.ec2.volumes.all.get(volumeId)?.tags),
        })),
        { ...whole, resource: snapshotArn('*'), context: requested(tags) },
        ...(tags.length
          ? [
              {
                action: 'ec2:CreateTags',
                resource: snapshotArn('*'),
                context: { ...requested(tags), 'ec2:CreateAction': 'CreateSnapshots' },
              },
            ]
          : []),
      ];
    }
    case 'ec2:CopySnapshot': {
      const tags = given.TagSpecifications?.flatMap(({ Tags: list = [] }) => list) ?? [];
      return [
        { ...whole, resource: snapshotArn('*'), context: requested(tags) },
        {
          ...whole,
          resource: `arn:aws:ec2:${given.SourceRegion}::snapshot/${given.SourceSnapshotId}`,
          context: { 'ec2:Owner': ownerOf(world, given) },
        },
        {
          action: 'ec2:CreateTags',
          resource: snapshotArn('*'),
          context: { ...requested(tags), 'ec2:CreateAction': 'CopySnapshot' },
        },
      ];
    }
    case 'ec2:CreateVolume': {
      const tags = given.TagSpecifications?.flatMap(({ Tags: list = [] }) => list) ?? [];
      const snapshot = given.SnapshotId ?? '';
      return [
        { ...whole, resource: volumeArn('*'), context: requested(tags) },
        {
          ...whole,
          resource: snapshotArn(snapshot),
          context: borne('aws:ResourceTag', world.ec2.snapshots.all.get(snapshot)?.tags),
        },
        {
          action: 'ec2:CreateTags',
          resource: volumeArn('*'),
          context: { ...requested(tags), 'ec2:CreateAction': 'CreateVolume' },
        },
      ];
    }
    case 'ec2:AttachVolume':
    case 'ec2:DetachVolume':
    case 'ec2:DeleteVolume': {
      const volume = world.ec2.volumes.all.get(given.VolumeId ?? '');
      const instance = given.InstanceId ?? volume?.attachment?.instanceId;
      return [
        { ...whole, resource: volumeArn(given.VolumeId ?? ''), context: borne('aws:ResourceTag', volume?.tags) },
        ...(instance && whole.action !== 'ec2:DeleteVolume'
          ? [
              {
                ...whole,
                resource: instanceArn(instance),
                context: borne('aws:ResourceTag', world.ec2.instances.get(instance)?.tags),
              },
            ]
          : []),
      ];
    }
    case 'ec2:ModifySnapshotAttribute': {
      const id = given.SnapshotId ?? '';
      const users = `ec2:${given.OperationType === 'add' ? 'Add' : 'Remove'}/userId`;
      return [
        {
          ...whole,
          resource: snapshotArn(id),
          context: {
            ...borne('aws:ResourceTag', world.ec2.snapshots.all.get(id)?.tags),
            ...(given.UserIds && { [users]: given.UserIds }),
          },
        },
      ];
    }
    case 'ec2:RunInstances': {
      const tags = (kind: string) =>
        requested(
          given.TagSpecifications?.filter(({ ResourceType }) => ResourceType === kind).flatMap(
            ({ Tags: list = [] }) => list,
          ) ?? [],
        );
      const { LaunchTemplateId, LaunchTemplateName } = given.LaunchTemplate ?? {};
      const template = world.ec2.launches.templates.get(LaunchTemplateId ?? LaunchTemplateName ?? '');
      const snapshots = given.BlockDeviceMappings?.flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []) ?? [];
      const arn = (kind: string, id = 'x') => `arn:aws:ec2:${place}:${kind}/${id}`;
      return [
        {
          ...whole,
          resource: instanceArn('*'),
          context: {
            ...tags('instance'),
            ...(given.InstanceType && { 'ec2:InstanceType': given.InstanceType }),
            ...(given.IamInstanceProfile?.Arn && { 'ec2:InstanceProfile': given.IamInstanceProfile.Arn }),
            'ec2:MetadataHttpTokens': given.MetadataOptions?.HttpTokens ?? 'optional',
          },
        },
        { ...whole, resource: volumeArn('*'), context: tags('volume') },
        { ...whole, resource: arn('network-interface') },
        { ...whole, resource: arn('subnet', given.SubnetId) },
        ...(given.SecurityGroupIds ?? ['x']).map((id) => ({ ...whole, resource: arn('security-group', id) })),
        ...(given.LaunchTemplate ? [{ ...whole, resource: arn('launch-template') }] : []),
        { ...whole, resource: imageArn(given.ImageId ?? template?.imageId ?? 'ami-0ffffffffffffffff') },
        ...snapshots.map((id) => ({
          ...whole,
          resource: snapshotArn(id),
          context: borne('aws:ResourceTag', world.ec2.snapshots.all.get(id)?.tags),
        })),
        ...(['instance', 'volume'] as const).map((kind) => ({
          action: 'ec2:CreateTags',
          resource: kind === 'instance' ? instanceArn('*') : volumeArn('*'),
          context: { ...tags(kind), 'ec2:CreateAction': 'RunInstances' },
        })),
        ...(template?.role
          ? [
              {
                action: 'iam:PassRole',
                resource: template.role,
                context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
              },
            ]
          : []),
      ];
    }
    case 'ec2:RegisterImage': {
      const tags = requested(given.TagSpecifications?.flatMap(({ Tags: list = [] }) => list) ?? []);
      const snapshots = given.BlockDeviceMappings?.flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []) ?? [];
      return [
        { ...whole, resource: imageArn('*'), context: tags },
        ...snapshots.map((id) => ({
          ...whole,
          resource: snapshotArn(id),
          context: borne('aws:ResourceTag', world.ec2.snapshots.all.get(id)?.tags),
        })),
        {
          action: 'ec2:CreateTags',
          resource: imageArn('*'),
          context: { ...tags, 'ec2:CreateAction': 'RegisterImage' },
        },
      ];
    }
    case 'ec2:DeregisterImage':
      return [
        {
          ...whole,
          resource: imageArn(given.ImageId ?? ''),
          context: borne('aws:ResourceTag', world.ec2.launches.images.all.get(given.ImageId ?? '')?.tags),
        },
      ];
    case 'ec2:TerminateInstances':
      return (given.InstanceIds ?? []).map((id) => ({
        ...whole,
        resource: instanceArn(id),
        context: borne('aws:ResourceTag', world.ec2.instances.get(id)?.tags),
      }));
    case 'ec2:CreateTags':
    case 'ec2:DeleteTags':
    case 'ec2:LockSnapshot':
    case 'ec2:ModifySnapshotTier':
    case 'ec2:DeleteSnapshot':
      return (given.Resources ?? [given.SnapshotId ?? '']).map((id) => {
        const { snapshots, volumes } = world.ec2;
        const isVolume = id.startsWith('vol-');
        const tags = (isVolume ? volumes : snapshots).all.get(id)?.tags;
        return {
          ...whole,
          resource: isVolume ? volumeArn(id) : snapshotArn(id),
          context: { ...borne('aws:ResourceTag', tags), ...requested(given.Tags ?? []) },
        };
      });
    case 'ssm:SendCommand':
      return [
        { ...whole, resource: documentArn(given.DocumentName ?? '') },
        ...(given.InstanceIds ?? []).map((id) => ({
          ...whole,
          resource: instanceArn(id),
          context: borne('ssm:resourceTag', world.ec2.instances.get(id)?.tags),
        })),
      ];
    case 'ssm:DescribeDocument':
    case 'ssm:GetDocument':
      return [{ ...whole, resource: documentArn(given.Name ?? '') }];
    case 'sts:AssumeRole':
      return [{ ...whole, resource: given.RoleArn ?? '', context: { 'aws:PrincipalArn': principal } }];
    case 's3:PutObject':
    case 's3:GetObject':
      return [{ ...whole, resource: `arn:aws:s3:::${given.Bucket}/${given.Key}` }];
    case 's3:ListBucket':
      return [{ ...whole, resource: `arn:aws:s3:::${given.Bucket}`, context: { 's3:prefix': given.Prefix ?? '' } }];
    case 'states:ListExecutions':
    case 'states:StartExecution':
      return [{ ...whole, resource: given.stateMachineArn ?? '' }];
    case 'states:GetExecutionHistory':
    case 'states:DescribeExecution':
    case 'states:StopExecution':
      return [{ ...whole, resource: given.executionArn ?? '' }];
    default:
      return [whole];
  }
}

/** The account that a snapshot is of, whether it is shared or not. */
const ownerOf = (world: World, { SourceRegion = '', SourceSnapshotId = '' }: Input): string => {
  for (const each of world.accounts()) {
    if (each.inRegion(SourceRegion).ec2.snapshots.all.has(SourceSnapshotId)) return each.account;
  }
  return '';
};

/** What a call by the credentials of an instance brings with it. */
const fromInstance = (
  principal: string,
  asked: string,
  instanceArn: (id: string) => string,
): Record<string, string> => {
  const [, own] = /\/(i-[0-9a-f]+)$/.exec(principal) ?? [];
  return own ? { 'ec2:SourceInstanceARN': instanceArn(own), 'ec2:InstanceId': asked } : {};
};

const borne = (prefix: string, tags: Tags | undefined): Record<string, string> =>
  Object.fromEntries([...(tags ?? [])].map(([key, value]) => [`${prefix}/${key}`, value]));

const requested = (tags: readonly Tag[]): Record<string, string | string[]> =>
  tags.length === 0
    ? {}
    : {
        ...Object.fromEntries(tags.map(({ Key, Value }) => [`aws:RequestTag/${Key}`, Value ?? ''])),
        'aws:TagKeys': tags.map(({ Key }) => Key ?? ''),
      };

interface Tag {
  Key?: string;
  Value?: string;
}

/** Fields of the inputs that name resources. */
interface Input {
  InstanceSpecification?: { InstanceId?: string };
  TagSpecifications?: { ResourceType?: string; Tags?: Tag[] }[];
  LaunchTemplate?: { LaunchTemplateId?: string; LaunchTemplateName?: string };
  BlockDeviceMappings?: { Ebs?: { SnapshotId?: string } }[];
  InstanceType?: string;
  IamInstanceProfile?: { Arn?: string };
  MetadataOptions?: { HttpTokens?: string };
  SubnetId?: string;
  SecurityGroupIds?: string[];
  ImageId?: string;
  Resources?: string[];
  SnapshotId?: string;
  VolumeId?: string;
  InstanceId?: string;
  SourceSnapshotId?: string;
  SourceRegion?: string;
  RoleArn?: string;
  OperationType?: string;
  UserIds?: string[];
  Tags?: Tag[];
  DocumentName?: string;
  InstanceIds?: string[];
  Name?: string;
  Bucket?: string;
  Key?: string;
  Prefix?: string;
  stateMachineArn?: string;
  executionArn?: string;
}
