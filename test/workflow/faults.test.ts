/** A part of `npm run test:faults` in every test run: each state of one mode with two faults. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { baselines, casesAfter, playAll } from '../faults/cases.ts';
import { type Case, type Played, Theatre, titleOf } from '../faults/play.ts';
import { SCENARIOS } from '../faults/scenarios.ts';
import { ModelAccount } from '../support/model-account.ts';
import { synth } from '../support/synth.ts';

const FAULTS = ['malformed', 'stopped in the middle', 'stopped on entering'];

const { definition } = await synth();
const tasks = new Set(Object.keys(definition.States).filter((name) => definition.States[name]?.Type === 'Task'));
const account = await ModelAccount.open();
after(() => account.close());
const theatre = new Theatre(account);

const straight = baselines(SCENARIOS.filter(({ mode, onDowngrade }) => mode === 'fs-freeze' && onDowngrade === 'keep'));
const played = (await playAll(theatre, straight)).map((result, index) => ({
  played: straight[index] as Case,
  result,
}));
// On a host that does not thaw itself, where it may be frozen: the harder half of the same cases.
const cases = casesAfter(played, tasks).filter(
  ({ state, fault, watchdogAsleep }, _, all) =>
    FAULTS.includes(fault.name) &&
    (tasks.has(state) ? fault.name !== 'stopped on entering' : true) &&
    (watchdogAsleep || !all.some((other) => other.watchdogAsleep && other.state === state && other.fault === fault)),
);
const results = await playAll(theatre, cases);

describe('whatever goes wrong, the host is thawed, the grade is honest and the first error is told', () => {
  for (const [index, each] of cases.entries()) {
    it(titleOf(each), () => assert.deepEqual((results[index] as Played).verdict.broken, []));
  }
});
