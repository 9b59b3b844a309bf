/**
 * `npm run test:faults`: every fault of every state in every mode, each in a run of its own, and what the world was like
 * after it. Prints a table; exits 1 when a promise was broken. `--json` prints the same for programs, `--only <text>`
 * plays the cases whose title has it.
 */
import { styleText } from 'node:util';
import { ModelAccount } from '../support/model-account.ts';
import { synth } from '../support/synth.ts';
import { type Baseline, baselines, casesAfter, playAll } from './cases.ts';
import { PROMISES, type Promised } from './judge.ts';
import { type Case, cameThere, type Played, Theatre, titleOf } from './play.ts';

const COLUMNS: readonly string[] = [
  'error',
  'timeout',
  'late start',
  'throttle',
  'answer lost',
  'killed',
  'malformed',
  'stopped on entering',
  'stopped in the middle',
  'in the world',
  'nothing',
];
const json = process.argv.includes('--json');
const option = (name: string) =>
  process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const only = option('--only');
const startedAt = performance.now();

const { definition } = await synth();
const account = await ModelAccount.open();
const theatre = new Theatre(account);
const show = process.stderr.isTTY && !json ? (text: string) => process.stderr.write(`\r\x1b[K${text}`) : () => {};

const straight = baselines();
const played: Baseline[] = (await playAll(theatre, straight)).map((result, index) => ({
  played: straight[index] as Case,
  result,
}));
const tasks = new Set(Object.keys(definition.States).filter((name) => definition.States[name]?.Type === 'Task'));
const cases = casesAfter(played, tasks).filter((each) => only === undefined || titleOf(each).includes(only));
let done = 0;
const results = await playAll(theatre, cases, () => {
  done += 1;
  show(`${done} of ${cases.length} cases`);
});
show('');
await account.close();

const all = [...played, ...cases.map((each, index) => ({ played: each, result: results[index] as Played }))];
/** A guard for an error that no function of ours makes; test/workflow/flow.test.ts plays it. */
const GUARD = 'No cause was given';
const untried = Object.keys(definition.States).filter(
  (state) => state !== GUARD && !all.some((each) => each.result.entered.has(state)),
);
const missed = cases.filter((each, index) => !cameThere(each, results[index] as Played)).map(titleOf);
const broken = all.flatMap(({ played: each, result }) =>
  result.verdict.broken.map((violation) => ({ title: titleOf(each), run: result.run.name, ...violation })),
);
const totals = Object.fromEntries(
  (Object.keys(PROMISES) as Promised[]).map((promise) => [
    promise,
    broken.filter((each) => each.promise === promise).length,
  ]),
);
const thawedBy = Object.groupBy(all, ({ result }) => result.verdict.thawedBy);
/** Of the hosts that thaw themselves. */
const awake = all.filter(({ played: each }) => !each.watchdogAsleep).map(({ result }) => result.verdict);
const longest = awake.reduce((most, each) => ((each.quietSeconds ?? 0) > (most.quietSeconds ?? 0) ? each : most));
const seconds = Math.round((performance.now() - startedAt) / 1_000);

if (json) {
  const rows = all.map(({ played: each, result: { run, verdict } }) => ({
    case: titleOf(each),
    status: run.status,
    error: run.error ?? null,
    ...verdict,
  }));
  console.log(JSON.stringify({ cases: all.length, totals, untried, missed, broken, seconds, rows }, null, 2));
} else {
  print();
}
process.exit(broken.length > 0 || missed.length > 0 || (only === undefined && untried.length > 0) ? 1 : 0);

function print(): void {
  const faultOf = (name: string) => (COLUMNS.includes(name) ? name : 'in the world');
  const states = [...new Set(all.map(({ played: each }) => each.state))];
  const width = Math.max(...states.map((state) => state.length)) + 2;
  console.log(' '.repeat(width) + COLUMNS.map((name) => name.padStart(name.length + 2)).join(''));
  for (const state of states) {
    const cells = COLUMNS.map((column) => {
      const here = all.filter(({ played: each }) => each.state === state && faultOf(each.fault.name) === column);
      const bad = here.filter(({ result }) => result.verdict.broken.length > 0).length;
      const text = `${here.length || ''}${bad ? ` (${bad})` : ''}`.padStart(column.length + 2);
      return bad ? styleText('red', text) : text;
    });
    console.log(state.padEnd(width) + cells.join(''));
  }
  console.log('');
  for (const { title, run, promise, seen } of broken) {
    console.log(`${styleText('red', PROMISES[promise])}: ${title}\n    ${seen} (${run})`);
  }
  const by = (who: keyof typeof thawedBy) => thawedBy[who]?.length ?? 0;
  console.log(`cases tried ${all.length}, in ${seconds} s`);
  for (const [promise, name] of Object.entries(PROMISES)) {
    const count = totals[promise] ?? 0;
    console.log(`${name.padEnd(60)}${styleText(count ? 'red' : 'green', String(count))}`);
  }
  const late = all.filter(({ result }) => result.verdict.madeLate).length;
  console.log(`sets that EC2 made after their run had ended, which say unproven: ${late}`);
  if (missed.length > 0)
    console.log(styleText('red', `cases that did not come to their state:\n  ${missed.join('\n  ')}`));
  if (untried.length > 0) console.log(styleText('red', `states that no case came to: ${untried.join(', ')}`));
  console.log(
    `thawed by the workflow ${by('workflow')}, by the rescue ${by('rescue')}, by the host itself ${by('host')}; ` +
      `not frozen ${by('nobody')}`,
  );
  console.log(`longest freeze ${longest.quietSeconds?.toFixed(1)} s of a lease of 30 s`);
}
