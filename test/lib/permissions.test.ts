/**
 * The synthesised policies against requests that AWS would get. A call that needs several resources (CreateSnapshots, or
 * SendCommand of a document to an instance) is allowed when each of them is, so each is asked for on its own.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BACKUP,
  COPY,
  DOCUMENTS,
  DRILL,
  DRILL_TAG,
  IN_COPY,
  IN_RESTORE,
  INSPECT_WINDOWS,
  PRUNE,
  RESTORE_TAGS,
  SCRATCH_POLICY,
  SET_TAGS,
  SWAP_TAGS,
  THAW_RESCUE,
  USER_TAGS,
  VSS_DOCUMENTS,
  VSS_INSTANCE_POLICY,
} from '../../lambdas/shared/names.ts';
import type { FunctionName } from '../../lib/functions.ts';
import { EVERY_OPTION } from '../support/every-option.ts';
import { type IdentityPolicy, judge } from '../support/iam.ts';
import { destinationIn } from '../support/model-account.ts';
import { ACCOUNT, REGION, type Resource, resourcesOf, stateMachine, synthOf } from '../support/synth.ts';

const { resources, resolve, definition, rescue } = await synthOf(EVERY_OPTION);

interface Asked {
  readonly title: string;
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string | string[]>>;
}

const INSTANCE = `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/i-0123456789abcdef0`;
const VOLUME = `arn:aws:ec2:${REGION}:${ACCOUNT}:volume/vol-0123456789abcdef0`;
const SNAPSHOT = `arn:aws:ec2:${REGION}::snapshot/snap-0123456789abcdef0`;
const NEW_SNAPSHOT = `arn:aws:ec2:${REGION}::snapshot/*`;
const document = (name: string) => `arn:aws:ssm:${REGION}:${ACCOUNT}:document/${name}`;

const POLICY_TAG = { [`aws:ResourceTag/${USER_TAGS.policy}`]: 'nightly' };
const SSM_POLICY_TAG = { [`ssm:resourceTag/${USER_TAGS.policy}`]: 'nightly' };
const OUR_SET = { [`aws:ResourceTag/${SET_TAGS.run}`]: 'i-0123456789abcdef0-20260101' };
const OUR_TAGS = {
  [`aws:RequestTag/${SET_TAGS.run}`]: 'i-0123456789abcdef0-20260101',
  [`aws:RequestTag/${SET_TAGS.grade}`]: 'unproven',
};

const send = (name: string): Asked => ({
  title: `run ${name}`,
  action: 'ssm:SendCommand',
  resource: document(name),
});
/** A document of AWS's own, which is in an account of AWS's. */
const sendAws = (name: string): Asked => ({
  title: `run AWS's own ${name}`,
  action: 'ssm:SendCommand',
  resource: `arn:aws:ssm:${REGION}:999999999999:document/${name}`,
});
const sendToTagged: Asked = {
  title: 'run it on an instance with a policy tag',
  action: 'ssm:SendCommand',
  resource: INSTANCE,
  context: SSM_POLICY_TAG,
};
const sendToUntagged: Asked = {
  title: 'run it on an instance without a policy tag',
  action: 'ssm:SendCommand',
  resource: INSTANCE,
};
const look = (action: string): Asked => ({ title: `look: ${action}`, action, resource: '*' });
const readResult = look('ssm:GetCommandInvocation');

const createOfTagged: Asked = {
  title: 'snapshot an instance with a policy tag',
  action: 'ec2:CreateSnapshots',
  resource: INSTANCE,
  context: POLICY_TAG,
};
const createAsOurs: Asked = {
  title: 'make snapshots that bear the run and say unproven',
  action: 'ec2:CreateSnapshots',
  resource: NEW_SNAPSHOT,
  context: OUR_TAGS,
};
const tagWhileCreating: Asked = {
  title: 'tag snapshots in the call that creates them',
  action: 'ec2:CreateTags',
  resource: NEW_SNAPSHOT,
  context: { 'ec2:CreateAction': 'CreateSnapshots', 'aws:TagKeys': [SET_TAGS.run, SET_TAGS.grade] },
};
const label: Asked = {
  title: 'write the grade on a snapshot of ours',
  action: 'ec2:CreateTags',
  resource: SNAPSHOT,
  context: { ...OUR_SET, 'aws:TagKeys': [SET_TAGS.grade, SET_TAGS.windowMs] },
};
const deleteOurs: Asked = {
  title: 'delete a snapshot of ours',
  action: 'ec2:DeleteSnapshot',
  resource: SNAPSHOT,
  context: OUR_SET,
};
const mark: Asked = {
  title: 'note on a snapshot of ours that it is being deleted',
  action: 'ec2:CreateTags',
  resource: SNAPSHOT,
  context: { ...OUR_SET, 'aws:TagKeys': [SET_TAGS.deleting] },
};
/** Where the plan copies to, in the stack's own account. */
const THERE = 'eu-west-1';
const COPY_THERE = `arn:aws:ec2:${THERE}::snapshot/snap-0123456789abcdef0`;
const OUR_COPY = { [`aws:ResourceTag/${SET_TAGS.origin}`]: `${ACCOUNT}/${REGION}` };
const COPY_TAGS = { ...OUR_TAGS, [`aws:RequestTag/${SET_TAGS.origin}`]: `${ACCOUNT}/${REGION}` };
const THEIR_COPY = { ...OUR_SET, [`aws:ResourceTag/${SET_TAGS.origin}`]: `${ACCOUNT}/us-east-1` };
const inCopy = { 'aws:TagKeys': [IN_COPY] };
const copies: readonly Asked[] = [
  { title: 'copy from here', action: 'ec2:CopySnapshot', resource: SNAPSHOT },
  {
    title: 'make copies that bear their origin and say unproven',
    action: 'ec2:CopySnapshot',
    resource: `arn:aws:ec2:${THERE}::snapshot/*`,
    context: COPY_TAGS,
  },
  {
    title: 'tag copies in the call that makes them',
    action: 'ec2:CreateTags',
    resource: `arn:aws:ec2:${THERE}::snapshot/*`,
    context: { 'ec2:CreateAction': 'CopySnapshot', 'aws:TagKeys': [SET_TAGS.run] },
  },
  {
    title: 'mark a set as being copied',
    action: 'ec2:CreateTags',
    resource: SNAPSHOT,
    context: { ...OUR_SET, ...inCopy },
  },
  {
    title: 'grade a copy of ours',
    action: 'ec2:CreateTags',
    resource: COPY_THERE,
    context: { ...OUR_COPY, 'aws:TagKeys': [SET_TAGS.grade, IN_COPY] },
  },
  { title: 'lock a copy of ours', action: 'ec2:LockSnapshot', resource: COPY_THERE, context: OUR_COPY },
  {
    title: 'delete a copy of ours that is part of no whole set',
    action: 'ec2:DeleteSnapshot',
    resource: COPY_THERE,
    context: { ...OUR_COPY, [`aws:ResourceTag/${SET_TAGS.grade}`]: 'unproven' },
  },
];
/** The account that the plan copies to. */
const VAULT = '210987654321';
const share = (title: string, context: Asked['context']): Asked => ({
  title,
  action: 'ec2:ModifySnapshotAttribute',
  resource: SNAPSHOT,
  context: { ...OUR_SET, ...context },
});
const shares: readonly Asked[] = [
  share('share a set with an account of the plan', { 'ec2:Add/userId': VAULT }),
  share('share a set no longer', { 'ec2:Remove/userId': VAULT }),
];
const goElsewhere: Asked = {
  title: 'be the role that the other account has for us',
  action: 'sts:AssumeRole',
  resource: `arn:aws:iam::${VAULT}:role/Freezeframe-CopiesOf-${ACCOUNT}`,
};
const pruneCopies: readonly Asked[] = [
  {
    title: 'note on a copy of ours that it is being deleted',
    action: 'ec2:CreateTags',
    resource: COPY_THERE,
    context: { ...OUR_COPY, 'aws:TagKeys': [SET_TAGS.deleting] },
  },
  {
    title: 'delete a copy of ours',
    action: 'ec2:DeleteSnapshot',
    resource: COPY_THERE,
    context: { ...OUR_COPY, [`aws:ResourceTag/${SET_TAGS.grade}`]: 'application' },
  },
];
const lockOurs: Asked = {
  title: 'lock a snapshot of ours',
  action: 'ec2:LockSnapshot',
  resource: SNAPSHOT,
  context: OUR_SET,
};
const lockForeign: Asked = {
  title: 'lock a snapshot of somebody else',
  action: 'ec2:LockSnapshot',
  resource: SNAPSHOT,
  context: { 'aws:ResourceTag/team': 'x' },
};
const deleteForeign: Asked = {
  title: 'delete a snapshot of somebody else',
  action: 'ec2:DeleteSnapshot',
  resource: SNAPSHOT,
  context: { 'aws:ResourceTag/team': 'x' },
};
const labelForeign: Asked = {
  title: 'claim a snapshot of somebody else by tagging it',
  action: 'ec2:CreateTags',
  resource: SNAPSHOT,
  context: { 'aws:TagKeys': [SET_TAGS.run], [`aws:RequestTag/${SET_TAGS.run}`]: 'mine' },
};

const machine = (name: string) => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`;
const execution = (name: string) =>
  `arn:aws:states:${REGION}:${ACCOUNT}:execution:${name}:i-0123456789abcdef0-20260101`;
const readHistory: Asked = {
  title: 'read what a backup has been through',
  action: 'states:GetExecutionHistory',
  resource: execution(BACKUP),
};
const listBackups: Asked = { title: 'list the backups', action: 'states:ListExecutions', resource: machine(BACKUP) };
const startRescue: Asked = {
  title: 'start a rescue',
  action: 'states:StartExecution',
  resource: machine(THAW_RESCUE),
};

const OUR_VOLUME = { [`aws:ResourceTag/${RESTORE_TAGS.restore}`]: 'restore-1' };
const VIA_EBS = { 'kms:ViaService': `ec2.${REGION}.amazonaws.com` };
const KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/0a1b`;
const makeVolume: readonly Asked[] = [
  {
    title: 'make a volume that bears the restore',
    action: 'ec2:CreateVolume',
    resource: VOLUME,
    context: { [`aws:RequestTag/${RESTORE_TAGS.restore}`]: 'restore-1' },
  },
  { title: 'make it of a snapshot of ours', action: 'ec2:CreateVolume', resource: SNAPSHOT, context: OUR_SET },
  {
    title: 'tag volumes in the call that creates them',
    action: 'ec2:CreateTags',
    resource: VOLUME,
    context: { 'ec2:CreateAction': 'CreateVolume', 'aws:TagKeys': [RESTORE_TAGS.restore] },
  },
];
const move = (verb: 'Attach' | 'Detach'): readonly Asked[] => [
  { title: `${verb} a volume of a restore`, action: `ec2:${verb}Volume`, resource: VOLUME, context: OUR_VOLUME },
  {
    title: `${verb} it at an instance with a policy tag`,
    action: `ec2:${verb}Volume`,
    resource: INSTANCE,
    context: POLICY_TAG,
  },
  {
    title: `${verb} it at an instance that a restore has launched`,
    action: `ec2:${verb}Volume`,
    resource: INSTANCE,
    context: OUR_VOLUME,
  },
];
const OUT_OF_PLACE = { [`aws:ResourceTag/${SWAP_TAGS.swappedOut}`]: 'restore-1' };
const swap: readonly Asked[] = [
  ...move('Attach'),
  ...move('Detach'),
  {
    title: 'attach a volume that a swap has put aside',
    action: 'ec2:AttachVolume',
    resource: VOLUME,
    context: OUT_OF_PLACE,
  },
  {
    title: 'detach a volume that a swap puts aside',
    action: 'ec2:DetachVolume',
    resource: VOLUME,
    context: OUT_OF_PLACE,
  },
  ...['CreateTags', 'DeleteTags'].map((verb) => ({
    title: `say by ${verb} of a volume whether it is put aside`,
    action: `ec2:${verb}`,
    resource: VOLUME,
    context: { 'aws:TagKeys': Object.values(SWAP_TAGS) },
  })),
];
const LAUNCHED = { [`aws:RequestTag/${RESTORE_TAGS.restore}`]: 'restore-1' };
const ROLE = EVERY_OPTION.restore.roles[0] ?? '';
const ec2Resource = (kind: string) => `arn:aws:ec2:${REGION}:${ACCOUNT}:${kind}/x-0123456789abcdef0`;
const IMAGE = `arn:aws:ec2:${REGION}::image/ami-0123456789abcdef0`;
const launch: readonly Asked[] = [
  { title: 'launch an instance of a restore', action: 'ec2:RunInstances', resource: INSTANCE, context: LAUNCHED },
  { title: 'launch it with volumes', action: 'ec2:RunInstances', resource: VOLUME },
  ...['network-interface', 'subnet', 'security-group', 'key-pair', 'launch-template'].map((kind) => ({
    title: `launch it with a ${kind}`,
    action: 'ec2:RunInstances',
    resource: ec2Resource(kind),
  })),
  { title: 'launch it from an image', action: 'ec2:RunInstances', resource: IMAGE },
  {
    title: 'launch it with volumes of a snapshot of ours',
    action: 'ec2:RunInstances',
    resource: SNAPSHOT,
    context: OUR_SET,
  },
  { title: 'make an image of a restore', action: 'ec2:RegisterImage', resource: IMAGE, context: LAUNCHED },
  { title: 'make it of a root of ours', action: 'ec2:RegisterImage', resource: SNAPSHOT, context: OUR_SET },
  ...[INSTANCE, VOLUME].map((resource) => ({
    title: `tag ${resource === VOLUME ? 'its volumes' : 'it'} in the call that launches`,
    action: 'ec2:CreateTags',
    resource,
    context: { 'ec2:CreateAction': 'RunInstances', 'aws:TagKeys': [RESTORE_TAGS.restore] },
  })),
  {
    title: 'tag an image in the call that makes it',
    action: 'ec2:CreateTags',
    resource: IMAGE,
    context: { 'ec2:CreateAction': 'RegisterImage', 'aws:TagKeys': [RESTORE_TAGS.restore] },
  },
  {
    title: 'give it a role that the plan names',
    action: 'iam:PassRole',
    resource: ROLE,
    context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
  },
];
const endLaunch: readonly Asked[] = [
  {
    title: 'terminate an instance of a restore',
    action: 'ec2:TerminateInstances',
    resource: INSTANCE,
    context: OUR_VOLUME,
  },
  { title: 'let go of an image of a restore', action: 'ec2:DeregisterImage', resource: IMAGE, context: OUR_VOLUME },
];
const sendToLaunched: Asked = {
  title: 'run it on an instance that a restore has launched',
  action: 'ssm:SendCommand',
  resource: INSTANCE,
  context: { [`ssm:resourceTag/${RESTORE_TAGS.restore}`]: 'restore-1' },
};
const hold: readonly Asked[] = ['CreateTags', 'DeleteTags'].map((verb) => ({
  title: `say by ${verb} of a snapshot of ours whether it is in use`,
  action: `ec2:${verb}`,
  resource: SNAPSHOT,
  context: { ...OUR_SET, 'aws:TagKeys': [`${IN_RESTORE}restore-1`] },
}));
const deleteVolume: Asked = {
  title: 'delete a volume of a restore',
  action: 'ec2:DeleteVolume',
  resource: VOLUME,
  context: OUR_VOLUME,
};

const stamp: Asked = {
  title: 'write on a snapshot of ours what a drill has shown',
  action: 'ec2:CreateTags',
  resource: SNAPSHOT,
  context: { ...OUR_SET, 'aws:TagKeys': [SET_TAGS.verified] },
};
const [profile = ''] = Object.keys(resources).filter((id) => resources[id]?.Type === 'AWS::IAM::InstanceProfile');
const { drill } = EVERY_OPTION.policies.drilled;
const place = (kind: string, id = '*') => `arn:aws:ec2:${REGION}:${ACCOUNT}:${kind}/${id}`;
const launchScratch: readonly Asked[] = [
  {
    title: 'launch an instance of a drill',
    action: 'ec2:RunInstances',
    resource: INSTANCE,
    context: {
      [`aws:RequestTag/${DRILL_TAG}`]: 'drill-1',
      [`aws:RequestTag/${USER_TAGS.policy}`]: SCRATCH_POLICY,
      'ec2:InstanceType': drill.instanceType,
      'ec2:MetadataHttpTokens': 'required',
      'ec2:InstanceProfile': String(resolve({ 'Fn::GetAtt': [profile, 'Arn'] })),
    },
  },
  { title: "launch it in the plan's subnet", action: 'ec2:RunInstances', resource: place('subnet', drill.subnetId) },
  {
    title: "launch it from the plan's image",
    action: 'ec2:RunInstances',
    resource: `arn:aws:ec2:${REGION}::image/${drill.imageId}`,
  },
  { title: 'launch it with a network interface', action: 'ec2:RunInstances', resource: place('network-interface') },
  { title: 'launch it with a root volume', action: 'ec2:RunInstances', resource: place('volume') },
  {
    title: 'tag it in the launch',
    action: 'ec2:CreateTags',
    resource: INSTANCE,
    context: { 'ec2:CreateAction': 'RunInstances', 'aws:TagKeys': [DRILL_TAG] },
  },
];
/** IAM asks for each thing that a launch is made of by itself: only the instance says whose launch it is. */
const partsOfAny = (launches: readonly Asked[]): Asked[] =>
  launches.filter(({ title }) => /^(launch|tag) (it|its) /.test(title));
const OUR_DRILL = { [`aws:ResourceTag/${DRILL_TAG}`]: 'drill-1' };
const takeAway: readonly Asked[] = [
  {
    title: 'terminate an instance of a drill',
    action: 'ec2:TerminateInstances',
    resource: INSTANCE,
    context: OUR_DRILL,
  },
  ...(['Detach', 'Delete'] as const).map((verb) => ({
    title: `${verb} a volume of a drill`,
    action: `ec2:${verb}Volume`,
    resource: VOLUME,
    context: OUR_DRILL,
  })),
  { ...(move('Detach')[1] as Asked), title: 'Detach it at an instance with a policy tag' },
];

/** What no step may do, whichever it is. */
const bucketArn = String(
  resolve({ 'Fn::GetAtt': [Object.keys(resources).find((id) => resources[id]?.Type === 'AWS::S3::Bucket'), 'Arn'] }),
);

const NEVER: readonly Asked[] = [
  send('AWS-RunShellScript'),
  sendAws('AWS-RunShellScript'),
  sendAws('AWS-RunPowerShellScript'),
  sendToUntagged,
  deleteForeign,
  {
    title: 'delete a snapshot of ours in a Region that the plan does not name',
    action: 'ec2:DeleteSnapshot',
    resource: 'arn:aws:ec2:us-east-1::snapshot/snap-0123456789abcdef0',
    context: OUR_SET,
  },
  {
    title: 'delete a set of another deployment where the plan copies to',
    action: 'ec2:DeleteSnapshot',
    resource: COPY_THERE,
    context: { ...OUR_SET, [`aws:ResourceTag/${SET_TAGS.grade}`]: 'unproven' },
  },
  {
    title: 'delete a copy of another deployment there',
    action: 'ec2:DeleteSnapshot',
    resource: COPY_THERE,
    context: { ...THEIR_COPY, [`aws:ResourceTag/${SET_TAGS.grade}`]: 'unproven' },
  },
  {
    title: 'make copies without our tags',
    action: 'ec2:CopySnapshot',
    resource: `arn:aws:ec2:${THERE}::snapshot/*`,
  },
  {
    title: 'make copies that claim a grade at once',
    action: 'ec2:CopySnapshot',
    resource: `arn:aws:ec2:${THERE}::snapshot/*`,
    context: { ...COPY_TAGS, [`aws:RequestTag/${SET_TAGS.grade}`]: 'application' },
  },
  {
    title: 'make copies that claim to be of another deployment',
    action: 'ec2:CopySnapshot',
    resource: `arn:aws:ec2:${THERE}::snapshot/*`,
    context: { ...COPY_TAGS, [`aws:RequestTag/${SET_TAGS.origin}`]: `${ACCOUNT}/us-east-1` },
  },
  {
    title: 'make copies where the plan has none',
    action: 'ec2:CopySnapshot',
    resource: 'arn:aws:ec2:us-east-1::snapshot/*',
    context: COPY_TAGS,
  },
  {
    title: 'claim a snapshot that is there already as a copy of ours',
    action: 'ec2:CreateTags',
    resource: COPY_THERE,
    context: { 'aws:TagKeys': [SET_TAGS.origin] },
  },
  {
    title: 'archive a snapshot of somebody else',
    action: 'ec2:ModifySnapshotTier',
    resource: SNAPSHOT,
    context: { 'aws:ResourceTag/team': 'x' },
  },
  {
    title: 'bring a snapshot back from the archive',
    action: 'ec2:RestoreSnapshotTier',
    resource: SNAPSHOT,
    context: OUR_SET,
  },
  lockForeign,
  { title: 'unlock a snapshot of ours', action: 'ec2:UnlockSnapshot', resource: SNAPSHOT, context: OUR_SET },
  labelForeign,
  { title: 'snapshot an untagged instance', action: 'ec2:CreateSnapshots', resource: INSTANCE },
  { title: 'make snapshots without our tags', action: 'ec2:CreateSnapshots', resource: NEW_SNAPSHOT },
  {
    title: 'make snapshots that claim a grade before it is proven',
    action: 'ec2:CreateSnapshots',
    resource: NEW_SNAPSHOT,
    context: { ...OUR_TAGS, [`aws:RequestTag/${SET_TAGS.grade}`]: 'application' },
  },
  {
    title: 'tag a volume',
    action: 'ec2:CreateTags',
    resource: VOLUME,
    context: { 'aws:TagKeys': [SET_TAGS.run] },
  },
  {
    title: 'write a tag that is not ours on a snapshot of ours',
    action: 'ec2:CreateTags',
    resource: SNAPSHOT,
    context: { ...OUR_SET, 'aws:TagKeys': [SET_TAGS.grade, 'team'] },
  },
  { title: 'remove tags', action: 'ec2:DeleteTags', resource: SNAPSHOT, context: OUR_SET },
  {
    title: 'remove the tags of a set',
    action: 'ec2:DeleteTags',
    resource: SNAPSHOT,
    context: { ...OUR_SET, 'aws:TagKeys': [SET_TAGS.run] },
  },
  {
    title: 'hold a snapshot of somebody else',
    action: 'ec2:CreateTags',
    resource: SNAPSHOT,
    context: { 'aws:ResourceTag/team': 'x', 'aws:TagKeys': [`${IN_RESTORE}restore-1`] },
  },
  {
    title: 'claim a volume of somebody else for a restore',
    action: 'ec2:CreateTags',
    resource: VOLUME,
    context: { 'aws:TagKeys': [RESTORE_TAGS.restore] },
  },
  share('share a set with an account that the plan does not name', { 'ec2:Add/userId': '999999999999' }),
  share('share a set with everybody', { 'ec2:Add/group': 'all' }),
  share('share a set with everybody beside', { 'ec2:Add/userId': VAULT, 'ec2:Add/group': 'all' }),
  {
    title: 'share a snapshot of somebody else',
    action: 'ec2:ModifySnapshotAttribute',
    resource: SNAPSHOT,
    context: { 'ec2:Add/userId': VAULT },
  },
  {
    title: 'give an instance a role that the plan does not name',
    action: 'iam:PassRole',
    resource: `arn:aws:iam::${ACCOUNT}:role/admin`,
    context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
  },
  {
    title: 'give a role to something else than an instance',
    action: 'iam:PassRole',
    resource: ROLE,
    context: { 'iam:PassedToService': 'lambda.amazonaws.com' },
  },
  { title: 'launch an instance that bears no restore', action: 'ec2:RunInstances', resource: INSTANCE },
  {
    title: 'terminate an instance of somebody',
    action: 'ec2:TerminateInstances',
    resource: INSTANCE,
    context: POLICY_TAG,
  },
  { title: 'let go of an image of somebody', action: 'ec2:DeregisterImage', resource: IMAGE },
  { title: 'stop an instance', action: 'ec2:StopInstances', resource: INSTANCE, context: POLICY_TAG },
  { title: 'delete a volume', action: 'ec2:DeleteVolume', resource: VOLUME, context: OUR_SET },
  { title: 'detach a volume that no restore made', action: 'ec2:DetachVolume', resource: VOLUME, context: OUR_SET },
  { title: 'attach a volume that no restore made', action: 'ec2:AttachVolume', resource: VOLUME, context: OUR_SET },
  { title: 'attach at an untagged instance', action: 'ec2:AttachVolume', resource: INSTANCE },
  { title: 'make a volume without our tag', action: 'ec2:CreateVolume', resource: VOLUME },
  {
    title: 'make a volume of a snapshot of somebody else',
    action: 'ec2:CreateVolume',
    resource: SNAPSHOT,
    context: { 'aws:ResourceTag/team': 'x' },
  },
  { title: 'use a key without EBS', action: 'kms:Decrypt', resource: KEY },
  {
    title: 'grant a key to somebody',
    action: 'kms:CreateGrant',
    resource: KEY,
    context: { ...VIA_EBS, 'kms:GrantIsForAWSResource': 'false' },
  },
  { title: 'change a document', action: 'ssm:UpdateDocument', resource: document(DOCUMENTS.freeze) },
  {
    title: 'make another version of a document the default',
    action: 'ssm:UpdateDocumentDefaultVersion',
    resource: document(DOCUMENTS.freeze),
  },
  ...[DOCUMENTS.freeze, 'Payroll', 'Shop-Quiet-2'].map((name) => ({
    title: `read the document ${name}`,
    action: 'ssm:GetDocument',
    resource: document(name),
  })),
  ...EVERY_OPTION.hookDocuments.map((name) => ({ ...send(name), title: `run the user's own document ${name}` })),
  { title: 'cancel commands', action: 'ssm:CancelCommand', resource: '*' },
  {
    title: 'read secrets',
    action: 'secretsmanager:GetSecretValue',
    resource: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:x`,
  },
  {
    title: 'write the log of another function',
    action: 'logs:PutLogEvents',
    resource: `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/aws/lambda/other:log-stream:x`,
  },
  {
    title: 'create log groups',
    action: 'logs:CreateLogGroup',
    resource: `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:x`,
  },
  { title: 'start a backup', action: 'states:StartExecution', resource: machine(BACKUP) },
  { title: 'stop a backup', action: 'states:StopExecution', resource: execution(BACKUP) },
  { title: 'stop a rescue', action: 'states:StopExecution', resource: execution(THAW_RESCUE) },
  { title: 'read the history of another', action: 'states:GetExecutionHistory', resource: execution('Payroll') },
  { title: 'start another state machine', action: 'states:StartExecution', resource: machine('Payroll') },
  { title: 'read a receipt', action: 's3:GetObject', resource: `${bucketArn}/sets/i-1/run.json` },
  { title: 'take on a role', action: 'sts:AssumeRole', resource: `arn:aws:iam::${ACCOUNT}:role/admin` },
];

const readList: Asked = {
  title: 'read the lists of a fleet',
  action: 's3:GetObject',
  resource: `${bucketArn}/fleets/nightly-2026/targets.json`,
};
const writeList: Asked = { ...readList, title: 'write the lists of a fleet', action: 's3:PutObject' };

const MAY: Record<FunctionName, readonly Asked[]> = {
  'inspect-host': [
    send(DOCUMENTS.inspect),
    send(INSPECT_WINDOWS),
    sendToTagged,
    readResult,
    look('ec2:DescribeInstances'),
    look('ec2:DescribeVolumes'),
    look('ssm:DescribeInstanceInformation'),
    ...[DOCUMENTS.inspect, INSPECT_WINDOWS, DOCUMENTS.freeze, DOCUMENTS.thaw].map((name) => ({
      title: `resolve the version of ${name}`,
      action: 'ssm:DescribeDocument',
      resource: document(name),
    })),
    ...EVERY_OPTION.hookDocuments.map((name) => ({
      title: `read ${name}`,
      action: 'ssm:GetDocument',
      resource: document(name),
    })),
  ],
  'create-snapshots': [
    createOfTagged,
    { title: 'snapshot any volume of it', action: 'ec2:CreateSnapshots', resource: VOLUME },
    createAsOurs,
    tagWhileCreating,
    look('ec2:DescribeSnapshots'),
    look('ec2:DescribeVolumes'),
  ],
  freeze: [send(DOCUMENTS.freeze), sendToTagged, readResult],
  thaw: [send(DOCUMENTS.thaw), sendToTagged, readResult],
  'snapshot-with-vss': [...Object.values(VSS_DOCUMENTS).map(sendAws), sendToTagged],
  'check-vss': [look('ssm:ListCommandInvocations'), look('ec2:DescribeSnapshots')],
  grade: [look('ec2:DescribeSnapshots'), label],
  lock: [look('ec2:DescribeLockedSnapshots'), lockOurs],
  'check-snapshots': [look('ec2:DescribeSnapshots')],
  discard: [look('ec2:DescribeSnapshots'), deleteOurs],
  'list-sets': [look('ec2:DescribeSnapshots'), goElsewhere],
  decide: [
    goElsewhere,
    look('ec2:DescribeSnapshots'),
    look('ec2:DescribeInstances'),
    look('ec2:DescribeLockedSnapshots'),
  ],
  delete: [
    goElsewhere,
    look('ec2:DescribeSnapshots'),
    look('ec2:DescribeInstances'),
    look('ec2:DescribeLockedSnapshots'),
    look('ec2:DescribeImages'),
    mark,
    deleteOurs,
    ...pruneCopies,
    copies.at(-1) as Asked,
  ],
  archive: [
    ...[
      'ec2:DescribeSnapshots',
      'ec2:DescribeInstances',
      'ec2:DescribeLockedSnapshots',
      'ec2:DescribeImages',
      'ec2:DescribeSnapshotTierStatus',
    ].map(look),
    { title: 'archive a snapshot of ours', action: 'ec2:ModifySnapshotTier', resource: SNAPSHOT, context: OUR_SET },
  ],
  'plan-copies': [look('ec2:DescribeSnapshots'), look('ec2:DescribeInstances'), goElsewhere],
  'copy-snapshots': [
    look('ec2:DescribeSnapshots'),
    look('ec2:DescribeLockedSnapshots'),
    ...copies,
    ...shares,
    goElsewhere,
  ],
  'check-thaw': [readHistory],
  sweep: [listBackups, readHistory, startRescue],
  'find-set': [look('ec2:DescribeSnapshots')],
  'plan-restore': [
    look('ec2:DescribeInstances'),
    look('ec2:DescribeVolumes'),
    look('ssm:DescribeInstanceInformation'),
    {
      title: 'resolve the version of Freezeframe-Restore',
      action: 'ssm:DescribeDocument',
      resource: document(DOCUMENTS.restore),
    },
  ],
  'launch-instance': [
    look('ec2:DescribeInstances'),
    look('ec2:DescribeImages'),
    look('ec2:DescribeLaunchTemplateVersions'),
    look('ssm:DescribeInstanceInformation'),
    ...launch,
    ...partsOfAny(launchScratch),
  ],
  'terminate-instance': [look('ec2:DescribeInstances'), look('ec2:DescribeImages'), ...endLaunch],
  'hold-set': [look('ec2:DescribeSnapshots'), ...hold],
  'create-volumes': [look('ec2:DescribeVolumes'), ...makeVolume],
  'attach-volumes': [look('ec2:DescribeInstances'), look('ec2:DescribeVolumes'), ...move('Attach')],
  'swap-volumes': [look('ec2:DescribeVolumes'), ...swap],
  'restore-host': [look('ec2:DescribeVolumes'), send(DOCUMENTS.restore), sendToTagged, sendToLaunched, readResult],
  'remove-volumes': [look('ec2:DescribeVolumes'), ...move('Detach'), deleteVolume],
  'choose-set': [look('ec2:DescribeSnapshots')],
  'plan-drill': [
    {
      title: 'resolve the version of Freezeframe-Verify',
      action: 'ssm:DescribeDocument',
      resource: document(DOCUMENTS.verify),
    },
  ],
  'launch-scratch': [
    ...launchScratch,
    // Its place and its image are those of the plan.
    ...partsOfAny(launch).filter(({ title }) => /volumes$|network-interface|call that launches/.test(title)),
  ],
  'wait-for-agent': [look('ec2:DescribeInstances'), look('ssm:DescribeInstanceInformation')],
  verify: [send(DOCUMENTS.verify), sendToTagged, readResult],
  'check-verify': [readResult],
  judge: [stamp],
  'tear-down': [look('ec2:DescribeInstances'), look('ec2:DescribeVolumes'), ...takeAway],
  'sweep-drills': [
    look('ec2:DescribeInstances'),
    look('ec2:DescribeVolumes'),
    ...takeAway,
    {
      title: 'ask whether a drill still runs',
      action: 'states:DescribeExecution',
      resource: `arn:aws:states:${REGION}:${ACCOUNT}:execution:${DRILL}:drill-1`,
    },
  ],
  'find-targets': [look('ec2:DescribeInstances'), look('ssm:DescribeInstanceInformation'), readList, writeList],
  report: [readList],
  'check-rpo': [look('ec2:DescribeInstances'), look('ec2:DescribeSnapshots')],
};

const EVERYTHING = [
  ...new Map(
    Object.values(MAY)
      .flat()
      .map((asked) => [asked.title, asked]),
  ).values(),
];

for (const [name, may] of Object.entries(MAY)) {
  describe(`${name} may`, () => {
    const allowed = new Set(may.map(({ title }) => title));
    const policies = policiesOf(roleOf(name));

    for (const asked of may) {
      it(asked.title, async () => assert.equal(await answer(policies, asked), 'Allowed'));
    }
    it('nothing else that the app does, or that no one may', () =>
      refuses(policies, [...EVERYTHING.filter(({ title }) => !allowed.has(title)), ...NEVER]));
    it('write its own log', async () => {
      const [{ Properties }] = [functionNamed(name)];
      const logGroup = String(resolve(Properties.LoggingConfig.LogGroup));
      const resource = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${logGroup}:log-stream:x`;
      assert.equal(await answer(policies, { title: '', action: 'logs:PutLogEvents', resource }), 'Allowed');
    });
  });
}

it('without roles in the plan, launch-instance may launch nothing', async () => {
  const { nightly } = EVERY_OPTION.policies;
  const policies = Object.values(await resourcesOf({ policies: { nightly } }))
    .filter(
      ({ Type, Properties }) => Type === 'AWS::IAM::Policy' && /LaunchInstance/.test(JSON.stringify(Properties.Roles)),
    )
    .map(({ Properties }) => ({ name: Properties.PolicyName, policy: resolve(Properties.PolicyDocument) }));
  assert.equal(policies.length, 1);
  for (const asked of launch) assert.match(await answer(policies, asked), /Denied/, asked.title);
});

it('without hook documents in the plan, inspect-host may read none', async () => {
  const { nightly } = EVERY_OPTION.policies;
  const template = JSON.stringify(await resourcesOf({ policies: { nightly } }));
  assert.ok(template.includes('ssm:DescribeDocument'));
  assert.ok(!template.includes('ssm:GetDocument'));
});

describe('a key of KMS', () => {
  // IAM's simulation answers for no key without the key's own policy, so what is asked for is read off the statements.
  const ofKeys = Object.keys(MAY).flatMap((name) =>
    policiesOf(roleOf(name)).flatMap(({ policy }) =>
      [(policy as { Statement: KeyStatement[] }).Statement].flat().filter(({ Action }) => /kms:/.test(String(Action))),
    ),
  );

  it('is used through EBS alone, and granted to nobody else', () => {
    assert.equal(ofKeys.length, 10);
    for (const { Action, Condition } of ofKeys) {
      const [here, ...elsewhere] = [Condition?.StringEquals?.['kms:ViaService'] ?? []].flat();
      assert.equal(here, VIA_EBS['kms:ViaService']);
      assert.ok(elsewhere.every((service) => service === `ec2.${THERE}.amazonaws.com`));
      if (Action === 'kms:CreateGrant') assert.equal(Condition?.Bool?.['kms:GrantIsForAWSResource'], 'true');
      else assert.ok(!String(Action).includes('Grant'));
    }
  });
});

interface KeyStatement {
  readonly Action: string | string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>;
}

describe('the state machine of the rescue may', () => {
  const policies = policiesOfMachine(THAW_RESCUE);
  const invoke = (resource: string): Asked => ({ title: '', action: 'lambda:InvokeFunction', resource });
  const functions = Object.values(rescue.States).flatMap(({ Resource }) =>
    Resource?.includes(':lambda:') ? [Resource] : [],
  );

  it('invoke the functions of its own states', async () => {
    assert.equal(functions.length, 2);
    for (const resource of functions) assert.equal(await answer(policies, invoke(resource)), 'Allowed');
  });
  it('not invoke any other of the stack', async () => {
    for (const { Resource } of Object.values(definition.States)) {
      if (!Resource?.includes(':lambda:') || functions.includes(Resource)) continue;
      assert.match(await answer(policies, invoke(Resource)), /Denied/);
    }
  });
  it('nothing else that the app does, or that no one may', () => refuses(policies, [...EVERYTHING, ...NEVER]));
});

describe('the event of a run that ended red may', () => {
  const rule = byType('AWS::Events::Rule').find(({ Properties }) => Properties.EventPattern);
  const policies = policiesOf(String(resolve(rule?.Properties.Targets[0].RoleArn)).split('/').at(-1) ?? '');

  it('start a rescue', async () => assert.equal(await answer(policies, startRescue), 'Allowed'));
  it('nothing else that the app does, or that no one may', () =>
    refuses(
      policies,
      [...EVERYTHING, ...NEVER].filter((each) => each !== startRescue),
    ));
});

describe('the state machine may', () => {
  const policies = policiesOfMachine(BACKUP);
  const { Bucket } = definition.States['Store receipt']?.Parameters ?? {};
  const invoke = (resource: string): Asked => ({ title: '', action: 'lambda:InvokeFunction', resource });
  const put = (key: string): Asked => ({
    title: '',
    action: 's3:PutObject',
    resource: `arn:aws:s3:::${String(Bucket).toLowerCase()}/${key}`,
  });

  it('invoke the functions of its own states', async () => {
    const functions = Object.values(definition.States).flatMap(({ Resource }) =>
      Resource?.includes(':lambda:') ? [Resource] : [],
    );
    assert.ok(functions.length > 0);
    for (const resource of functions) assert.equal(await answer(policies, invoke(resource)), 'Allowed');
  });
  it('not invoke another function', async () =>
    assert.match(await answer(policies, invoke(`arn:aws:lambda:${REGION}:${ACCOUNT}:function:other`)), /Denied/));
  it('store receipts', async () => assert.equal(await answer(policies, put('sets/i-1/run.json')), 'Allowed'));
  it('not write elsewhere in the bucket', async () =>
    assert.match(await answer(policies, put('other.json')), /Denied/));
  it('not delete receipts', async () =>
    assert.match(await answer(policies, { ...put('sets/i-1/run.json'), action: 's3:DeleteObject' }), /Denied/));
  it('nothing else that the app does, or that no one may', () => refuses(policies, [...EVERYTHING, ...NEVER]));
});

describe('a Windows instance with the policy that the stack offers may', () => {
  const [offered] = byType('AWS::IAM::ManagedPolicy').map(
    ({ Properties }) => resolve(Properties) as Record<string, unknown>,
  );
  const policies = [{ name: 'offered', policy: offered?.PolicyDocument }];
  const itself = { 'ec2:SourceInstanceARN': INSTANCE, 'ec2:InstanceId': INSTANCE.split('/')[1] as string };
  const vssTags = { ...OUR_TAGS, 'aws:RequestTag/AwsVssConfig': '2.5.1' };
  const vssSet = { ...OUR_SET, 'aws:ResourceTag/AwsVssConfig': '2.5.1' };
  const OTHER = INSTANCE.replace('0123', '9999');

  const may: readonly Asked[] = [
    { title: 'describe itself', action: 'ec2:DescribeInstanceAttribute', resource: INSTANCE, context: itself },
    { title: 'take its own volumes', action: 'ec2:CreateSnapshots', resource: INSTANCE, context: itself },
    { title: 'take volumes', action: 'ec2:CreateSnapshots', resource: VOLUME },
    {
      title: 'make snapshots of a run through VSS',
      action: 'ec2:CreateSnapshots',
      resource: NEW_SNAPSHOT,
      context: vssTags,
    },
    tagWhileCreating,
    {
      title: "put VSS's marks on them",
      action: 'ec2:CreateTags',
      resource: SNAPSHOT,
      context: { ...vssSet, 'aws:TagKeys': ['AppConsistent', 'Device'] },
    },
    look('ec2:DescribeSnapshots'),
  ];
  const mayNot: readonly Asked[] = [
    {
      title: 'take the volumes of another instance',
      action: 'ec2:CreateSnapshots',
      resource: OTHER,
      context: { ...itself, 'ec2:InstanceId': OTHER.split('/')[1] as string },
    },
    createAsOurs,
    {
      title: 'make snapshots through VSS that claim a grade',
      action: 'ec2:CreateSnapshots',
      resource: NEW_SNAPSHOT,
      context: { ...vssTags, [`aws:RequestTag/${SET_TAGS.grade}`]: 'application' },
    },
    {
      title: 'make snapshots through VSS for nobody',
      action: 'ec2:CreateSnapshots',
      resource: NEW_SNAPSHOT,
      context: { 'aws:RequestTag/AwsVssConfig': '2.5.1' },
    },
    {
      title: 'write a grade',
      action: 'ec2:CreateTags',
      resource: SNAPSHOT,
      context: { ...vssSet, 'aws:TagKeys': [SET_TAGS.grade] },
    },
    {
      title: "put VSS's marks on a set that VSS did not take",
      action: 'ec2:CreateTags',
      resource: SNAPSHOT,
      context: { ...OUR_SET, 'aws:TagKeys': ['AppConsistent'] },
    },
    { title: 'make an image', action: 'ec2:CreateImage', resource: INSTANCE, context: itself },
    deleteOurs,
    label,
    sendToTagged,
  ];

  it('by its name, which tells the Region', () =>
    assert.equal(offered?.ManagedPolicyName, `${VSS_INSTANCE_POLICY}-${REGION}`));
  for (const asked of may) {
    it(asked.title, async () => assert.equal(await answer(policies, asked), 'Allowed'));
  }
  it('nothing else that the app does, or that no one may', () => refuses(policies, [...mayNot, ...NEVER]));
});

describe('the role in an account that gets copies may', async () => {
  const [role] = (await destinationIn(VAULT, ACCOUNT)).roles;
  const policies = (role?.policies ?? []).map(({ name, document }) => ({ name, policy: document }));
  const copied = copies.filter(({ resource }) => resource.includes(THERE));
  const may = [
    ...copied,
    ...pruneCopies,
    ...['ec2:DescribeSnapshots', 'ec2:DescribeImages', 'ec2:DescribeLockedSnapshots'].map(look),
    {
      title: 'copy what the other account shares',
      action: 'ec2:CopySnapshot',
      resource: SNAPSHOT,
      context: { 'ec2:Owner': ACCOUNT },
    },
  ];
  const SOMEWHERE = ['make copies where the plan has none'];
  for (const asked of may) {
    it(asked.title, async () => assert.equal(await answer(policies, asked, VAULT), 'Allowed'));
  }
  const mayNot: readonly Asked[] = [
    {
      title: 'copy what is of this account',
      action: 'ec2:CopySnapshot',
      resource: SNAPSHOT,
      context: { 'ec2:Owner': VAULT },
    },
    {
      title: 'delete a set that this account has taken itself',
      action: 'ec2:DeleteSnapshot',
      resource: COPY_THERE,
      context: OUR_SET,
    },
    {
      title: 'delete a copy of the sets of a third account',
      action: 'ec2:DeleteSnapshot',
      resource: COPY_THERE,
      context: { [`aws:ResourceTag/${SET_TAGS.origin}`]: '333333333333/eu-central-1' },
    },
  ];
  // It serves every Region of the other account, and copies may lie in any.
  const theirOwn = NEVER.filter(({ context = {}, title }) => !SOMEWHERE.includes(title) && !isOfAccount(context));
  it('nothing else that the app does, or that no one may', () => refuses(policies, [...mayNot, ...theirOwn], VAULT));

  const taken = (principal: string) =>
    judge({
      principal,
      action: 'sts:AssumeRole',
      resource: role?.arn ?? '',
      account: VAULT,
      context: { 'aws:PrincipalArn': principal },
      policies: [
        {
          name: 'any',
          policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
        },
      ],
      resourcePolicy: role?.trust,
    });
  it('be taken on by the functions that copy and prune, and by nobody else', async () => {
    assert.equal(await taken(`arn:aws:iam::${ACCOUNT}:role/freezeframe/copies/plan`), 'Allowed');
    assert.match(await taken(`arn:aws:iam::${ACCOUNT}:role/admin`), /Denied/);
    assert.match(await taken(`arn:aws:iam::333333333333:role/freezeframe/copies/plan`), /Denied/);
  });
});

const isOfAccount = (context: Readonly<Record<string, string | string[]>>): boolean =>
  String(
    context[`aws:ResourceTag/${SET_TAGS.origin}`] ?? context[`aws:RequestTag/${SET_TAGS.origin}`] ?? '',
  ).startsWith(`${ACCOUNT}/us-east-1`);

for (const [name, steps] of [
  [PRUNE, ['list-sets', 'decide', 'delete', 'archive']],
  [COPY, ['plan-copies', 'copy-snapshots']],
] as const) {
  describe(`the state machine ${name} may`, () => {
    const policies = policiesOfMachine(name);
    const own = steps.map((each) => String(resolve(functionNamed(each).Properties.Role)));

    it('invoke the functions of its own states, and no other of the stack', async () => {
      for (const [id, { Type, Properties }] of Object.entries(resources)) {
        if (Type !== 'AWS::Lambda::Function') continue;
        const resource = String(resolve({ 'Fn::GetAtt': [id, 'Arn'] }));
        const asked = { title: '', action: 'lambda:InvokeFunction', resource };
        const expected = own.includes(String(resolve(Properties.Role))) ? /Allowed/ : /Denied/;
        assert.match(await answer(policies, asked), expected, id);
      }
    });
    it('nothing else that the app does, or that no one may', () => refuses(policies, [...EVERYTHING, ...NEVER]));
  });
}

describe('the time that starts copies may', () => {
  const rules = byType('AWS::Events::Rule').filter(({ Properties }) =>
    String(Properties.Description).startsWith('Freezeframe: copies to '),
  );
  const roles = new Set(
    rules.map(({ Properties }) => String(resolve(Properties.Targets[0].RoleArn)).split('/').at(-1)),
  );
  const [policies] = [...roles].map((role) => policiesOf(role ?? ''));

  it('is one for each destination of the plan, all with one role', () => {
    assert.deepEqual([rules.length, roles.size], [2, 1]);
  });
  it('start copies', async () =>
    assert.equal(
      await answer(policies ?? [], { title: '', action: 'states:StartExecution', resource: machine(COPY) }),
      'Allowed',
    ));
  it('nothing else that the app does, or that no one may', () => refuses(policies ?? [], [...EVERYTHING, ...NEVER]));
});

describe('the day that starts a prune may', () => {
  const rule = byType('AWS::Events::Rule').find(
    // The other daily rule calls a function, and needs no role for it.
    ({ Properties }) => Properties.ScheduleExpression === 'rate(1 day)' && Properties.Targets[0].RoleArn,
  );
  const policies = policiesOf(String(resolve(rule?.Properties.Targets[0].RoleArn)).split('/').at(-1) ?? '');

  it('start a prune', async () =>
    assert.equal(
      await answer(policies, { title: '', action: 'states:StartExecution', resource: machine(PRUNE) }),
      'Allowed',
    ));
  it('nothing else that the app does, or that no one may', () => refuses(policies, [...EVERYTHING, ...NEVER]));
});

it('no role leans on a managed policy, and no function shares its role', () => {
  const roles = byType('AWS::IAM::Role');
  assert.deepEqual(
    roles.flatMap(({ Properties }) => Properties.ManagedPolicyArns ?? []),
    [],
  );
  const used = byType('AWS::Lambda::Function').map(({ Properties }) => resolve(Properties.Role));
  assert.equal(new Set(used).size, used.length);
});

function byType(type: string): Resource[] {
  return Object.values(resources).filter(({ Type }) => Type === type);
}

function functionNamed(name: string): Resource {
  const found = byType('AWS::Lambda::Function').find(
    ({ Properties }) => Properties.Description === `Freezeframe: ${name.replaceAll('-', ' ')}`,
  );
  assert.ok(found, `no function ${name}`);
  return found;
}

function roleOf(name: string): string {
  return (
    String(resolve(functionNamed(name).Properties.Role))
      .split('/')
      .at(-1) ?? ''
  );
}

function policiesOfMachine(name: string): IdentityPolicy[] {
  const { RoleArn } = stateMachine(resources, name).Properties;
  return policiesOf(String(resolve(RoleArn)).split('/').at(-1) ?? '');
}

function policiesOf(role: string): IdentityPolicy[] {
  return byType('AWS::IAM::Policy')
    .map(({ Properties }) => resolve(Properties) as Record<string, unknown>)
    .filter(({ Roles }) => (Roles as string[]).includes(role))
    .map(({ PolicyName, PolicyDocument }) => ({ name: String(PolicyName), policy: PolicyDocument }));
}

/** Every one of these is denied. */
async function refuses(policies: IdentityPolicy[], asked: readonly Asked[], account = ACCOUNT): Promise<void> {
  const granted: string[] = [];
  for (const each of asked) if ((await answer(policies, each, account)) === 'Allowed') granted.push(each.title);
  assert.ok(asked.length > 0);
  assert.deepEqual(granted, []);
}

const answer = (policies: IdentityPolicy[], { action, resource, context = {} }: Asked, account = ACCOUNT) =>
  judge({ principal: `arn:aws:iam::${account}:role/step`, action, resource, account, context, policies });
