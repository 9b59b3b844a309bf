/** Walks the synthesised definition of Backup: what holds for every path through it, however the states behave. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { STATES } from '../../lambdas/shared/names.ts';
import { FUNCTIONS } from '../../lib/functions.ts';
import { type Retry, type State, synth } from '../support/synth.ts';

const { definition, resources, resolve } = await synth();
const states = definition.States;
const tasks = Object.entries(states).filter(([, { Type }]) => Type === 'Task');

const FROZEN_WINDOW: readonly string[] = [STATES.freeze, STATES.createSnapshots];

/** States that share the function of another, since what is rehearsed must be what is done. */
const SHARED: Readonly<Record<string, string>> = {
  [STATES.rehearse]: 'create-snapshots',
  [STATES.createUnfrozen]: 'create-snapshots',
};
/** A call of Step Functions itself: no Lambda can lose the receipt on its way. */
const WITHOUT_FUNCTION = 'Store receipt';

it('the definition is one that Step Functions takes', () => {
  const validate = createRequire(import.meta.url)('asl-validator');
  const { isValid, errorsText } = validate(definition);
  assert.ok(isValid, isValid ? '' : errorsText('\n'));
});

describe('every task', () => {
  for (const [name, task] of tasks) {
    it(`${name} has a timeout`, () => assert.ok((task.TimeoutSeconds ?? 0) > 0));

    it(`${name} waits longer than its function may take, so that the function's own error is seen`, () => {
      const allowed = functionOf(task)?.Properties.Timeout;
      if (allowed !== undefined) assert.ok((task.TimeoutSeconds ?? 0) > allowed);
      else assert.equal(name, WITHOUT_FUNCTION);
    });

    it(`${name} is a word of the glossary, and the word of its folder`, () => {
      if (name === WITHOUT_FUNCTION) return;
      assert.ok((Object.values(STATES) as string[]).includes(name));
      const folder = SHARED[name] ?? name.toLowerCase().replaceAll(' ', '-');
      assert.ok(folder in FUNCTIONS);
      assert.ok(existsSync(new URL(`../../lambdas/${folder}/handler.ts`, import.meta.url)));
      assert.equal(functionOf(task)?.Properties.Description, `Freezeframe: ${folder.replaceAll('-', ' ')}`);
    });

    it(`${name} gets an object: a path for Parameters would be sent as that very string`, () =>
      assert.notEqual(typeof task.Parameters, 'string'));
  }

  it('of the glossary is in the workflow', () =>
    assert.deepEqual(
      Object.values(STATES).filter((name) => !(name in states)),
      [],
    ));
});

describe('the frozen window', () => {
  for (const name of FROZEN_WINDOW) {
    const task = states[name] as State;

    it(`${name} is never tried again`, () => assert.deepEqual(task.Retry ?? [], []));

    it(`${name} leads every error to Thaw, those that States.ALL leaves out as well`, () => {
      assert.deepEqual(task.Catch, [
        { ErrorEquals: ['States.DataLimitExceeded'], ResultPath: '$.error', Next: STATES.thaw },
        { ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: STATES.thaw },
      ]);
    });

    it(`${name} keeps the run beside its output, so that Thaw knows whom to thaw`, () =>
      assert.match(String(task.ResultPath), /^\$\.\w+$/));
  }

  it('has no way out but Thaw', () => {
    const exits = FROZEN_WINDOW.flatMap((name) => nextOf(states[name] as State)).filter(
      (next) => !FROZEN_WINDOW.includes(next),
    );
    assert.deepEqual([...new Set(exits)], [STATES.thaw]);
  });

  it('has no way in but Freeze', () => {
    const entries = Object.entries(states)
      .filter(([name]) => !FROZEN_WINDOW.includes(name))
      .flatMap(([, state]) => nextOf(state))
      .filter((next) => FROZEN_WINDOW.includes(next));
    assert.deepEqual([...new Set(entries)], [STATES.freeze]);
  });

  it('holds tasks only: no state that could fail without a catcher', () =>
    assert.deepEqual(
      FROZEN_WINDOW.map((name) => states[name]?.Type),
      ['Task', 'Task'],
    ));

  it('is not cut off by a timeout of the whole execution, which no catcher sees', () =>
    assert.ok(!('TimeoutSeconds' in definition)));
});

describe('Thaw', () => {
  it('is tried again for at least five minutes, whatever the error', () => {
    const [retry, ...others] = states[STATES.thaw]?.Retry ?? [];
    assert.ok(retry);
    assert.deepEqual(others, []);
    assert.deepEqual(retry.ErrorEquals, ['States.ALL']);
    assert.ok(totalSeconds(retry) >= 300, `${totalSeconds(retry)} s`);
  });

  it('that fails for good leads on, so that the set is graded by what is known', () =>
    assert.deepEqual(new Set(nextOf(states[STATES.thaw] as State)), new Set(['Was a set taken?'])));
});

describe('the run', () => {
  it('fails in the one state that tells the first error', () => {
    const failing = Object.entries(states).filter(([, { Type }]) => Type === 'Fail');
    assert.deepEqual(
      failing.map(([name]) => name),
      ['Backup failed'],
    );
  });

  it('ends green only where the grade was reached', () => {
    const beforeGreen = Object.entries(states).filter(([, state]) => nextOf(state).includes('Complete'));
    assert.deepEqual(
      beforeGreen.map(([name]) => name),
      ['Are they completed?'],
    );
  });

  it('can come to an end from every state', () => {
    const ending = new Set(
      Object.keys(states).filter((name) => ['Fail', 'Succeed'].includes(states[name]?.Type ?? '')),
    );
    for (let before = -1; before !== ending.size; ) {
      before = ending.size;
      for (const [name, state] of Object.entries(states))
        if (nextOf(state).some((next) => ending.has(next))) ending.add(name);
    }
    assert.deepEqual(
      Object.keys(states).filter((name) => !ending.has(name)),
      [],
    );
  });

  it('reaches every state', () => {
    const reached = new Set([definition.StartAt]);
    for (const name of reached) for (const next of nextOf(states[name] as State)) reached.add(next);
    assert.deepEqual(
      Object.keys(states).filter((name) => !reached.has(name)),
      [],
    );
  });
});

// The one reviewable snapshot: a change of the flow shows in a diff. `UPDATE_SNAPSHOT=1 node --test` on this file writes
// it anew, `biome check --write` puts it into shape.
it('is the definition that was reviewed: test/workflow/backup.asl.json', () => {
  const file = new URL('backup.asl.json', import.meta.url);
  if (process.env.UPDATE_SNAPSHOT) writeFileSync(file, `${JSON.stringify(definition, null, 2)}\n`);
  assert.deepEqual(definition, JSON.parse(readFileSync(file, 'utf8')));
});

function nextOf({ Next, Default, Choices = [], Catch = [] }: State): string[] {
  return [Next, Default, ...Choices.map((choice) => choice.Next), ...Catch.map((catcher) => catcher.Next)].filter(
    (next) => next !== undefined,
  );
}

function functionOf({ Resource: arn }: State) {
  return Object.entries(resources).find(
    ([id, { Type }]) => Type === 'AWS::Lambda::Function' && resolve({ 'Fn::GetAtt': [id, 'Arn'] }) === arn,
  )?.[1];
}

function totalSeconds({
  IntervalSeconds,
  BackoffRate,
  MaxAttempts,
  MaxDelaySeconds = Number.POSITIVE_INFINITY,
}: Retry): number {
  const waits = Array.from({ length: MaxAttempts }, (_, attempt) =>
    Math.min(IntervalSeconds * BackoffRate ** attempt, MaxDelaySeconds),
  );
  return waits.reduce((total, wait) => total + wait, 0);
}
