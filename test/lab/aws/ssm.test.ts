import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CancelCommandCommand,
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  InvalidInstanceId,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm';
import type { CommandDocument } from '../../../lab/aws/ssm-documents.ts';
import type { WorldOptions } from '../../../lab/aws/world.ts';
import { HeldAgent, INSTANCE, instance, lab, refusal } from './setup.ts';

const DOCUMENT: CommandDocument = {
  schemaVersion: '2.2',
  description: 'freezes',
  parameters: {
    Run: { type: 'String', allowedPattern: '^[A-Za-z0-9_-]{1,80}$' },
    Mode: { type: 'String', default: 'auto', allowedValues: ['auto', 'crash'] },
    Note: { type: 'String', default: '', maxChars: 5 },
  },
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: 'Freeze',
      inputs: {
        timeoutSeconds: '20',
        runCommand: ['#!/bin/bash', "run='{{ Run }}' mode='{{Mode}}'", 'echo "$run {{ x }}"'],
      },
    },
  ],
};

async function managed(options: Partial<WorldOptions> = {}) {
  const on = await lab(options);
  const agent = new HeldAgent();
  on.world.ec2.addInstance(instance({ agent }));
  on.world.ssm.documents.put('Freezeframe-Freeze', DOCUMENT);
  return Object.assign(on, {
    agent,
    send: async (more: Partial<SendCommandCommandInput> = {}) => {
      const command = new SendCommandCommand({
        DocumentName: 'Freezeframe-Freeze',
        InstanceIds: [INSTANCE],
        Parameters: { Run: ['run-1'] },
        ...more,
      });
      return (await on.ssm.send(command)).Command?.CommandId ?? '';
    },
    get: (CommandId: string) => on.ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId: INSTANCE })),
  });
}

test('a pattern that the agent could not compile is refused, and one at its limit is not', async () => {
  await using on = await managed();
  const put = (allowedPattern: string) =>
    on.world.ssm.documents.put('Of-Pattern', { ...DOCUMENT, parameters: { Run: { type: 'String', allowedPattern } } });
  put('^[a-z]{4,1000}$');
  for (const pattern of ['^[a-z]{4,1001}$', '^[a-z]{1001,}$', '^(?!x)a$']) {
    assert.throws(() => put(pattern), { name: 'InvalidDocumentContent', message: /'Run' is not RE2/ });
  }
});

test('a command goes from Pending through InProgress to its result, with −1 and no output until the end', async () => {
  await using on = await managed({ latency: { commandStartMs: 1_000, commandResultMs: 500 } });
  const id = await on.send();
  assert.deepEqual(await seen(on, id), ['Pending', -1, '']);
  await on.clock.advance(1_000);
  assert.deepEqual(await seen(on, id), ['InProgress', -1, '']);
  on.agent.steps[0]?.end({ stdout: '{"ok":true}' });
  await on.clock.advance(499);
  assert.deepEqual(await seen(on, id), ['InProgress', -1, '']);
  await on.clock.advance(1);
  assert.deepEqual(await seen(on, id), ['Success', 0, '{"ok":true}']);
});

test('right after SendCommand the invocation does not exist', async () => {
  await using on = await managed({ latency: { invocationVisibleMs: 700 } });
  const id = await on.send();
  assert.equal(await refusal(on.get(id)), 'InvocationDoesNotExist');
  await on.clock.advance(700);
  assert.equal(await refusal(on.get(id)), 'no error');
});

test('the agent gets the script with its parameters pasted in as text, once; undeclared names stay', async () => {
  await using on = await managed();
  on.world.ssm.documents.put('Freezeframe-Freeze', { ...DOCUMENT, parameters: { Run: { type: 'String' } } });
  await on.send({ Parameters: { Run: ['a$$b {{ Run }}'] } });
  await on.clock.advance(0);
  const step = on.agent.steps[0]?.step;
  assert.equal(step?.script, "#!/bin/bash\nrun='a$b {{ Run }}' mode='{{Mode}}'\necho \"$run {{ x }}\"");
  assert.equal(step?.timeoutSeconds, 20);
});

test('parameters are held against the document', async () => {
  await using on = await managed();
  const refused = (Parameters: Record<string, string[]>) => refusal(on.send({ Parameters }));
  assert.equal(await refused({}), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r'], Colour: ['red'] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ["r'; id; '"] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r\n'] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r', 's'] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r'], Mode: ['other'] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r'], Note: ['123456'] }), 'InvalidParameters');
  assert.equal(await refused({ Run: ['r'], Mode: ['crash'], Note: ['12345'] }), 'no error');
});

test('requests beyond the limits of the API are refused', async () => {
  await using on = await managed();
  assert.equal(await refusal(on.send({ TimeoutSeconds: 29 })), 'ValidationException');
  assert.equal(
    await refusal(on.send({ InstanceIds: Array.from({ length: 51 }, (_, n) => `i-${n}`) })),
    'ValidationException',
  );
  assert.equal(await refusal(on.send({ Comment: 'x'.repeat(101) })), 'ValidationException');
  assert.equal(await refusal(on.send({ InstanceIds: [INSTANCE, INSTANCE] })), 'DuplicateInstanceId');
  on.world.ssm.documents.put('Freezeframe-Freeze', { ...DOCUMENT, parameters: { Run: { type: 'String' } } });
  assert.equal(await refusal(on.send({ Parameters: { Run: ['x'.repeat(65_536)] } })), 'MaxDocumentSizeExceeded');
});

test('an instance that is unknown, unmanaged or stopped is not in a valid state', async () => {
  await using on = await managed();
  const to = (id: string) => on.send({ InstanceIds: [id] }).catch((error: Error) => error);
  assert.ok((await to('i-0000000000000000f')) instanceof InvalidInstanceId);
  on.world.ec2.addInstance({ id: 'i-0000000000000000c', volumes: [] });
  assert.ok((await to('i-0000000000000000c')) instanceof InvalidInstanceId);
  on.world.ec2.addInstance({ id: 'i-0000000000000000d', state: 'stopped', agent: new HeldAgent(), volumes: [] });
  assert.ok((await to('i-0000000000000000d')) instanceof InvalidInstanceId);
});

test('a document is pinned by version and hash', async () => {
  await using on = await managed();
  const { Document } = await on.ssm.send(new DescribeDocumentCommand({ Name: 'Freezeframe-Freeze' }));
  on.world.ssm.documents.put('Freezeframe-Freeze', { ...DOCUMENT, description: 'newer' });
  const newer = await on.ssm.send(
    new DescribeDocumentCommand({ Name: 'Freezeframe-Freeze', DocumentVersion: '$LATEST' }),
  );
  assert.deepEqual([Document?.DocumentVersion, newer.Document?.DocumentVersion], ['1', '2']);
  const { Content } = await on.ssm.send(new GetDocumentCommand({ Name: 'Freezeframe-Freeze', DocumentVersion: '1' }));
  assert.deepEqual(JSON.parse(Content ?? ''), DOCUMENT);
  const pin = { DocumentHash: Document?.Hash, DocumentHashType: 'Sha256' as const };
  assert.equal(await refusal(on.send({ ...pin, DocumentVersion: '1' })), 'no error');
  assert.equal(await refusal(on.send({ ...pin, DocumentVersion: '2' })), 'InvalidDocument');
  assert.equal(await refusal(on.send({ DocumentVersion: '9' })), 'InvalidDocumentVersion');
  assert.equal(await refusal(on.send({ DocumentName: 'Freezeframe-Other' })), 'InvalidDocument');
});

test('a failed step brings its code, and 24,000 and 8,000 characters of its output', async () => {
  await using on = await managed();
  const id = await on.send();
  await on.clock.advance(0);
  on.agent.steps[0]?.end({ status: 'Failed', code: 12, stdout: 'o'.repeat(30_000), stderr: 'e'.repeat(30_000) });
  await on.clock.advance(0);
  const answer = await on.get(id);
  assert.deepEqual([answer.Status, answer.ResponseCode], ['Failed', 12]);
  assert.equal(answer.StandardOutputContent?.length, 24_000);
  assert.equal(answer.StandardErrorContent?.length, 8_000);
});

test('a reply that is too big for the agent is never sent', async () => {
  await using on = await managed();
  const id = await on.send();
  await on.clock.advance(0);
  on.agent.steps[0]?.end({ stdout: '<'.repeat(24_000) });
  await on.clock.advance(60_000);
  assert.deepEqual(await seen(on, id), ['InProgress', -1, '']);
});

test('a command waits for an agent that is offline, and is not run when it comes back too late', async () => {
  await using on = await managed();
  on.agent.online = false;
  const early = await on.send({ TimeoutSeconds: 600 });
  const late = await on.send({ TimeoutSeconds: 30 });
  await on.clock.advance(30_000);
  on.agent.online = true;
  await on.clock.advance(1_000);
  assert.equal((await on.get(early)).Status, 'InProgress');
  assert.equal((await on.get(late)).Status, 'Pending');
  // Said only after the delivery's 30 s and the step's 20 s.
  await on.clock.advance(20_000);
  const answer = await on.get(late);
  assert.deepEqual([answer.Status, answer.StatusDetails, answer.ResponseCode], ['TimedOut', 'DeliveryTimedOut', -1]);
  assert.equal(on.agent.steps.length, 1);
});

test('an agent runs five commands at once; the sixth waits for a free slot', async () => {
  await using on = await managed();
  for (let n = 0; n < 6; n += 1) await on.send();
  await on.clock.advance(0);
  assert.equal(on.agent.steps.length, 5);
  on.agent.steps[0]?.end({});
  await on.clock.advance(0);
  assert.equal(on.agent.steps.length, 6);
});

test('cancelling kills a step that runs; one that was not delivered is never run', async () => {
  await using on = await managed();
  const running = await on.send();
  await on.clock.advance(0);
  on.agent.online = false;
  const waiting = await on.send();
  await on.ssm.send(new CancelCommandCommand({ CommandId: running }));
  await on.ssm.send(new CancelCommandCommand({ CommandId: waiting }));
  on.agent.online = true;
  await on.clock.advance(1_000);
  assert.deepEqual(await seen(on, running), ['Cancelled', 137, '']);
  assert.deepEqual(await seen(on, waiting), ['Cancelled', -1, '']);
  assert.equal(on.agent.steps.length, 1);
});

test('invocations are listed by command and by instance', async () => {
  await using on = await managed();
  const id = await on.send();
  await on.send();
  const of = async (input: object) =>
    (await on.ssm.send(new ListCommandInvocationsCommand(input))).CommandInvocations?.length;
  assert.equal(await of({ CommandId: id, Details: true }), 1);
  assert.equal(await of({ InstanceId: INSTANCE }), 2);
});

test('instance information tells who is managed, with agent version and ping status', async () => {
  await using on = await managed();
  const describe = async () => {
    const command = new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [INSTANCE] }] });
    const [found] = (await on.ssm.send(command)).InstanceInformationList ?? [];
    return [found?.PingStatus, found?.AgentVersion];
  };
  assert.deepEqual(await describe(), ['Online', '3.3.2746.0']);
  on.agent.online = false;
  assert.deepEqual(await describe(), ['ConnectionLost', '3.3.2746.0']);
});

test('over its rate, Run Command answers ThrottlingException', async () => {
  await using on = await managed({ limits: { rates: { 'ssm:SendCommand': { burst: 1, perSecond: 1 } } } });
  await on.send();
  assert.equal(await refusal(on.send()), 'ThrottlingException');
  await on.clock.advance(1_000);
  assert.equal(await refusal(on.send()), 'no error');
});

const seen = async (on: Awaited<ReturnType<typeof managed>>, id: string) => {
  const { Status, ResponseCode, StandardOutputContent } = await on.get(id);
  return [Status, ResponseCode, StandardOutputContent];
};
