import { systemClock } from '../shared/clock.ts';
import { SweepInput } from '../shared/contracts.ts';
import { executionsOf, historyOf, inputOf, sfnClient, startOnce } from '../shared/sfn.ts';
import { step } from '../shared/step.ts';
import { type Runs, sweep } from './sweep.ts';

const client = sfnClient();

const runs: Runs = {
  list: executionsOf(client),
  history: historyOf(client),
  inputOf: inputOf(client),
  startOnce: startOnce(client),
};

export const handler = step(SweepInput, 'Sweep').handler((input) => sweep(input, runs, systemClock.now()));
