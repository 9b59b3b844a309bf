/**
 * The synthesised definition of Backup on an interpreter, its tasks played by stubs: which states run, in which order,
 * and how the run ends, for each place where something can go wrong. What the tasks do is tested elsewhere.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StateMachine } from 'aws-local-stepfunctions';
import { synth } from '../support/synth.ts';

const { definition } = await synth();

class LockTimeoutError extends Error {
  override readonly name = 'LockTimeoutError';
}
class SnapshotLimitError extends Error {
  override readonly name = 'SnapshotLimitError';
}
class HostSilentError extends Error {
  override readonly name = 'HostSilentError';
}
class ThrottledError extends Error {
  override readonly name = 'ThrottledError';
}

type Answer = unknown | Error;
/** What the states answer, in turn; the last answer is repeated. */
type World = Readonly<Record<string, readonly Answer[]>>;

const run = (changes: object = {}) => ({
  run: 'run-1',
  instanceId: 'i-0123456789abcdef0',
  mode: 'fs-freeze',
  policy: { name: 'nightly', grade: 'application', onDowngrade: 'keep', leaseSeconds: 30 },
  ...changes,
});
const progress = { checks: 0, waitSeconds: 0, completed: false, percent: 0 };
const graded = (changes: object = {}) => ({
  run: 'run-1',
  instanceId: 'i-0123456789abcdef0',
  verdict: { grade: 'application', reached: true, keep: true, reasons: [], windowMs: 900 },
  snapshotIds: ['snap-1'],
  evidence: { any: 'thing' },
  progress,
  ...changes,
});
const missed = { Error: 'GradeMissedError', Cause: 'the watchdog thawed first' };

const ALL_GOES_WELL: World = {
  'Inspect host': [run()],
  Rehearse: [{ waitedMs: 0 }],
  Freeze: [{ sentAt: 1 }],
  'Create snapshots': [{ snapshots: [] }],
  Thaw: [{ sentAt: 2 }],
  'Create snapshots unfrozen': [{ snapshots: [] }],
  Grade: [graded()],
  'Store receipt': [{ ETag: 'x' }],
  'Check snapshots': [
    { ...progress, checks: 1 },
    { ...progress, checks: 2, completed: true },
  ],
  Discard: [{ deleted: ['snap-1'] }],
};
const TO_THE_THAW = ['Inspect host', 'Rehearse', 'Freeze', 'Create snapshots', 'Thaw'];
const AFTERWARDS = ['Grade', 'Store receipt', 'Check snapshots', 'Check snapshots'];

interface Case {
  readonly title: string;
  readonly world: World;
  readonly path: readonly string[];
  /** Name of the error that the run ends with; it ends green without. */
  readonly error?: string;
}

const CASES: readonly Case[] = [
  {
    title: 'a backup that goes well',
    world: {},
    path: [...TO_THE_THAW, ...AFTERWARDS],
  },
  {
    title: "an instance that can't be backed up ends where it was found out",
    world: { 'Inspect host': [new LockTimeoutError('x')] },
    path: ['Inspect host'],
    error: 'LockTimeoutError',
  },
  {
    title: 'what would be refused later is refused before anything is frozen',
    world: { Rehearse: [new SnapshotLimitError('x')] },
    path: ['Inspect host', 'Rehearse'],
    error: 'SnapshotLimitError',
  },
  {
    title: 'a throttled inspection is tried again',
    world: { 'Inspect host': [new ThrottledError('x'), new ThrottledError('x'), run()] },
    path: ['Inspect host', 'Inspect host', ...TO_THE_THAW, ...AFTERWARDS],
  },
  {
    title: 'mode crash freezes nothing',
    world: { 'Inspect host': [run({ mode: 'crash' })] },
    path: ['Inspect host', 'Rehearse', 'Create snapshots unfrozen', ...AFTERWARDS],
  },
  {
    title: 'a freeze that fails is not tried again: it is thawed, and a lesser set is kept in a red run',
    world: { Freeze: [new LockTimeoutError('x')], Grade: [graded({ error: missed })] },
    path: ['Inspect host', 'Rehearse', 'Freeze', 'Thaw', 'Create snapshots unfrozen', ...AFTERWARDS],
    error: 'GradeMissedError',
  },
  {
    title: 'a throttled freeze is not tried again either',
    world: { Freeze: [new ThrottledError('x')], Grade: [graded({ error: missed })] },
    path: ['Inspect host', 'Rehearse', 'Freeze', 'Thaw', 'Create snapshots unfrozen', ...AFTERWARDS],
    error: 'GradeMissedError',
  },
  {
    title: 'a set that could not be taken while frozen is taken after the thaw',
    world: { 'Create snapshots': [new SnapshotLimitError('x')], Grade: [graded({ error: missed })] },
    path: [...TO_THE_THAW, 'Create snapshots unfrozen', ...AFTERWARDS],
    error: 'GradeMissedError',
  },
  {
    title: 'onDowngrade discard takes no lesser set',
    world: {
      'Inspect host': [run({ policy: { ...run().policy, onDowngrade: 'discard' } })],
      Freeze: [new LockTimeoutError('x')],
      Grade: [
        graded({ verdict: { ...graded().verdict, keep: false }, error: { Error: 'LockTimeoutError', Cause: 'x' } }),
      ],
    },
    path: ['Inspect host', 'Rehearse', 'Freeze', 'Thaw', 'Grade', 'Store receipt', 'Discard'],
    error: 'LockTimeoutError',
  },
  {
    title: "a set that may not be kept is deleted even when its receipt can't be stored",
    world: {
      Grade: [graded({ verdict: { ...graded().verdict, keep: false }, error: missed })],
      'Store receipt': [new Error('S3 is away')],
    },
    path: [...TO_THE_THAW, 'Grade', ...Array.from({ length: 7 }, () => 'Store receipt'), 'Discard'],
    error: 'GradeMissedError',
  },
  {
    title: 'a thaw that hangs is asked for again until it answers',
    world: { Thaw: [new HostSilentError('x'), new HostSilentError('x'), new HostSilentError('x'), { sentAt: 2 }] },
    path: [...TO_THE_THAW, 'Thaw', 'Thaw', 'Thaw', ...AFTERWARDS],
  },
  {
    title: 'a thaw that never answers leaves the set to be graded by what is known',
    world: { Thaw: [new HostSilentError('x')], Grade: [graded({ error: missed })] },
    path: [
      'Inspect host',
      'Rehearse',
      'Freeze',
      'Create snapshots',
      ...Array.from({ length: 17 }, () => 'Thaw'),
      ...AFTERWARDS,
    ],
    error: 'GradeMissedError',
  },
  {
    title: 'a grading that fails ends the run with the error of the frozen window, which came first',
    world: { 'Create snapshots': [new SnapshotLimitError('x')], Grade: [new HostSilentError('x')] },
    path: [...TO_THE_THAW, 'Create snapshots unfrozen', 'Grade'],
    error: 'SnapshotLimitError',
  },
  {
    title: 'a grading that fails after all went well ends the run with its own error',
    world: { Grade: [new HostSilentError('x')] },
    path: [...TO_THE_THAW, 'Grade'],
    error: 'HostSilentError',
  },
  {
    title: 'a snapshot that fails later ends the run red',
    world: { 'Check snapshots': [new SnapshotLimitError('x')] },
    path: [...TO_THE_THAW, 'Grade', 'Store receipt', 'Check snapshots'],
    error: 'SnapshotLimitError',
  },
  {
    title: "a receipt that can't be stored ends the run red, its set complete",
    world: { 'Store receipt': [new HostSilentError('x')] },
    path: [
      ...TO_THE_THAW,
      'Grade',
      ...Array.from({ length: 7 }, () => 'Store receipt'),
      'Check snapshots',
      'Check snapshots',
    ],
    error: 'HostSilentError',
  },
  {
    title: 'an error without a cause still has its name at the end',
    world: { Grade: [graded({ error: { Error: 'GradeMissedError' } })] },
    path: [...TO_THE_THAW, ...AFTERWARDS],
    error: 'GradeMissedError',
  },
];

describe('Backup', () => {
  for (const { title, world, path, error } of CASES) {
    it(title, async () => {
      const played = await play({ ...ALL_GOES_WELL, ...world });
      assert.deepEqual(played.path, path);
      assert.equal(played.error, error);
    });
  }

  it('gives each task what its contract says', async () => {
    const { inputs } = await play(ALL_GOES_WELL);
    const {
      Freeze: frozen,
      'Create snapshots': snapshots,
      Thaw: thawed,
    } = {
      Freeze: { sentAt: 1 },
      'Create snapshots': { snapshots: [] },
      Thaw: { sentAt: 2 },
    };
    assert.deepEqual(inputs['Inspect host'], {
      input: { instanceId: 'i-0123456789abcdef0' },
      run: 'run-1',
      policies: { nightly: { grade: 'application', onDowngrade: 'keep', leaseSeconds: 30 } },
    });
    assert.deepEqual(inputs.Rehearse, { act: 'rehearse', run: run() });
    assert.deepEqual(inputs.Freeze, run());
    assert.deepEqual(inputs['Create snapshots'], { act: 'frozen', run: { ...run(), frozen } });
    assert.deepEqual(inputs.Thaw, { ...run(), frozen, snapshots });
    assert.deepEqual(inputs.Grade, { ...run(), frozen, snapshots, thawed });
    assert.deepEqual(inputs['Store receipt'], {
      Bucket: (inputs['Store receipt'] as { Bucket: string }).Bucket,
      Key: 'sets/i-0123456789abcdef0/run-1.json',
      Body: { any: 'thing' },
      ContentType: 'application/json',
    });
    assert.deepEqual(inputs['Check snapshots'], graded({ progress: { ...progress, checks: 1 } }));
  });
});

async function play(world: World) {
  const path: string[] = [];
  const inputs: Record<string, unknown> = {};
  const turn = new Map<string, number>();
  const play = (name: string) => async (input: unknown) => {
    path.push(name);
    inputs[name] = input;
    const answers = world[name] ?? [];
    const answer = answers[Math.min(turn.get(name) ?? 0, answers.length - 1)];
    turn.set(name, (turn.get(name) ?? 0) + 1);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const names = Object.keys(world);
  const machine = new StateMachine(definition as never);
  const { result } = machine.run(
    { instanceId: 'i-0123456789abcdef0' },
    {
      overrides: {
        taskResourceLocalHandlers: Object.fromEntries(names.map((name) => [name, play(name)])) as never,
        retryIntervalOverrides: Object.fromEntries(names.map((name) => [name, 0])),
      },
      context: { Execution: { Name: 'run-1' } } as never,
    },
  );
  const error = await result.then(
    () => undefined,
    (failure: Error) => (failure.cause as Error).name,
  );
  return { path, inputs, error };
}
