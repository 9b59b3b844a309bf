import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import type { Definition, StateDefinition } from '../../../lab/aws/template.ts';
import { work, workflows } from './workflow-setup.ts';

const machine = (...states: [string, StateDefinition][]): Definition => ({
  StartAt: states[0]?.[0] ?? '',
  States: Object.fromEntries(states),
});
const done: [string, StateDefinition] = ['Complete', { Type: 'Succeed' }];
const caught = (next: string) => ({ Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: next }] });
/** The flow in small: what is frozen is thawed, and the first error ends the run. */
const backup = (freeze: object, thaw: object = {}) =>
  machine(
    ['Freeze', work(freeze, { Next: 'Thaw', ResultPath: '$.frozen', TimeoutSeconds: 20, ...caught('Thaw') })],
    [
      'Thaw',
      work(thaw, {
        Next: 'Failed?',
        ResultPath: '$.thawed',
        Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 2 }],
      }),
    ],
    [
      'Failed?',
      { Type: 'Choice', Choices: [{ Variable: '$.error', IsPresent: true, Next: 'Failed' }], Default: 'Complete' },
    ],
    ['Failed', { Type: 'Fail', ErrorPath: '$.error.Error', CausePath: "States.Format('freeze: {}', $.error.Cause)" }],
    done,
  );

test('an error of a function is caught by its name and cause, and ends the run as its own', async () => {
  await using on = await workflows({ Backup: backup({ fail: 'LockTimeout' }) });
  const run = await on.stepFunctions.run('Backup', { instanceId: 'i-1' }, 'run-1');
  assert.deepEqual([run.status, run.error], ['FAILED', 'LockTimeout']);
  assert.match(run.cause ?? '', /^freeze: \{"errorType":"LockTimeout"/);
  assert.deepEqual(run.path, ['Freeze', 'Thaw', 'Failed?', 'Failed']);
  assert.equal(run.arn, 'arn:aws:states:eu-central-1:111122223333:execution:Backup:run-1');
});

test('a retry waits its scaled interval and then goes on', async () => {
  await using on = await workflows({ Backup: backup({}, { failOnce: 'Busy' }) }, { timeScale: 0.01 });
  on.lambdas.faults.add({ state: 'Freeze', fault: { kind: 'error', error: 'Any' } });
  const run = await on.stepFunctions.run('Backup');
  assert.deepEqual([run.status, run.error], ['FAILED', 'Any']);
  const retry = run.history.find(({ type }) => type === 'StateRetried');
  const failed = run.history.find(({ type, state }) => type === 'StateFailed' && state === 'Thaw');
  assert.ok((retry?.at ?? 0) - (failed?.at ?? 0) >= 18, 'two seconds became 20 ms, not none');
});

test('a task that hangs ends with States.Timeout and is caught', async () => {
  await using on = await workflows({ Backup: backup({ sleep: 3_000 }) }, { timeoutScale: 0.01 });
  const run = await on.stepFunctions.run('Backup');
  assert.equal(run.error, 'States.Timeout');
  assert.ok(run.path.includes('Thaw'));
});

test('an answer that is lost after the act is an error like any other', async () => {
  await using on = await workflows({ Backup: backup({}) });
  on.lambdas.faults.add({ state: 'Freeze', fault: { kind: 'lostAnswer' } });
  const run = await on.stepFunctions.run('Backup');
  assert.deepEqual([run.error, run.path.includes('Thaw')], ['Lambda.Unknown', true]);
});

test('stopping runs no catcher, does not retry, and leaves a function at work to finish', async () => {
  await using on = await workflows({ Backup: backup({ sleep: 60 }) });
  const run = on.stepFunctions.start('Backup');
  await until(() => on.lambdas.invocations.length === 1);
  run.stop();
  await run.ended;
  assert.deepEqual([run.status, run.path], ['ABORTED', ['Freeze']]);
  await until(() => on.lambdas.invocations[0]?.result === 'ok');
  assert.equal(on.lambdas.invocations.length, 1);
});

test('the end of an execution reaches the rule that waits for it, and starts the rescue', async () => {
  const rule = {
    Type: 'AWS::Events::Rule',
    Properties: {
      EventPattern: {
        source: ['aws.states'],
        detail: { status: ['FAILED', 'TIMED_OUT', 'ABORTED'], stateMachineArn: [{ Ref: 'Backup' }] },
      },
      Targets: [
        {
          Arn: { Ref: 'Rescue' },
          InputTransformer: {
            InputPathsMap: { run: '$.detail.name', why: '$.detail.status' },
            InputTemplate: '{"run":<run>,"why":"ended <why>"}',
          },
        },
      ],
    },
  };
  const rescue = machine(['Thaw again', work({ 'run.$': '$.run' }, { Next: 'Complete', ResultPath: null })], done);
  await using on = await workflows({ Backup: backup({ sleep: 50 }), Rescue: rescue }, { resources: { Rule: rule } });
  const run = on.stepFunctions.start('Backup', {}, 'run-7');
  await until(() => on.lambdas.invocations.length === 1);
  run.stop();
  await run.ended;
  await on.stepFunctions.idle();
  const [, rescued] = on.stepFunctions.executions;
  assert.deepEqual([rescued?.machine.name, rescued?.status], ['Rescue', 'SUCCEEDED']);
  assert.deepEqual(rescued?.input, { run: 'run-7', why: 'ended ABORTED' });
});

test('an SDK task calls the endpoint as the role of the machine', async () => {
  const store = machine(
    [
      'Store',
      {
        Type: 'Task',
        Resource: 'arn:aws:states:::aws-sdk:s3:putObject',
        Parameters: { Bucket: 'sets', 'Key.$': "States.Format('{}.json', $$.Execution.Name)", 'Body.$': '$' },
        ResultPath: null,
        Next: 'Read',
      },
    ],
    [
      'Read',
      {
        Type: 'Task',
        Resource: 'arn:aws:states:::aws-sdk:s3:getObject',
        Parameters: { Bucket: 'sets', Key: 'none' },
        End: true,
      },
    ],
  );
  await using on = await workflows(
    { Store: store },
    { resources: { Sets: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'sets' } } } },
  );
  const run = await on.stepFunctions.run('Store', { a: 1 }, 'run-1');
  assert.equal(on.world.s3.get('sets', 'run-1.json').body.toString(), '{"a":1}');
  assert.equal(run.error, 'S3.NoSuchKeyException');
  assert.deepEqual(
    on.world.log.map(({ action, principal }) => [action, principal]),
    [
      ['PutObject', 'arn:aws:iam::111122223333:role/flow'],
      ['GetObject', 'arn:aws:iam::111122223333:role/flow'],
    ],
  );
});

test('a nested execution brings its output, or fails its parent with its own error in the cause', async () => {
  const parent = machine([
    'Run it',
    {
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Parameters: { 'StateMachineArn.$': '$.machine', 'Name.$': '$.name', Input: { a: 1 } },
      OutputPath: '$.Output',
      End: true,
    },
  ]);
  const child = machine([
    'Give',
    {
      Type: 'Pass',
      Parameters: { 'got.$': '$.a', 'name.$': '$$.Execution.Name', 'state.$': '$$.State.Name' },
      End: true,
    },
  ]);
  const bad = machine(['Bad', { Type: 'Fail', Error: 'Broken', Cause: 'why not' }]);
  await using on = await workflows({ Parent: parent, Child: child, Bad: bad });
  const arn = (name: string) => on.stepFunctions.machine(name).arn;
  const good = await on.stepFunctions.run('Parent', { machine: arn('Child'), name: 'child-1' });
  assert.deepEqual(good.output, { got: 1, name: 'child-1', state: 'Give' });
  const failed = await on.stepFunctions.run('Parent', { machine: arn('Bad'), name: 'bad-1' });
  assert.equal(failed.error, 'States.TaskFailed');
  assert.deepEqual([JSON.parse(failed.cause ?? '').Status, JSON.parse(failed.cause ?? '').Error], ['FAILED', 'Broken']);
  const again = await on.stepFunctions.run('Parent', { machine: arn('Child'), name: 'child-1' });
  assert.equal(again.error, 'StepFunctions.ExecutionAlreadyExistsException');
});

test('waits are scaled, by path and by number, and a result beyond 256 KiB is caught by nothing', async () => {
  const big = machine(
    ['Wait', { Type: 'Wait', SecondsPath: '$.seconds', Next: 'Wait more' }],
    ['Wait more', { Type: 'Wait', Seconds: 3, Next: 'Big' }],
    ['Big', work({ big: 300_000 }, { Next: 'Complete', ...caught('Complete') })],
    done,
  );
  await using on = await workflows({ Big: big }, { timeScale: 0.01 });
  const run = await on.stepFunctions.run('Big', { seconds: 2 });
  assert.deepEqual([run.status, run.error], ['FAILED', 'States.DataLimitExceeded']);
  const at = (state: string) =>
    run.history.find((event) => event.type === 'StateEntered' && event.state === state)?.at ?? 0;
  assert.ok(at('Wait more') - at('Wait') >= 18);
  assert.ok(at('Big') - at('Wait more') >= 28);
  assert.equal(run.history.find(({ state }) => state === 'Wait')?.stateType, 'Wait');
});

test('a name is one execution: the same input while it is open finds it, anything else is refused', async () => {
  const wait = machine(['Wait', { Type: 'Wait', Seconds: 60, End: true }]);
  await using on = await workflows({ Slow: wait });
  const first = on.stepFunctions.start('Slow', { a: 1 }, 'run-1');
  assert.equal(on.stepFunctions.start('Slow', { a: 1 }, 'run-1'), first);
  assert.throws(() => on.stepFunctions.start('Slow', { a: 2 }, 'run-1'), { name: 'ExecutionAlreadyExists' });
  first.stop();
  await first.ended;
  assert.throws(() => on.stepFunctions.start('Slow', { a: 1 }, 'run-1'), { name: 'ExecutionAlreadyExists' });
});

test('the SDK starts, describes and stops an execution through the endpoint', async () => {
  await using on = await workflows({ Slow: machine(['Wait', { Type: 'Wait', Seconds: 60, End: true }]) });
  const client = new SFNClient({
    endpoint: on.server.endpoint,
    region: on.world.region,
    credentials: { accessKeyId: 'k', secretAccessKey: 's' },
  });
  const stateMachineArn = on.stepFunctions.machine('Slow').arn;
  const { executionArn } = await client.send(
    new StartExecutionCommand({ stateMachineArn, input: '{"a":1}', name: 'n' }),
  );
  await client.send(new StopExecutionCommand({ executionArn, error: 'Operator', cause: 'enough' }));
  const described = await client.send(new DescribeExecutionCommand({ executionArn }));
  assert.deepEqual([described.status, described.error, described.input], ['ABORTED', 'Operator', '{"a":1}']);
  client.destroy();
});

test('what the interpreter would run wrongly is refused', async () => {
  await using on = await workflows({ Odd: { ...machine(done), QueryLanguage: 'JSONata' } });
  assert.throws(() => on.stepFunctions.start('Odd'), /JSONata/);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
