import { barsSvg } from './bars.ts';
import { table } from './page.ts';
import type { INJECTED, Rig } from './rig.ts';
import { type Spread, spreadOf, told } from './spread.ts';
import { type Stretch, type Taken, take, WAYS, type Way } from './ways.ts';

/** What a set was to the writer, on a host that AWS was `times` as slow for as usual. */
export interface Round extends Pick<Taken, 'gapMs' | 'usualMs' | 'stretches'> {
  way: Way;
  times: number;
}

export interface Stalls {
  injected: typeof INJECTED;
  rounds: Round[];
}

/** Takes a set, and forgets it again. */
export async function roundOf(rig: Rig, way: Way, times: number): Promise<Round> {
  rig.inject(times);
  const { gapMs, usualMs, stretches, snapshotIds } = await take(rig, way);
  await rig.forget(snapshotIds);
  console.log(`${way} ×${times}: ${gapMs} ms, usually ${usualMs} ms`);
  return { way, times, gapMs, usualMs, stretches };
}

export const stallOf = (stalls: Stalls, way: Way, times = 1): Spread => spreadOf(of(stalls, way, times).map(stall));

export const stall = ({ gapMs, usualMs }: Round): number => Math.max(0, gapMs - usualMs);

export const of = ({ rounds }: Stalls, way: Way, times = 1): Round[] =>
  rounds.filter((round) => round.way === way && round.times === times);

export function stallTable(stalls: Stalls, ways: readonly Way[]): string {
  const floor = stallOf(stalls, 'no-freeze').median;
  const usual = (way: Way) => spreadOf(of(stalls, way).map(({ usualMs }) => usualMs));
  const rows = ways.map((way) => {
    const ms = stallOf(stalls, way);
    // A floor that is lost among the usual pauses is nothing to measure others by.
    return [WAYS[way], told(ms), told(usual(way)), ...(floor > 0 ? [`${(ms.median / floor).toFixed(1)} ×`] : [])];
  });
  return table(['Way', 'stall ms', 'usual pause ms', ...(floor > 0 ? ['as long as the floor'] : [])], rows);
}

/** Rows: the goal, its bound and what was seen of it. */
export const goalTable = (goals: readonly (readonly [goal: string, boundMs: number, seen: Spread])[]): string =>
  table(
    ['Goal', 'bound ms', 'seen ms', ''],
    goals.map(([goal, bound, seen]) => [goal, bound.toFixed(0), told(seen), seen.median <= bound ? 'met' : 'missed']),
  );

export function fsFreezeGoal(stalls: Stalls): readonly [string, number, Spread] {
  const { hopMs, createSnapshotsMs } = stalls.injected;
  const bound = 2 * hopMs + createSnapshotsMs + 500;
  return ['`fs-freeze`: what is injected on its path, and 500 ms', bound, stallOf(stalls, 'fs-freeze')];
}

/** Where the stall of `fs-freeze` went, beside what is injected. */
export function partsOfFsFreeze(stalls: Stalls): string {
  const share = (where: Stretch['where']) =>
    told(
      spreadOf(of(stalls, 'fs-freeze').map(({ stretches }) => msOf(stretches, (stretch) => stretch.where === where))),
    );
  return `Of the stall of \`fs-freeze\`, ${share('host')} ms are the host's own work, and
${share('between')} ms lie between: looking for an answer that is there, functions, states.`;
}

/** The milliseconds of those that are meant. */
export const msOf = (stretches: readonly Stretch[], meant: (stretch: Stretch) => boolean): number =>
  stretches.filter(meant).reduce((total, { ms }) => total + ms, 0);

/** Each way by the middle one of its rounds. */
export function chartOf(title: string, stalls: Stalls, ways: readonly Way[]): string {
  const bars = ways.map((way) => {
    const rounds = of(stalls, way).toSorted((a, b) => stall(a) - stall(b));
    const middle = rounds[Math.floor((rounds.length - 1) / 2)];
    return { label: WAYS[way].replaceAll('`', ''), stretches: middle?.stretches ?? [] };
  });
  return barsSvg(title, bars);
}
