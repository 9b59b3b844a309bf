import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkThaw } from '../../lambdas/check-thaw/check-thaw.ts';
import type { HistoryEvent } from '../../lambdas/shared/owed-thaw.ts';
import { type Runs, sweep } from '../../lambdas/sweep/sweep.ts';
import { NOW } from './builders.ts';

const MINUTE = 60_000;
const INSTANCE = 'i-0123456789abcdef0';

/** Histories as Step Functions writes them: a state that catches its error is left like one that succeeded. */
const entered = (state: string, at = NOW): HistoryEvent => ({ type: 'TaskStateEntered', state, at });
const left = (state: string): HistoryEvent => ({ type: 'TaskStateExited', state, at: NOW });
const event = (type: string): HistoryEvent => ({ type, state: '', at: NOW });
const succeeded = (state: string, at = NOW) => [entered(state, at), event('LambdaFunctionSucceeded'), left(state)];
const failed = (state: string, at = NOW) => [entered(state, at), event('LambdaFunctionFailed'), left(state)];

const BEFORE_FREEZE = [...succeeded('Inspect host'), ...failed('Rehearse'), event('ExecutionFailed')];
const THAWED = [...succeeded('Freeze'), ...failed('Create snapshots'), ...succeeded('Thaw'), event('ExecutionFailed')];
const NOT_THAWED = [...succeeded('Freeze'), ...failed('Thaw'), ...failed('Grade'), event('ExecutionFailed')];
const STOPPED = [...succeeded('Freeze'), entered('Create snapshots'), event('ExecutionAborted')];
const STOPPED_IN_FREEZE = [entered('Freeze'), event('ExecutionAborted')];

async function* told(events: readonly HistoryEvent[]) {
  yield* events;
}

describe('Check thaw', () => {
  const check = (events: readonly HistoryEvent[], input = JSON.stringify({ instanceId: INSTANCE })) =>
    checkThaw({ executionArn: 'arn', name: 'run-1', input }, () => told(events));

  for (const [title, events, owed] of [
    ['a run that failed before it froze anything owes nothing', BEFORE_FREEZE, false],
    ['a run that thawed owes nothing, whatever else failed', THAWED, false],
    ['a run whose thaw failed owes one, though it left the state', NOT_THAWED, true],
    ['a run that was stopped while frozen owes a thaw', STOPPED, true],
    ['a run that was stopped while it froze owes a thaw', STOPPED_IN_FREEZE, true],
    ['a history that is not written to its end owes a thaw', [entered('Inspect host')], true],
  ] as const) {
    it(title, async () => {
      assert.deepEqual(await check(events).then(({ owed, run, instanceId }) => ({ owed, run, instanceId })), {
        owed,
        run: 'run-1',
        instanceId: INSTANCE,
      });
    });
  }

  it('an input that names no instance owes nothing', async () => {
    for (const input of ['{}', 'null', '"x"', '{"instanceId":"i-1; reboot"}', 'not json']) {
      assert.equal((await check(STOPPED, input)).owed, false, input);
    }
  });

  it("a history that can't be read counts as a thaw that is owed", async () => {
    const unreadable = () => {
      throw new Error('Rate exceeded');
    };
    const input = JSON.stringify({ instanceId: INSTANCE });
    const { owed, why } = await checkThaw({ executionArn: 'arn', name: 'run-1', input }, unreadable);
    assert.equal(owed, true);
    assert.match(why, /Rate exceeded/);
  });
});

interface FakeRun {
  status: 'RUNNING' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';
  history: readonly HistoryEvent[];
  startedAt?: number;
  stoppedAt?: number;
}

/** Executions with state: a rescue's name can be used once. */
function account(executions: Record<string, FakeRun>) {
  const rescues = new Map<string, unknown>();
  const runs: Runs = {
    list: async (_machine, status, since) =>
      Object.entries(executions)
        .map(([name, run]) => ({ arn: name, name, startedAt: NOW - 30 * MINUTE, stoppedAt: undefined, ...run }))
        .filter((run) => run.status === status && run.startedAt >= since),
    history: (arn) => {
      if (arn === 'unreadable') throw new Error('Rate exceeded');
      return told(executions[arn]?.history ?? []);
    },
    inputOf: async () => JSON.stringify({ instanceId: INSTANCE }),
    startOnce: async (_machine, name, input) => {
      if (rescues.has(name)) return false;
      rescues.set(name, input);
      return true;
    },
  };
  return { rescues, sweep: () => sweep({ backup: 'backup', rescue: 'rescue' }, runs, NOW) };
}

describe('Sweep', () => {
  const ago = (minutes: number) => NOW - minutes * MINUTE;
  const frozenAgo = (minutes: number) => succeeded('Freeze', ago(minutes));

  it('starts the rescue of runs that ended red and owe a thaw, with what an event would bring', async () => {
    const { rescues, sweep } = account({
      'run-1': { status: 'ABORTED', history: STOPPED, stoppedAt: ago(5) },
      'run-2': { status: 'FAILED', history: NOT_THAWED, stoppedAt: ago(25) },
      'run-3': { status: 'FAILED', history: THAWED, stoppedAt: ago(5) },
      'run-4': { status: 'FAILED', history: BEFORE_FREEZE, stoppedAt: ago(5) },
    });
    assert.deepEqual((await sweep()).rescued.sort(), ['run-1', 'run-2']);
    const input = JSON.stringify({ instanceId: INSTANCE });
    assert.deepEqual(rescues.get('run-1'), { executionArn: 'run-1', name: 'run-1', input });
    assert.deepEqual((await sweep()).rescued, [], 'once');
  });

  it('leaves an event its time, and does not look back for ever', async () => {
    const { sweep } = account({
      'run-1': { status: 'ABORTED', history: STOPPED, stoppedAt: ago(1) },
      'run-2': { status: 'ABORTED', history: STOPPED, stoppedAt: ago(40) },
    });
    assert.deepEqual(await sweep(), { looked: 0, rescued: [], unread: [] });
  });

  it('rescues a run that goes on when its freeze is longer ago than every lease, and no other', async () => {
    const { sweep } = account({
      hangs: { status: 'RUNNING', history: frozenAgo(10) },
      'holds still': { status: 'RUNNING', history: frozenAgo(4) },
      'is young': { status: 'RUNNING', history: frozenAgo(10), startedAt: ago(3) },
      'waits for its snapshots': { status: 'RUNNING', history: [...frozenAgo(20), ...succeeded('Thaw')] },
      'waits to start': { status: 'RUNNING', history: [entered('Inspect host', ago(20))] },
    });
    assert.deepEqual((await sweep()).rescued, ['hangs']);
  });

  it('sees to the others when one run cannot be looked at, and fails then', async () => {
    const { rescues, sweep } = account({
      unreadable: { status: 'ABORTED', history: [], stoppedAt: ago(5) },
      'run-1': { status: 'ABORTED', history: STOPPED, stoppedAt: ago(5) },
    });
    await assert.rejects(sweep(), /1 of 2 runs could not be looked at: unreadable/);
    assert.deepEqual([...rescues.keys()], ['run-1']);
  });
});
