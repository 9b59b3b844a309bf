/** What a plan with a drill makes: where its instances are, what reaches them, what they may, and who may launch them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTemplate } from '../../lab/aws/template.ts';
import { DRILL_TAG, SCRATCH_POLICY, USER_TAGS } from '../../lambdas/shared/names.ts';
import { EVERY_OPTION } from '../support/every-option.ts';
import { judge } from '../support/iam.ts';
import { resourcesOf, synth } from '../support/synth.ts';

const resources = await resourcesOf(EVERY_OPTION);
const stack = readTemplate({ Resources: resources });
const byType = (type: string, of = resources) => Object.entries(of).filter(([, { Type }]) => Type === type);
const { drill } = EVERY_OPTION.policies.drilled;

describe('the security group of scratch instances', () => {
  const [[, group] = []] = byType('AWS::EC2::SecurityGroup');

  it('lets nothing in, and HTTPS out, in the VPC of the plan', () => {
    const { VpcId, SecurityGroupIngress, SecurityGroupEgress } = group?.Properties ?? {};
    assert.equal(VpcId, drill.vpcId);
    assert.equal(SecurityGroupIngress, undefined);
    assert.deepEqual(
      SecurityGroupEgress.map(({ IpProtocol, FromPort, ToPort }: Record<string, unknown>) => [
        IpProtocol,
        FromPort,
        ToPort,
      ]),
      [['tcp', 443, 443]],
    );
    assert.deepEqual(byType('AWS::EC2::SecurityGroupIngress'), []);
  });

  it('is not made for a plan that drills nothing, nor is a role', async () => {
    const plain = (await synth()).resources;
    assert.deepEqual(byType('AWS::EC2::SecurityGroup', plain), []);
    assert.deepEqual(byType('AWS::IAM::InstanceProfile', plain), []);
  });
});

it('a drill is scheduled for each policy that has one, in its time zone, and for no other', () => {
  const drills = stack.schedules.filter(({ name }) => name.startsWith('Freezeframe-drill-'));
  assert.deepEqual(
    drills.map(({ name, expression, target }) => [name, expression, target.input]),
    [['Freezeframe-drill-drilled', drill.schedule, '{"policy":"drilled"}']],
  );
});

/** Name of a role of the template by a part of its logical id. */
const policiesOf = (part: string) => {
  const role = stack.roles.find(({ name }) => name.includes(part));
  assert.ok(role, part);
  return role.policies.map(({ name, document }) => ({ name, policy: document }));
};

async function isAllowed(
  part: string,
  action: string,
  resource: string,
  context: Record<string, string | string[]> = {},
): Promise<boolean> {
  const { account } = stack;
  const principal = `arn:aws:iam::${account}:role/asked`;
  return (await judge({ principal, action, resource, account, context, policies: policiesOf(part) })) === 'Allowed';
}

describe('Launch scratch may', () => {
  const place = `arn:aws:ec2:${stack.region}:${stack.account}`;
  const profile = String(stack.resolve({ 'Fn::GetAtt': [byType('AWS::IAM::InstanceProfile')[0]?.[0] ?? '', 'Arn'] }));
  const launch = (resource: string, context: Record<string, string> = {}) =>
    isAllowed('LaunchScratchRole', 'ec2:RunInstances', resource, context);
  const asPlanned = {
    [`aws:RequestTag/${DRILL_TAG}`]: 'drill-1',
    [`aws:RequestTag/${USER_TAGS.policy}`]: SCRATCH_POLICY,
    'ec2:InstanceType': 'm7i.large',
    'ec2:MetadataHttpTokens': 'required',
    'ec2:InstanceProfile': profile,
  };

  it('launch an instance as the plan has it, where the plan has it', async () => {
    assert.ok(await launch(`${place}:instance/*`, asPlanned));
    assert.ok(await launch(`${place}:subnet/${drill.subnetId}`));
    assert.ok(await launch(`arn:aws:ec2:${stack.region}::image/${drill.imageId}`));
    for (const kind of ['volume', 'network-interface']) assert.ok(await launch(`${place}:${kind}/*`), kind);
  });

  it('launch no other: untagged, in a policy of the plan, of another type, with another role, or in another place', async () => {
    for (const [key, value] of [
      [`aws:RequestTag/${DRILL_TAG}`, undefined],
      [`aws:RequestTag/${USER_TAGS.policy}`, 'nightly'],
      ['ec2:InstanceType', 'p5.48xlarge'],
      ['ec2:MetadataHttpTokens', 'optional'],
      ['ec2:InstanceProfile', profile.replace(/[^/]*$/, 'admin')],
    ] as const) {
      const { [key]: _, ...others } = asPlanned;
      const asked = value === undefined ? others : { ...others, [key]: value };
      assert.equal(await launch(`${place}:instance/*`, asked), false, `${key} ${value}`);
    }
    assert.equal(await launch(`${place}:subnet/subnet-0ffffffffffffffff`), false);
    assert.equal(await launch(`${place}:security-group/sg-0ffffffffffffffff`), false);
    assert.equal(await launch(`arn:aws:ec2:${stack.region}::image/ami-0ffffffffffffffff`), false);
  });

  it('hand the scratch’s role to EC2, and no other role to anybody', async () => {
    const pass = (role: string, to: string) =>
      isAllowed('LaunchScratchRole', 'iam:PassRole', role, { 'iam:PassedToService': to });
    const own = stack.roles.find(({ name }) => name.includes('DrillNetworkRole'))?.arn ?? '';
    assert.ok(await pass(own, 'ec2.amazonaws.com'));
    assert.equal(await pass(own, 'lambda.amazonaws.com'), false);
    assert.equal(await pass(`arn:aws:iam::${stack.account}:role/admin`, 'ec2.amazonaws.com'), false);
  });

  it('tag in the launch alone, and terminate nothing', async () => {
    const tag = (context: Record<string, string>) =>
      isAllowed('LaunchScratchRole', 'ec2:CreateTags', `${place}:instance/i-1`, context);
    assert.ok(await tag({ 'ec2:CreateAction': 'RunInstances' }));
    assert.equal(await tag({}), false);
    const ours = { [`aws:ResourceTag/${DRILL_TAG}`]: 'drill-1' };
    assert.equal(await isAllowed('LaunchScratchRole', 'ec2:TerminateInstances', `${place}:instance/i-1`, ours), false);
  });
});

describe('a scratch instance may', () => {
  it('be an agent of Systems Manager, and read no parameter, no document and no bucket', async () => {
    for (const action of ['ssm:UpdateInstanceInformation', 'ssmmessages:OpenDataChannel', 'ec2messages:GetMessages']) {
      assert.ok(await isAllowed('DrillNetworkRole', action, '*'), action);
    }
    for (const [action, resource] of [
      ['ssm:GetParameter', `arn:aws:ssm:${stack.region}:${stack.account}:parameter/secret`],
      ['ssm:SendCommand', `arn:aws:ec2:${stack.region}:${stack.account}:instance/i-0123456789abcdef0`],
      ['s3:GetObject', 'arn:aws:s3:::any/object'],
      ['ec2:DescribeInstances', '*'],
    ] as const) {
      assert.equal(await isAllowed('DrillNetworkRole', action, resource), false, action);
    }
  });
});
