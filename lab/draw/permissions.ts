/** The table of every permission that the stack gives, for docs/security.md: from its template, with the reason of each. */
import type { RoleResource, Stack } from '../aws/template.ts';
import { between } from '../marks.ts';

/** Why it is needed. What the template allows and this does not explain stops the drawing. */
const WHY: Readonly<Record<string, string>> = {
  'ec2:AttachVolume': 'gives a restored volume to an instance',
  'ec2:CopySnapshot': 'keeps the places of the plan supplied with copies of our sets',
  'ec2:CreateSnapshots': 'takes the set; it must bear a run and claim no grade',
  'ec2:CreateTags': 'tags what it makes as it makes it; puts our marks on what is ours',
  'ec2:CreateVolume': 'makes volumes of our snapshots, under the tag of a restore',
  'ec2:DeleteSnapshot': 'lets go of sets of ours; deletes nothing of others',
  'ec2:DeleteTags': 'takes our marks off again: in use, put aside',
  'ec2:DeleteVolume': 'takes away what a restore has made',
  'ec2:DetachVolume': 'takes away what a restore has made',
  'ec2:DescribeImages': 'a snapshot that is part of an AMI is not deleted',
  'ec2:DescribeInstances': 'reads; IAM knows no narrower resource',
  'ec2:DescribeLockedSnapshots': 'reads; IAM knows no narrower resource',
  'ec2:DescribeSnapshots': 'reads; IAM knows no narrower resource',
  'ec2:DescribeSnapshotTierStatus': 'reads; IAM knows no narrower resource',
  'ec2:DescribeVolumes': 'reads; IAM knows no narrower resource',
  'ec2:LockSnapshot': 'locks the sets of a policy that wants it; unlocks nothing',
  'ec2:ModifySnapshotAttribute': 'shares what is to be copied with the accounts of the plan, never with everybody',
  'ec2:ModifySnapshotTier': 'moves sets of ours to the archive and back, where their policy says so',
  'events:PutEvents': 'tells what came of a firing',
  'events:DescribeRule': 'Step Functions’ own rule, by which one execution waits for another',
  'events:PutRule': 'Step Functions’ own rule, by which one execution waits for another',
  'events:PutTargets': 'Step Functions’ own rule, by which one execution waits for another',
  'kms:CreateGrant': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'kms:Decrypt': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'kms:DescribeKey': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'kms:GenerateDataKeyWithoutPlaintext': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'kms:ReEncryptFrom': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'kms:ReEncryptTo': 'EC2 uses the key of an encrypted volume, and nobody else through this',
  'lambda:InvokeFunction': 'calls the functions of its own states',
  's3:AbortMultipartUpload': 'lists and results of a firing',
  's3:GetObject': 'reads lists and results of a firing, or the receipt of the set to restore',
  's3:ListBucket': 'tells an object that is not there from one that may not be read',
  's3:ListMultipartUploadParts': 'lists and results of a firing',
  's3:PutObject': 'stores receipts, lists and results; only the workflow itself writes receipts',
  'sns:Publish': 'mails what came of a firing',
  'sqs:GetQueueAttributes': 'leaves there what could not be delivered',
  'sqs:GetQueueUrl': 'leaves there what could not be delivered',
  'sqs:SendMessage': 'leaves there what could not be delivered',
  'ssm:DescribeDocument': 'pins version and hash of the documents of a run',
  'ssm:DescribeInstanceInformation': 'reads; IAM knows no narrower resource',
  'ssm:GetCommandInvocation': 'reads answers; IAM knows no narrower resource, so no secret is ever in one of ours',
  'ssm:GetDocument': 'reads the documents of the user’s own that the plan names: one may be carried as a hook',
  'ssm:ListCommandInvocations': 'reads answers; AWS’s documents for VSS have several steps',
  'ssm:SendCommand': 'runs its own documents only, and only on instances that bear the policy tag: the owner’s consent',
  'states:DescribeExecution': 'waits for what it started',
  'states:GetExecutionHistory': 'looks whether a run owes a thaw',
  'states:ListExecutions': 'looks for runs that owe a thaw',
  'states:RedriveExecution': 'a Distributed Map’s own children',
  'states:StartExecution': 'starts the workflow that is named',
  'states:StopExecution': 'stops what it started, when it is stopped itself',
  'sts:AssumeRole': 'is, in another account, the role that it has for copies',
  'ec2:DeregisterImage': 'takes away the image that a drill has made',
  'ec2:RegisterImage': 'makes an image of our set for an instance that a drill launches',
  'ec2:RunInstances': 'launches the instance of a drill or restore, as the plan has it',
  'ec2:TerminateInstances': 'takes away the instance that it has launched',
  'ec2:DescribeLaunchTemplateVersions': 'reads; IAM knows no narrower resource',
  'iam:PassRole': 'gives the launched instance the role that is named, and EC2 alone may have it',
  'ssm:UpdateInstanceInformation': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:AcknowledgeMessage': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:DeleteMessage': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:FailMessage': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:GetEndpoint': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:GetMessages': 'what the SSM agent of an instance that a drill has launched does',
  'ec2messages:SendReply': 'what the SSM agent of an instance that a drill has launched does',
  'ssmmessages:CreateControlChannel': 'what the SSM agent of an instance that a drill has launched does',
  'ssmmessages:CreateDataChannel': 'what the SSM agent of an instance that a drill has launched does',
  'ssmmessages:OpenControlChannel': 'what the SSM agent of an instance that a drill has launched does',
  'ssmmessages:OpenDataChannel': 'what the SSM agent of an instance that a drill has launched does',
};

/** Of every role alike: its own log, and traces. */
const OF_ALL = /^(logs|xray):/;

export function withPermissions(page: string, stack: Stack): string {
  return between(page, { from: 'npm run draw', to: 'end of the permissions' }, tableOf(stack));
}

function tableOf(stack: Stack): string {
  const rows = new Map<string, { who: Set<string>; action: string; on: string; when: string }>();
  for (const role of stack.roles) {
    for (const { action, on, when } of allowed(role)) {
      const key = JSON.stringify([action, on, when]);
      const row = rows.get(key) ?? { who: new Set(), action, on, when };
      row.who.add(nameOf(role, stack));
      rows.set(key, row);
    }
  }
  // What the same may do to the same, for the same reason, is one row.
  const lines = Map.groupBy(rows.values(), ({ who, action, on, when }) =>
    [[...who].sort().join(', '), on, when, whyOf(action)].join(' | '),
  );
  const cells = [...lines].map(
    ([rest, of]) =>
      `| ${of
        .map(({ action }) => `\`${action}\``)
        .sort()
        .join(', ')} | ${rest} |`,
  );
  return ['| Action | Who | On | Only if | Why |', '|---|---|---|---|---|', ...cells.sort()].join('\n');
}

function whyOf(action: string): string {
  const why = WHY[action];
  if (!why) throw new Error(`${action} is allowed, and lab/draw/permissions.ts says no reason`);
  return why;
}

function allowed({ policies }: RoleResource): { action: string; on: string; when: string }[] {
  return policies.flatMap(({ document }) =>
    [document.Statement].flat().flatMap((statement) => {
      const { Action, Resource, Condition = {} } = statement as unknown as Statement;
      const on = [...new Set([Resource].flat().map(short))].sort().join(', ');
      const when = Object.entries(Condition)
        .flatMap(([test, keys]) => Object.entries(keys).map(([key, value]) => conditionOf(test, key, value)))
        .join('; ');
      // The CDK writes some of S3's in another case.
      const actions = [Action]
        .flat()
        .map((each) => each.replace(/^s3:(.)/, (_, letter) => `s3:${letter.toUpperCase()}`));
      return actions.filter((each) => !OF_ALL.test(each)).map((action) => ({ action, on, when }));
    }),
  );
}

interface Statement {
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

/** Without partition, account and Region, and without what CloudFormation makes of names. */
function short(arn: string): string {
  if (arn === '*') return 'all';
  const [, , service, , , ...rest] = arn.split(':');
  const resource = rest
    .join(':')
    .replace(/^(.*?)Freezeframe-Freezeframe(\w+?)(Function|Topic|DeadLetters)?[0-9A-F]{8}(.*)$/, '$1$2$4')
    .replace(/^freezeframe-freezeframereceiptsbucket\w+/, 'receipts')
    .replace(/^function:(.*)/, 'its functions');
  return resource === 'its functions' ? resource : `${service} \`${resource}\``;
}

function conditionOf(test: string, key: string, value: string | string[]): string {
  const values = [value].flat();
  if (test === 'Null') return `\`${key}\` is ${String(value) === 'true' ? 'not ' : ''}there`;
  // One word for the tags that say which snapshot is of which device.
  const words = values.filter((each) => !/:devices-\d+$/.test(each)).map((each) => `\`${each}\``);
  const what =
    test === 'StringLike' && value === '*'
      ? 'is there'
      : `is ${test.startsWith('ForAllValues') ? 'only ' : ''}${words.join(', ')}${test.endsWith('IfExists') ? ', where there is one' : ''}`;
  return `\`${key}\` ${what}`;
}

/** A function by its folder, a workflow by its name, the rest by whose role it is. */
function nameOf({ arn, trust }: RoleResource, { functions, stateMachines }: Stack): string {
  const lambda = functions.find(({ role }) => role === arn);
  if (lambda)
    return `\`${lambda.name
      .replace(/^.*?Freezeframe-Freezeframe(?:\w*?Steps|Rescue|Drill)(\w+?)Function[0-9A-F]{8}$/, '$1')
      .replace(/\B([A-Z])/g, '-$1')
      .toLowerCase()}\``;
  const machine = stateMachines.find(({ roleArn }) => roleArn === arn);
  if (machine) return machine.name;
  const service = JSON.stringify(trust);
  if (service.includes('"ec2.')) return 'scratch instances of drills';
  return service.includes('scheduler') ? 'EventBridge Scheduler' : 'EventBridge';
}
