import { execFileSync } from 'node:child_process';
import { barsSvg } from './bars.ts';
import { type Machine, measuredOn, type Part, table } from './page.ts';
import { INJECTED, Rig } from './rig.ts';
import { type Spread, spreadOf, told } from './spread.ts';
import { type Stretch, take, WAYS, type Way } from './ways.ts';

interface Round {
  way: Way;
  /** How many times as slow as usual AWS was. */
  times: number;
  /** Longest pause of the writer, and without a set; milliseconds. */
  gapMs: number;
  usualMs: number;
  stretches: readonly Stretch[];
}

interface Results {
  machine: Machine;
  injected: typeof INJECTED;
  rounds: Round[];
  /** `lvcreate -s` by itself, on the same host under the same load. */
  lvcreateMs: number[];
  /** The same loop of bash, in the guest and on the machine that emulates it. */
  loopMs: { guest: number; host: number };
}

/** The frozen window as the writer feels it: the longest time between two acknowledged transactions. */
export const frozenWindow: Part = {
  async measure({ rounds = 3, minutes = Number.POSITIVE_INFINITY, before, save }) {
    const end = Date.now() + minutes * 60_000;
    const earlier = before as Results | undefined;
    const measured = [...(earlier?.rounds ?? [])];
    const lvcreateMs = [...(earlier?.lvcreateMs ?? [])];
    const rig = await Rig.open((text) => console.log(text));
    try {
      const loopMs = { guest: Number(await rig.exec(LOOP)), host: Number(execFileSync('bash', ['-c', LOOP])) };
      const results = () => ({ injected: INJECTED, rounds: measured, lvcreateMs, loopMs });
      const all = [...Object.keys(WAYS).map((way) => [way, 1] as const), ['lvm-snapshot', 10] as const];
      for (const [way, times] of Array.from({ length: rounds }, () => all).flat() as [Way, number][]) {
        if (Date.now() > end) break;
        rig.inject(times);
        const { gapMs, usualMs, stretches, snapshotIds } = await take(rig, way);
        await rig.forget(snapshotIds);
        measured.push({ way, times, gapMs, usualMs, stretches });
        if (way === 'lvm-snapshot') lvcreateMs.push(Number(await rig.exec(LVCREATE)));
        console.log(`${way} ×${times}: ${gapMs} ms, usually ${usualMs} ms`);
        save(results());
      }
      return results();
    } finally {
      await rig.close();
    }
  },

  render(results: Results) {
    const stallOf = (way: Way, times = 1) => spreadOf(of(results, way, times).map(stall));
    const floor = stallOf('no-freeze').median;
    const { hopMs, createSnapshotsMs } = results.injected;
    const onThePath = 2 * hopMs + createSnapshotsMs;
    const lvcreate = spreadOf(results.lvcreateMs);
    const own = spreadOf(of(results, 'fs-freeze').map((round) => sum(round.stretches, 'host')));
    const between = spreadOf(of(results, 'fs-freeze').map((round) => sum(round.stretches, 'between')));
    return `
${measuredOn(results)} The guest runs the same loop of bash ${(results.loopMs.guest / results.loopMs.host).toFixed(0)} times as long
as this machine does. Injected: ${hopMs} ms each hop of Run Command, ${createSnapshotsMs} ms CreateSnapshots.
Rounds of each way in one run, on one host: ${stallOf('fs-freeze').times}. It has RAID0 of four disks, LVM, XFS, MariaDB under load.

The stall is the longest time between two acknowledged transactions, less the longest one of the ten seconds before.

${table(
  ['Way', 'stall ms', 'usual pause ms', 'as long as the floor'],
  (Object.keys(WAYS) as Way[]).map((way) => [
    WAYS[way],
    told(stallOf(way)),
    told(spreadOf(of(results, way).map(({ usualMs }) => usualMs))),
    floor > 0 ? `${(stallOf(way).median / floor).toFixed(1)} ×` : '',
  ]),
)}

![Where the milliseconds of each way go](images/frozen-window.svg)

${table(
  ['Goal', 'bound ms', 'seen ms', ''],
  [
    goal('`fs-freeze`: what is injected on its path, and 500 ms', onThePath + 500, stallOf('fs-freeze')),
    goal('`lvm-snapshot`: its lvcreate by itself, and 200 ms', lvcreate.median + 200, stallOf('lvm-snapshot')),
    goal('`lvm-snapshot` with ten times the latencies: the same', lvcreate.median + 200, stallOf('lvm-snapshot', 10)),
  ],
)}

lvcreate by itself takes ${told(lvcreate)} ms here. Of the stall of \`fs-freeze\`, ${told(own)} ms are the host's own work, and
${told(between)} ms lie between: looking for an answer that is there, functions, states, the lab's own disks.
`;
  },

  drawing: { file: 'frozen-window.svg', draw: chartOf },
};

const stall = ({ gapMs, usualMs }: Round): number => Math.max(0, gapMs - usualMs);

const of = ({ rounds }: Results, way: Way, times = 1): Round[] =>
  rounds.filter((round) => round.way === way && round.times === times);

const sum = (stretches: readonly Stretch[], where: Stretch['where']): number =>
  stretches.filter((stretch) => stretch.where === where).reduce((total, { ms }) => total + ms, 0);

const goal = (what: string, bound: number, seen: Spread) => [
  what,
  bound.toFixed(0),
  told(seen),
  seen.median <= bound ? 'met' : 'missed',
];

/** Each way by the middle one of its rounds. */
function chartOf(results: Results): string {
  const bars = (Object.keys(WAYS) as Way[])
    .filter((way) => way !== 'no-freeze')
    .map((way) => {
      const rounds = of(results, way).toSorted((a, b) => stall(a) - stall(b));
      const middle = rounds[Math.floor((rounds.length - 1) / 2)];
      return { label: WAYS[way].replaceAll('`', ''), stretches: middle?.stretches ?? [] };
    });
  return barsSvg('Where the milliseconds of a frozen window go', bars);
}

const LOOP = `began=$EPOCHREALTIME
for ((i = 0; i < 100000; i++)); do :; done
ended=$EPOCHREALTIME
echo $(( (\${ended/./} - \${began/./}) / 1000 ))`;

/** As the host takes an LVM snapshot, without anything around it. */
const LVCREATE = `began=$EPOCHREALTIME
lvcreate -y -q -s -l 5%VG -n bench vg0/data >/dev/null
ended=$EPOCHREALTIME
lvremove -fyq vg0/bench >/dev/null
echo $(( (\${ended/./} - \${began/./}) / 1000 ))`;
