/** Whether an alarm gets through to somebody: the policies on its way, judged as AWS would. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTemplate } from '../../lab/aws/template.ts';
import { EVERY_OPTION } from '../support/every-option.ts';
import { judge } from '../support/iam.ts';
import { resourcesOf } from '../support/synth.ts';

const resources = await resourcesOf(EVERY_OPTION);
const stack = readTemplate({ Resources: resources });
const idsOf = (type: string) => Object.keys(resources).filter((id) => resources[id]?.Type === type);
const alarms = idsOf('AWS::CloudWatch::Alarm').map((id) => stack.properties(id));

describe('an alarm', () => {
  it('that has somebody to notify goes to a topic of theirs', () => {
    const mails = idsOf('AWS::SNS::Subscription').map((id) => stack.properties(id));
    const topics = mails.filter(({ Endpoint }) => Endpoint === EVERY_OPTION.notify).map(({ TopicArn }) => TopicArn);
    assert.ok(alarms.length > 0);
    for (const { AlarmName, AlarmActions } of alarms) assert.deepEqual(AlarmActions, topics, String(AlarmName));
  });

  for (const { AlarmName, AlarmActions } of alarms) {
    const [topic] = AlarmActions as [string];
    const published = (name: string, secure = true) =>
      judged('cloudwatch.amazonaws.com', 'sns:Publish', topic, policyOf('AWS::SNS::TopicPolicy', 'Topics', topic), {
        'aws:SourceArn': `arn:aws:cloudwatch:${stack.region}:${stack.account}:alarm:${name}`,
        'aws:SecureTransport': String(secure),
      });

    it(`${AlarmName} may publish there, encrypted on the way`, async () => {
      assert.equal(await published(String(AlarmName)), 'Allowed');
      assert.match(await published(String(AlarmName), false), /Denied/);
    });

    it(`${AlarmName} is told there of Freezeframe only`, async () => assert.match(await published('Other'), /Denied/));
  }
});

describe('an event that could not be delivered', () => {
  for (const id of idsOf('AWS::Events::Rule')) {
    const rule = stack.rules.find(({ name }) => name.endsWith(id));
    it(`may be left in the dead letter queue by the rule ${rule?.name}`, async () => {
      assert.ok(rule && rule.targets.length > 0);
      for (const { deadLetterArn = '' } of rule.targets) {
        const policy = policyOf('AWS::SQS::QueuePolicy', 'Queues', queueUrl(deadLetterArn));
        const left = (source: string) =>
          judged('events.amazonaws.com', 'sqs:SendMessage', deadLetterArn, policy, {
            'aws:SourceArn': source,
            'aws:SecureTransport': 'true',
          });
        assert.equal(await left(`arn:aws:events:${stack.region}:${stack.account}:rule/${rule.name}`), 'Allowed');
        assert.match(await left(`arn:aws:events:${stack.region}:${stack.account}:rule/other`), /Denied/);
      }
    });
  }
});

/** A reference to a queue is its URL. */
const queueUrl = (arn: string): string =>
  String(stack.resolve({ Ref: idsOf('AWS::SQS::Queue').find((id) => arn.endsWith(`-${id}`)) }));

function policyOf(type: string, property: string, resource: string): unknown {
  const found = idsOf(type)
    .map((id) => stack.properties(id))
    .filter((policy) => (policy[property] as string[]).includes(resource));
  assert.equal(found.length, 1, `${resource} has one policy`);
  return found[0]?.PolicyDocument;
}

/** What a service is answered that has nothing but the resource's own policy. */
const judged = (
  principal: string,
  action: string,
  resource: string,
  resourcePolicy: unknown,
  context: Record<string, string>,
) => judge({ principal, action, resource, account: stack.account, context, resourcePolicy });
