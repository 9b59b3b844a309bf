import { execFileSync } from 'node:child_process';
import { GuestServer } from './guest-server.ts';
import { type Machine, measuredOn, type Part } from './page.ts';
import { INJECTED } from './rig.ts';
import { type Spread, spreadOf, told } from './spread.ts';
import {
  chartOf,
  fsFreezeGoal,
  goalTable,
  msOf,
  of,
  partsOfFsFreeze,
  roundOf,
  type Stalls,
  stall,
  stallOf,
  stallTable,
} from './stalls.ts';
import { LVCREATE_STRETCH, WAYS, type Way } from './ways.ts';

interface Results extends Stalls {
  machine: Machine;
  /** `lvcreate -s` by itself, on the same host under the same load. */
  lvcreateMs: number[];
  /** The same loop of bash, in the guest and on the machine that emulates it. */
  loopMs: { guest: number; host: number };
}

const ALL = Object.keys(WAYS) as Way[];

/** The frozen window as the writer feels it: the longest time between two acknowledged transactions. */
export const frozenWindow: Part = {
  async measure({ rounds = 3, minutes = Number.POSITIVE_INFINITY, before, save }) {
    const end = Date.now() + minutes * 60_000;
    const earlier = before as Results | undefined;
    const measured = [...(earlier?.rounds ?? [])];
    const lvcreateMs = [...(earlier?.lvcreateMs ?? [])];
    const rig = await GuestServer.rig((text) => console.log(text));
    try {
      const loopMs = { guest: Number(await rig.source.exec(LOOP)), host: Number(execFileSync('bash', ['-c', LOOP])) };
      const results = () => ({ injected: INJECTED, rounds: measured, lvcreateMs, loopMs });
      const all = [...ALL.map((way) => [way, 1] as const), ['lvm-snapshot', 10] as const];
      for (const [way, times] of Array.from({ length: rounds }, () => all).flat()) {
        if (Date.now() > end) break;
        measured.push(await roundOf(rig, way, times));
        if (way === 'lvm-snapshot') lvcreateMs.push(Number(await rig.source.exec(LVCREATE)));
        save(results());
      }
      return results();
    } finally {
      await rig.close();
    }
  },

  render(results: Results) {
    const { injected, loopMs } = results;
    const lvcreate = spreadOf(results.lvcreateMs);
    return `
${measuredOn(results)} The guest runs the same loop of bash ${(loopMs.guest / loopMs.host).toFixed(0)} times as long
as this machine does. Injected: ${injected.hopMs} ms each hop of Run Command, ${injected.createSnapshotsMs} ms CreateSnapshots.
Rounds of each way in one run, on one host: ${stallOf(results, 'fs-freeze').times}. It has RAID0 of four disks, LVM, XFS, MariaDB under load.

The stall is the longest time between two acknowledged transactions, less the longest one of the ten seconds before.

${stallTable(results, ALL)}

![Where the milliseconds of each way go](images/frozen-window.svg)

${goalTable([
  fsFreezeGoal(results),
  ['`lvm-snapshot`: its lvcreate by itself, and 200 ms', lvcreate.median + 200, stallOf(results, 'lvm-snapshot')],
  [
    '`lvm-snapshot` with ten times the latencies: the same',
    lvcreate.median + 200,
    stallOf(results, 'lvm-snapshot', 10),
  ],
  ['`lvm-snapshot`: what it takes beside the lvcreate in it', 200, besidesLvcreate(results, 1)],
  ['`lvm-snapshot` with ten times the latencies: the same', 200, besidesLvcreate(results, 10)],
])}

lvcreate by itself takes ${told(lvcreate)} ms here, right after each of those sets; it varies by more than 200 ms, so the last two
rows count each stall against the very lvcreate that was in it. ${partsOfFsFreeze(results)}
`;
  },

  drawing: {
    file: 'frozen-window.svg',
    draw: (results: Results) =>
      chartOf(
        'Where the milliseconds of a frozen window go, on an emulated processor',
        results,
        ALL.filter((way) => way !== 'no-freeze'),
      ),
  },
};

const besidesLvcreate = (results: Results, times: number): Spread =>
  spreadOf(
    of(results, 'lvm-snapshot', times).map(
      (round) => stall(round) - msOf(round.stretches, ({ what }) => what === LVCREATE_STRETCH),
    ),
  );

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
