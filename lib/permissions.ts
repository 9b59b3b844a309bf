/** What steps may do, in IAM's words: our documents, instances that bear the policy tag, snapshots that we tagged. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import {
  DEVICES_TAGS,
  DRILL_TAG,
  FLEETS_PREFIX,
  IN_COPY,
  IN_RESTORE,
  RESTORE_TAGS,
  SCRATCH_POLICY,
  SET_TAGS,
  SWAP_TAGS,
  UNPROVEN,
  USER_TAGS,
  VSS_DOCUMENTS,
} from '../lambdas/shared/names.ts';
import { copiesRoleName } from './destinations.ts';
import type { Permission, StepFunction } from './step-function.ts';

/** Matches any value of a tag, but not its absence. */
const PRESENT = '*';

/** Tags that Grade writes; the others are of the request that made the snapshot. */
const LABELS = [
  ...[SET_TAGS.set, SET_TAGS.grade, SET_TAGS.windowMs, SET_TAGS.volume, SET_TAGS.device, SET_TAGS.receipt],
  ...DEVICES_TAGS,
];

const TAGGED_INSTANCES = 'Instances come and go; those that bear the policy tag are meant.';
const OUR_VOLUMES =
  'Restored volumes come and go; the condition on the tag of their restore tells them from all others.';
const OUR_SCRATCH = 'What a drill makes comes and goes; the condition on its tag tells it from all else.';
const OUR_SNAPSHOTS = 'Snapshots come and go; the condition on our tags tells ours from all others.';

/** Whoever gets rights: the function of a step, or a role for one. */
export interface Grantee extends Construct {
  may(permission: Permission): void;
}

type Conditions = NonNullable<Permission['conditions']>;

/** Read-only actions, for which IAM knows no narrower resource. */
export function mayLook(step: Grantee, ...actions: string[]): void {
  step.may({ actions, resources: ['*'] });
}

/** Resolve the documents' versions and hashes, which the run then keeps to. */
export function mayPin(step: StepFunction, ...documents: ssm.CfnDocument[]): void {
  step.may({ actions: ['ssm:DescribeDocument'], resources: documents.map(documentArn) });
}

/** Read these documents of the user's own, and no others. */
export function mayRead(step: StepFunction, names: readonly string[]): void {
  if (names.length === 0) return;
  step.may({ actions: ['ssm:GetDocument'], resources: names.map((name) => documentNamed(step, name)) });
}

/** Run these documents on instances that bear the policy tag, and read what came of it. */
export function mayRun(step: StepFunction, ...documents: ssm.CfnDocument[]): void {
  step.may({ actions: ['ssm:SendCommand'], resources: documents.map(documentArn) });
  maySendToTagged(step);
  mayLook(step, 'ssm:GetCommandInvocation');
}

/** Run AWS's own documents for VSS on instances that bear the policy tag. */
export function mayRunVss(step: StepFunction): void {
  step.may({
    actions: ['ssm:SendCommand'],
    // Whether the ARN of a document of AWS's names an account is written in both ways; nobody else may take such a name.
    resources: Object.values(VSS_DOCUMENTS).map((name) =>
      Stack.of(step).formatArn({ service: 'ssm', account: '*', resource: 'document', resourceName: name }),
    ),
    because: "AWS's own documents; names that begin with AWS are reserved to it.",
  });
  maySendToTagged(step);
}

function maySendToTagged(step: StepFunction): void {
  // A statement of its own: a document bears no such tag.
  step.may({
    actions: ['ssm:SendCommand'],
    resources: [ec2Arn(step, 'instance')],
    conditions: { StringLike: { [`ssm:resourceTag/${USER_TAGS.policy}`]: PRESENT } },
    because: TAGGED_INSTANCES,
  });
}

/** Take a set of an instance that bears the policy tag: under our own tags, and as unproven. */
export function mayTakeSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateSnapshots'],
    resources: [ec2Arn(step, 'instance')],
    conditions: { StringLike: { [`aws:ResourceTag/${USER_TAGS.policy}`]: PRESENT } },
    because: TAGGED_INSTANCES,
  });
  step.may({
    actions: ['ec2:CreateSnapshots'],
    resources: [ec2Arn(step, 'volume')],
    because:
      'The volumes are those of the instance, which is checked by its tag; volumes themselves bear none of ours.',
  });
  step.may({
    actions: ['ec2:CreateSnapshots'],
    resources: [snapshotArn(step)],
    conditions: {
      StringLike: { [`aws:RequestTag/${SET_TAGS.run}`]: PRESENT },
      StringEquals: { [`aws:RequestTag/${SET_TAGS.grade}`]: UNPROVEN },
    },
    because: OUR_SNAPSHOTS,
  });
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [snapshotArn(step)],
    conditions: { StringEquals: { 'ec2:CreateAction': 'CreateSnapshots' } },
    because: OUR_SNAPSHOTS,
  });
}

/** Write on snapshots of our sets what a grade says, and no other tag. */
export function mayLabelSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [snapshotArn(step)],
    conditions: {
      StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT },
      'ForAllValues:StringEquals': { 'aws:TagKeys': LABELS },
      Null: { 'aws:TagKeys': 'false' },
    },
    because: OUR_SNAPSHOTS,
  });
}

/** Lock snapshots of our sets, and see which locks hold. */
export function mayLockSets(step: StepFunction): void {
  mayLook(step, 'ec2:DescribeLockedSnapshots');
  step.may({
    actions: ['ec2:LockSnapshot'],
    resources: [snapshotArn(step)],
    conditions: { StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT } },
    because: OUR_SNAPSHOTS,
  });
}

/**
 * Delete snapshots of our sets, and note on them before that they are going: of those that were taken here, and of their
 * copies in other Regions and accounts. What another deployment has copied to here, or has taken there, is not ours.
 */
export function mayPruneSets(step: StepFunction, { regions, accounts }: Destinations): void {
  mayPrune(step, undefined, {
    StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT },
    Null: { [`aws:ResourceTag/${SET_TAGS.origin}`]: 'true' },
  });
  for (const region of regions) mayPruneCopies(step, region, originHere(step));
  mayGoElsewhere(step, accounts);
}

function mayPrune(to: Grantee, region: string | undefined, ours: Conditions): void {
  const resources = [snapshotArn(to, region)];
  to.may({
    actions: ['ec2:CreateTags'],
    resources,
    conditions: {
      ...ours,
      'ForAllValues:StringEquals': { 'aws:TagKeys': SET_TAGS.deleting },
      Null: { ...ours.Null, 'aws:TagKeys': 'false' },
    },
    because: OUR_SNAPSHOTS,
  });
  to.may({ actions: ['ec2:DeleteSnapshot'], resources, conditions: ours, because: OUR_SNAPSHOTS });
}

/** Move snapshots of sets that were taken here into the archive tier. */
export function mayArchiveSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:ModifySnapshotTier'],
    resources: [snapshotArn(step)],
    conditions: {
      StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT },
      Null: { [`aws:ResourceTag/${SET_TAGS.origin}`]: 'true' },
    },
    because: OUR_SNAPSHOTS,
  });
}

/** Delete snapshots of our sets. */
export function mayDeleteSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:DeleteSnapshot'],
    resources: [snapshotArn(step)],
    conditions: { StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT } },
    because: OUR_SNAPSHOTS,
  });
}

/** Note on snapshots of our sets that they are in use, or no more, and nothing else. */
export function mayHoldSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateTags', 'ec2:DeleteTags'],
    resources: [snapshotArn(step)],
    conditions: {
      StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT },
      'ForAllValues:StringLike': { 'aws:TagKeys': `${IN_RESTORE}*` },
      Null: { 'aws:TagKeys': 'false' },
    },
    because: OUR_SNAPSHOTS,
  });
}

/** Copy snapshots of our sets into other Regions of this account and, as the role there, into other accounts. */
export function mayCopySets(step: StepFunction, { regions, accounts }: Destinations): void {
  step.may({
    actions: ['ec2:CopySnapshot'],
    resources: [snapshotArn(step)],
    because: 'What is copied from: IAM knows no condition on the tags of that.',
  });
  const ours = { StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT } };
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [snapshotArn(step)],
    conditions: {
      ...ours,
      'ForAllValues:StringEquals': { 'aws:TagKeys': IN_COPY },
      Null: { 'aws:TagKeys': 'false' },
    },
    because: OUR_SNAPSHOTS,
  });
  // With the accounts of the plan, and never with everybody.
  for (const change of accounts.length > 0 ? ['Add', 'Remove'] : []) {
    step.may({
      actions: ['ec2:ModifySnapshotAttribute'],
      resources: [snapshotArn(step)],
      conditions: {
        ...ours,
        StringEquals: { [`ec2:${change}/userId`]: [...accounts] },
        Null: { [`ec2:${change}/group`]: 'true' },
      },
      because: OUR_SNAPSHOTS,
    });
  }
  for (const region of regions) mayKeepCopies(step, region, originHere(step));
  mayUseKeysInEbs(step, [Stack.of(step).region, ...regions]);
  mayGoElsewhere(step, accounts);
}

export interface Destinations {
  /** Of this account. */
  readonly regions: readonly string[];
  /** Others. */
  readonly accounts: readonly string[];
}

/** Make copies in a Region under our tags and as unproven, grade and lock them, and remove those that make no whole set. */
export function mayKeepCopies(to: Grantee, region: string, origin: string): void {
  const resources = [snapshotArn(to, region)];
  const ours = { StringLike: { [`aws:ResourceTag/${SET_TAGS.origin}`]: origin } };
  const may = (action: string, conditions: Conditions) =>
    to.may({ actions: [`ec2:${action}`], resources, conditions, because: OUR_SNAPSHOTS });
  may('CopySnapshot', {
    StringLike: {
      [`aws:RequestTag/${SET_TAGS.run}`]: PRESENT,
      [`aws:RequestTag/${SET_TAGS.origin}`]: origin,
    },
    StringEquals: { [`aws:RequestTag/${SET_TAGS.grade}`]: UNPROVEN },
  });
  may('CreateTags', { StringEquals: { 'ec2:CreateAction': 'CopySnapshot' } });
  may('CreateTags', {
    ...ours,
    'ForAllValues:StringEquals': { 'aws:TagKeys': [SET_TAGS.grade, IN_COPY] },
    Null: { 'aws:TagKeys': 'false' },
  });
  may('LockSnapshot', ours);
  // What has a grade is a whole set: only the prune lets go of that.
  may('DeleteSnapshot', { ...ours, StringEquals: { [`aws:ResourceTag/${SET_TAGS.grade}`]: UNPROVEN } });
  mayLook(to, 'ec2:DescribeLockedSnapshots');
}

/** Delete copies in a Region, and note on them before that they are going. */
export function mayPruneCopies(to: Grantee, region: string, origin: string): void {
  mayPrune(to, region, { StringLike: { [`aws:ResourceTag/${SET_TAGS.origin}`]: origin } });
}

/** Be the role that the other account has for us, see `CopyDestination`. */
export function mayGoElsewhere(step: StepFunction, accounts: readonly string[]): void {
  if (accounts.length === 0) return;
  step.may({ actions: ['sts:AssumeRole'], resources: accounts.map((account) => roleElsewhere(step, account)) });
}

/** ARN of the role in another account for copies of this one's sets. */
export const roleElsewhere = (scope: Construct, account: string): string =>
  Stack.of(scope).formatArn({
    service: 'iam',
    region: '',
    account,
    resource: 'role',
    resourceName: copiesRoleName(Stack.of(scope).account),
  });

/** The tag that copies of this deployment's sets bear. */
const originHere = (scope: Construct): string => `${Stack.of(scope).account}/${Stack.of(scope).region}`;

/** Make volumes of snapshots of our sets, under the tag of their restore. */
export function mayMakeVolumes(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateVolume'],
    resources: [ec2Arn(step, 'volume')],
    conditions: { StringLike: { [`aws:RequestTag/${RESTORE_TAGS.restore}`]: PRESENT } },
    because: OUR_VOLUMES,
  });
  step.may({
    actions: ['ec2:CreateVolume'],
    resources: [snapshotArn(step)],
    conditions: { StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT } },
    because: OUR_SNAPSHOTS,
  });
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [ec2Arn(step, 'volume')],
    conditions: { StringEquals: { 'ec2:CreateAction': 'CreateVolume' } },
    because: OUR_VOLUMES,
  });
  mayUseKeysOfVolumes(step);
}

const LAUNCHED = ['instance', 'volume'] as const;
const OUR_LAUNCHES =
  'What a restore launches comes and goes; the condition on the tag of its restore tells it from all else.';

/** Launch instances of restores, with these roles and no others, from images of theirs or those of a launch template. */
export function mayLaunch(step: StepFunction, roles: readonly string[]): void {
  const ofRestore = { StringLike: { [`aws:RequestTag/${RESTORE_TAGS.restore}`]: PRESENT } };
  step.may({
    actions: ['ec2:RunInstances'],
    resources: [ec2Arn(step, 'instance')],
    conditions: ofRestore,
    because: OUR_LAUNCHES,
  });
  step.may({
    actions: ['ec2:RunInstances'],
    resources: [
      ...(['volume', 'network-interface', 'subnet', 'security-group', 'key-pair', 'launch-template'] as const).map(
        (resource) => ec2Arn(step, resource),
      ),
      imageArn(step),
    ],
    because: 'The launch template says which; who writes templates and who starts restores are for the account to say.',
  });
  step.may({
    actions: ['ec2:RunInstances', 'ec2:RegisterImage'],
    resources: [snapshotArn(step)],
    conditions: { StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT } },
    because: OUR_SNAPSHOTS,
  });
  step.may({
    actions: ['ec2:RegisterImage'],
    resources: [imageArn(step)],
    conditions: ofRestore,
    because: OUR_LAUNCHES,
  });
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [...LAUNCHED.map((resource) => ec2Arn(step, resource)), imageArn(step)],
    conditions: { StringEquals: { 'ec2:CreateAction': ['RunInstances', 'RegisterImage'] } },
    because: OUR_LAUNCHES,
  });
  step.may({
    actions: ['iam:PassRole'],
    resources: [...roles],
    conditions: { StringEquals: { 'iam:PassedToService': `ec2.${Stack.of(step).urlSuffix}` } },
  });
  mayUseKeysOfVolumes(step);
}

/** End what restores have launched. */
export function mayEndLaunches(step: StepFunction): void {
  step.may({
    actions: ['ec2:TerminateInstances', 'ec2:DeregisterImage'],
    resources: [ec2Arn(step, 'instance'), imageArn(step)],
    conditions: { StringLike: { [`aws:ResourceTag/${RESTORE_TAGS.restore}`]: PRESENT } },
    because: OUR_LAUNCHES,
  });
}

/** Run documents on instances that restores have launched: they bear no policy, or they would be backed up. */
export function maySendToLaunched(step: StepFunction): void {
  step.may({
    actions: ['ssm:SendCommand'],
    resources: [ec2Arn(step, 'instance')],
    conditions: { StringLike: { [`ssm:resourceTag/${RESTORE_TAGS.restore}`]: PRESENT } },
    because: OUR_LAUNCHES,
  });
}

/** Attach volumes of a restore to instances that bear the policy tag. */
export function mayAttachVolumes(step: StepFunction): void {
  mayMoveVolumes(step, 'ec2:AttachVolume');
  mayUseKeysOfVolumes(step);
}

/** Detach volumes of a restore and delete them. */
export function mayRemoveVolumes(step: StepFunction): void {
  mayMoveVolumes(step, 'ec2:DetachVolume');
  step.may({
    actions: ['ec2:DeleteVolume'],
    resources: [ec2Arn(step, 'volume')],
    conditions: { StringLike: { [`aws:ResourceTag/${RESTORE_TAGS.restore}`]: PRESENT } },
    because: OUR_VOLUMES,
  });
}

/** Mark volumes as put aside by a swap; attach and detach these, and volumes of a restore. */
export function maySwapVolumes(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateTags', 'ec2:DeleteTags'],
    resources: [ec2Arn(step, 'volume')],
    conditions: {
      'ForAllValues:StringEquals': { 'aws:TagKeys': Object.values(SWAP_TAGS) },
      Null: { 'aws:TagKeys': 'false' },
    },
    because:
      'Volumes of an instance bear no tag of ours before they are put aside; these two tags can be written, and no others.',
  });
  for (const action of ['ec2:AttachVolume', 'ec2:DetachVolume'] as const) {
    mayMoveVolumes(step, action, RESTORE_TAGS.restore);
    mayMoveVolumes(step, action, SWAP_TAGS.swappedOut);
  }
  mayUseKeysOfVolumes(step);
}

/** Where a drill may launch its instance, and as what. */
export interface LaunchPlace {
  readonly subnetIds: string[];
  readonly securityGroupIds: string[];
  readonly imageIds: string[];
  readonly instanceTypes: string[];
  readonly role: iam.Role;
  readonly instanceProfileArn: string;
}

/** Launch an instance that bears the tag of a drill, of the plan's image and type, where the plan says, and with our role. */
export function mayLaunchScratch(step: StepFunction, place: LaunchPlace): void {
  const { partition } = Stack.of(step);
  step.may({
    actions: ['ec2:RunInstances'],
    resources: [ec2Arn(step, 'instance')],
    conditions: {
      StringLike: { [`aws:RequestTag/${DRILL_TAG}`]: PRESENT },
      StringEquals: {
        [`aws:RequestTag/${USER_TAGS.policy}`]: SCRATCH_POLICY,
        'ec2:InstanceType': place.instanceTypes,
        'ec2:MetadataHttpTokens': 'required',
      },
      ArnEquals: { 'ec2:InstanceProfile': place.instanceProfileArn },
    },
    because: OUR_SCRATCH,
  });
  step.may({
    actions: ['ec2:RunInstances'],
    resources: [
      ...place.subnetIds.map((id) => ec2Arn(step, 'subnet', id)),
      ...place.securityGroupIds.map((id) => ec2Arn(step, 'security-group', id)),
      // Whose image it is, the plan does not say; its ARN names no account.
      ...place.imageIds.map((id) => `arn:${partition}:ec2:${Stack.of(step).region}::image/${id}`),
    ],
  });
  step.may({
    actions: ['ec2:RunInstances'],
    resources: [ec2Arn(step, 'network-interface'), ec2Arn(step, 'volume')],
    because: 'Made with the instance, which is checked by its tags and by where it goes.',
  });
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [ec2Arn(step, 'instance'), ec2Arn(step, 'volume')],
    conditions: { StringEquals: { 'ec2:CreateAction': 'RunInstances' } },
    because: OUR_SCRATCH,
  });
  step.may({
    actions: ['iam:PassRole'],
    resources: [place.role.roleArn],
    conditions: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
  });
}

/** Terminate instances and delete volumes that bear the tag of a drill. */
export function mayTearDown(step: StepFunction): void {
  const ours = { StringLike: { [`aws:ResourceTag/${DRILL_TAG}`]: PRESENT } };
  step.may({
    actions: ['ec2:TerminateInstances'],
    resources: [ec2Arn(step, 'instance')],
    conditions: ours,
    because: OUR_SCRATCH,
  });
  step.may({
    actions: ['ec2:DetachVolume', 'ec2:DeleteVolume'],
    resources: [ec2Arn(step, 'volume')],
    conditions: ours,
    because: OUR_SCRATCH,
  });
  step.may({
    actions: ['ec2:DetachVolume'],
    resources: [ec2Arn(step, 'instance')],
    conditions: { StringLike: { [`aws:ResourceTag/${USER_TAGS.policy}`]: PRESENT } },
    because: TAGGED_INSTANCES,
  });
}

/** Write on snapshots of our sets what a drill has shown, and nothing else. */
export function mayStampSets(step: StepFunction): void {
  step.may({
    actions: ['ec2:CreateTags'],
    resources: [snapshotArn(step)],
    conditions: {
      StringLike: { [`aws:ResourceTag/${SET_TAGS.run}`]: PRESENT },
      'ForAllValues:StringEquals': { 'aws:TagKeys': SET_TAGS.verified },
      Null: { 'aws:TagKeys': 'false' },
    },
    because: OUR_SNAPSHOTS,
  });
}

function mayMoveVolumes(
  step: StepFunction,
  action: 'ec2:AttachVolume' | 'ec2:DetachVolume',
  tag: string = RESTORE_TAGS.restore,
): void {
  step.may({
    actions: [action],
    resources: [ec2Arn(step, 'volume')],
    conditions: { StringLike: { [`aws:ResourceTag/${tag}`]: PRESENT } },
    because: OUR_VOLUMES,
  });
  for (const [key, because] of [
    [USER_TAGS.policy, TAGGED_INSTANCES],
    [RESTORE_TAGS.restore, OUR_LAUNCHES],
  ] as const) {
    step.may({
      actions: [action],
      resources: [ec2Arn(step, 'instance')],
      conditions: { StringLike: { [`aws:ResourceTag/${key}`]: PRESENT } },
      because,
    });
  }
}

function mayUseKeysOfVolumes(step: StepFunction): void {
  mayUseKeysInEbs(step, [Stack.of(step).region]);
}

/**
 * EBS asks for these in the name of whoever makes or attaches an encrypted volume, or copies an encrypted snapshot. The
 * key's own policy has the last word.
 */
export function mayUseKeysInEbs(step: Grantee, regions: readonly string[], account?: string): void {
  const stack = Stack.of(step);
  const services = regions.map((region) => `ec2.${region}.${stack.urlSuffix}`);
  const operator = regions.includes('*') ? 'StringLike' : 'StringEquals';
  const viaEbs = { [operator]: { 'kms:ViaService': services.length === 1 ? (services[0] as string) : services } };
  const resources = regions.map((region) =>
    stack.formatArn({ service: 'kms', region, ...(account && { account }), resource: 'key', resourceName: '*' }),
  );
  const because = 'A set is encrypted with whatever keys its volumes had; only EBS may use them here.';
  step.may({
    actions: [
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:GenerateDataKeyWithoutPlaintext',
      'kms:ReEncryptFrom',
      'kms:ReEncryptTo',
    ],
    resources,
    conditions: viaEbs,
    because,
  });
  step.may({
    actions: ['kms:CreateGrant'],
    resources,
    conditions: { ...viaEbs, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    because,
  });
}

/** Read and write the lists and results of fleets, and nothing else in the bucket. */
export function mayKeepLists(
  step: StepFunction,
  bucket: s3.IBucket,
  ...actions: ('s3:GetObject' | 's3:PutObject')[]
): void {
  const because = 'Every firing has objects of its own.';
  step.may({ actions, resources: [bucket.arnForObjects(`${FLEETS_PREFIX}*`)], because });
  step.may(tellsWhatIsMissing(bucket, FLEETS_PREFIX));
}

/**
 * Without the right to list, S3 says AccessDenied of an object that is not there, and not that it is missing. Whether it knows
 * a prefix when it decides between the two is not documented, so only a request that has one is held to it.
 */
export const tellsWhatIsMissing = ({ bucketArn }: Pick<s3.IBucket, 'bucketArn'>, prefix: string): Permission => ({
  actions: ['s3:ListBucket'],
  resources: [bucketArn],
  conditions: { StringLikeIfExists: { 's3:prefix': `${prefix}*` } },
});

/** Read what an execution of this state machine has been through. */
export function mayReadHistory(step: StepFunction, machine: sfn.StateMachine): void {
  step.may({
    actions: ['states:GetExecutionHistory'],
    resources: [executionsArn(machine)],
    because: 'Every run is an execution of its own.',
  });
}

export function mayStart(step: StepFunction, machine: sfn.StateMachine): void {
  step.may({ actions: ['states:StartExecution'], resources: [machine.stateMachineArn] });
}

/** Of every execution of a state machine. */
export const executionsArn = (machine: sfn.StateMachine): string =>
  Stack.of(machine).formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: `${machine.stateMachineName}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });

const documentArn = (document: ssm.CfnDocument): string => documentNamed(document, document.ref);

const documentNamed = (scope: Construct, resourceName: string): string =>
  Stack.of(scope).formatArn({ service: 'ssm', resource: 'document', resourceName });

type Ec2Resource =
  | 'instance'
  | 'volume'
  | 'network-interface'
  | 'subnet'
  | 'security-group'
  | 'key-pair'
  | 'launch-template';

const ec2Arn = (scope: Construct, resource: Ec2Resource, resourceName = '*'): string =>
  Stack.of(scope).formatArn({ service: 'ec2', resource, resourceName });

/** The ARN of a snapshot names no account. */
const snapshotArn = (scope: Construct, region?: string): string =>
  Stack.of(scope).formatArn({
    service: 'ec2',
    account: '',
    ...(region && { region }),
    resource: 'snapshot',
    resourceName: '*',
  });

/** The ARN of an image names no account. */
const imageArn = (scope: Construct): string =>
  Stack.of(scope).formatArn({ service: 'ec2', account: '', resource: 'image', resourceName: '*' });
