/** Every case there is, from the definition as it was synthesised and the ways that runs take through it. */
import { STATES } from '../../lambdas/shared/names.ts';
import {
  DOUBLE,
  type Fault,
  faultsOfState,
  IN_THE_WORLD,
  OF_THE_RESCUE,
  OF_VSS,
  RESCUE_BESIDE_THAW,
  stopInTheMiddle,
  stopOnEntering,
} from './faults.ts';
import type { Case, Played, Theatre } from './play.ts';
import { DETOURS, SCENARIOS, type Scenario } from './scenarios.ts';

const NOTHING = { name: 'nothing', plan: () => {} };

/** A run for each way, with nothing going wrong but what the detour needs. */
export const baselines = (scenarios: readonly Scenario[] = SCENARIOS): Case[] =>
  scenarios.flatMap((scenario) =>
    DETOURS.map((detour) => ({ state: 'Backup', fault: NOTHING, scenario, detour, watchdogAsleep: false })),
  );

export interface Baseline {
  readonly played: Case;
  readonly result: Played;
}

/** Every fault of every state that a baseline came through, on the straightest way there. */
export function casesAfter(baselines: readonly Baseline[], tasks: ReadonlySet<string>): Case[] {
  const scenarios = new Set(baselines.map(({ played }) => played.scenario));
  return [...scenarios].flatMap((scenario) => {
    const ways = baselines.filter(({ played }) => played.scenario === scenario);
    const states = new Map<string, Baseline>();
    for (const way of ways) for (const state of way.result.run.path) if (!states.has(state)) states.set(state, way);
    return [
      ...[...states].flatMap(([state, { played }]) => casesOf(state, played, tasks.has(state))),
      ...(states.has(STATES.freeze) && scenario.onDowngrade === 'keep' ? rescued(ways[0] as Baseline) : []),
      ...inTheWorld(scenario).map(({ state, name, plan }) => ({
        ...(ways[0] as Baseline).played,
        state: scenario.mode === 'crash' && state === STATES.createSnapshots ? STATES.createUnfrozen : state,
        fault: { name, plan },
      })),
      ...DOUBLE.filter(
        ({ needs, state }) =>
          states.has(needs) &&
          (needs !== STATES.freeze || state !== STATES.discard || scenario.onDowngrade === 'discard'),
      ).map(({ state, needs, name, plan }) => ({
        ...(states.get(needs) as Baseline).played,
        state,
        fault: { name, plan },
      })),
    ];
  });
}

function inTheWorld({ mode }: Scenario): readonly (Fault & { readonly state: string })[] {
  if (mode === 'vss') return [...OF_VSS, ...IN_THE_WORLD.filter(({ state }) => state === STATES.grade)];
  return IN_THE_WORLD.filter(({ everyMode }) => mode !== 'crash' || everyMode);
}

/** The rescue shows what it is worth where the host does not thaw itself. */
const rescued = ({ played }: Baseline): Case[] =>
  [...OF_THE_RESCUE, RESCUE_BESIDE_THAW].map(({ state, name, plan }) => ({
    ...played,
    state,
    fault: { name, plan },
    watchdogAsleep: true,
  }));

function casesOf(state: string, way: Case, isTask: boolean): Case[] {
  const faults = isTask
    ? [...faultsOfState(state), stopOnEntering(state), stopInTheMiddle(state)]
    : [stopOnEntering(state)];
  const cases = faults.map((fault) => ({ ...way, state, fault }));
  const isFrozenThere = FROZEN.includes(state) && way.scenario.mode !== 'crash';
  return isFrozenThere && way.scenario.onDowngrade === 'keep'
    ? [...cases, ...cases.map((each) => ({ ...each, watchdogAsleep: true }))]
    : cases;
}

/** Where the host may be frozen: here the cases are also played with a host that does not thaw itself. */
const FROZEN: readonly string[] = [STATES.freeze, STATES.createSnapshots, STATES.thaw, 'Was a set taken?'];

/** Every call asks every fault that is planned, so not all of them at once. */
const SIDE_BY_SIDE = 50;

/** Plays all of them; results in the order of the cases. */
export async function playAll(
  theatre: Theatre,
  cases: readonly Case[],
  onPlayed: () => void = () => {},
): Promise<Played[]> {
  const results: Played[] = [];
  const indexes = [...cases.keys()];
  const lane = async () => {
    for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
      results[index] = await theatre.play(cases[index] as Case);
      onPlayed();
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  return results;
}
