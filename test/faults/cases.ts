/** Every case there is, from the definition as it was synthesised and the ways that runs take through it. */
import { STATES } from '../../lambdas/shared/names.ts';
import {
  DOUBLE,
  faultsOfState,
  IN_THE_WORLD,
  OF_THE_RESCUE,
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
      ...(scenario.mode === 'crash' || scenario.onDowngrade === 'discard' ? [] : rescued(ways[0] as Baseline)),
      ...IN_THE_WORLD.filter(({ crashToo }) => scenario.mode !== 'crash' || crashToo).map(({ state, name, plan }) => ({
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

const STAGGER_MS = 400;

/** Plays all of them, the patient ones beside the quick ones; results in the order of the cases. */
export async function playAll(
  theatre: Theatre,
  cases: readonly Case[],
  lanes: { quick: number; patient: number },
  onPlayed: () => void = () => {},
): Promise<Played[]> {
  const results: Played[] = [];
  const play = async (indexes: number[], count: number) => {
    const lane = async (_: unknown, number: number) => {
      // One after another, so that they find warm functions, and the machine is not flooded.
      await new Promise((resolve) => setTimeout(resolve, number * STAGGER_MS));
      for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
        results[index] = await theatre.play(cases[index] as Case);
        onPlayed();
      }
    };
    await Promise.all(Array.from({ length: count }, lane));
  };
  const indexes = [...cases.keys()];
  await Promise.all([
    play(
      indexes.filter((index) => isPatient(cases[index] as Case)).sort((a, b) => weight(cases[b]) - weight(cases[a])),
      lanes.patient,
    ),
    play(
      indexes.filter((index) => !isPatient(cases[index] as Case)),
      lanes.quick,
    ),
  ]);
  return results;
}

/** Sleeps most of its time: until a function has timed out, or a thaw has been tried for minutes. */
const isPatient = (played: Case): boolean => weight(played) > 0;

function weight(played: Case | undefined): number {
  const name = played?.fault.name ?? '';
  const slow = /timeout|late start|its event lost|unreadable/.test(name) ? 2 : 0;
  const persistent = /error|throttle|killed|answer lost|nonsense|3 min|hangs|40 s/.test(name) ? 1 : 0;
  if (played?.state === STATES.thaw) return slow * 10 + persistent * 5;
  return slow * 2 + (/hangs|3 min|40 s|slowly/.test(name) ? 1 : 0);
}
