import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches } from '../../../lab/aws/event-pattern.ts';
import { readTemplate } from '../../../lab/aws/template.ts';

/** `${…}` of Fn::Sub, which a linter takes for a forgotten template string. */
const sub = (text: string) => ({ 'Fn::Sub': text.replaceAll('<', '$' + '{').replaceAll('>', '}') });

test('every intrinsic function is worked out, and a resource has one name wherever it is referred to', () => {
  const stack = readTemplate(
    {
      Parameters: { Stage: { Default: 'prod' } },
      Conditions: {
        IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
        IsTest: { 'Fn::Not': [{ Condition: 'IsProd' }] },
      },
      Mappings: { Sizes: { big: { memory: 512 } } },
      Resources: {
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: { Policies: [{ PolicyName: 'inline', PolicyDocument: { Statement: [] } }] },
        },
        RolePolicy: {
          Type: 'AWS::IAM::Policy',
          Properties: {
            PolicyName: 'own',
            Roles: [{ Ref: 'Role' }],
            PolicyDocument: { Statement: [{ Resource: { 'Fn::GetAtt': ['Work', 'Arn'] } }] },
          },
        },
        Work: {
          Type: 'AWS::Lambda::Function',
          Properties: { Handler: 'index.handler', Role: { 'Fn::GetAtt': ['Role', 'Arn'] }, Timeout: 7 },
        },
        Never: { Type: 'AWS::S3::Bucket', Condition: 'IsTest' },
      },
      Outputs: {},
    },
    { stackName: 'My' },
  );
  assert.deepEqual(
    [
      { Ref: 'Work' },
      { 'Fn::GetAtt': 'Work.Arn' },
      sub('<Stage>:<Work>:<Work.Arn>'),
      { 'Fn::Select': [1, { 'Fn::Split': [',', 'a,b'] }] },
      { 'Fn::If': ['IsProd', 'yes', 'no'] },
      { 'Fn::FindInMap': ['Sizes', 'big', 'memory'] },
      { a: { Ref: 'AWS::NoValue' }, b: { 'Fn::Join': ['-', ['x', { Ref: 'AWS::AccountId' }]] } },
    ].map((value) => stack.resolve(value)),
    [
      'My-Work',
      'arn:aws:lambda:eu-central-1:111122223333:function:My-Work',
      'prod:My-Work:arn:aws:lambda:eu-central-1:111122223333:function:My-Work',
      'b',
      'yes',
      512,
      { b: 'x-111122223333' },
    ],
  );
  assert.deepEqual(
    stack.roles.map(({ arn, policies }) => [arn, policies.map(({ name }) => name)]),
    [['arn:aws:iam::111122223333:role/My-Role', ['inline', 'own']]],
  );
  assert.deepEqual([stack.functions[0]?.timeoutSeconds, stack.functions[0]?.role], [7, stack.roles[0]?.arn]);
  assert.deepEqual(stack.buckets, []);
  assert.throws(() => stack.resolve({ Ref: 'Nobody' }), /no resource or parameter Nobody/);
});

test('an event fits a pattern by every field and any value', () => {
  const event = { source: 'aws.states', detail: { status: 'ABORTED', name: 'run-1' } };
  assert.ok(matches({ source: ['aws.states'], detail: { status: ['FAILED', 'ABORTED'] } }, event));
  assert.ok(!matches({ detail: { status: ['FAILED'] } }, event));
  assert.ok(matches({ detail: { name: [{ prefix: 'run-' }], error: [{ exists: false }] } }, event));
  assert.ok(matches({ $or: [{ source: ['x'] }, { detail: { status: [{ 'anything-but': 'SUCCEEDED' }] } }] }, event));
});
