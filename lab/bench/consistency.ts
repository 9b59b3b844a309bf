import { setTimeout as sleep } from 'node:timers/promises';
import { GuestServer, TOPOLOGY } from './guest-server.ts';
import { type Machine, measuredOn, type Part, table } from './page.ts';
import type { Rig } from './rig.ts';
import { take, WAYS, type Way } from './ways.ts';

type Name = Way | 'naive';

interface Round {
  way: Name;
  mounted: boolean;
  /** The file system's own checker. */
  clean: boolean;
  started: boolean;
  wrongFiles: number;
  files: number;
  /** Transactions that were acknowledged before the set was taken, and are not in it. */
  lost: number;
  /** What the set says of itself; nothing where nobody grades. */
  grade?: string | null;
  problems: readonly string[];
}

interface Results {
  machine: Machine;
  rounds: Round[];
}

const NAMES: Record<Name, string> = { ...WAYS, naive: 'disks one after another, nothing frozen' };
/** Held or not, disks taken one by one under a freeze are one instant: that way is the window's to show. */
const ORDER: readonly Name[] = ['lvm-snapshot', 'fs-freeze', 'document', 'no-freeze', 'naive'];

/** Load before each set, so that it holds what the last one did not. */
const LOAD_MS = 3_000;

/** What sets are worth: taken under load in one way or another, each restored on a machine of its own and checked. */
export const consistency: Part = {
  async measure({ rounds = 50, minutes = Number.POSITIVE_INFINITY, before, save }) {
    const end = Date.now() + minutes * 60_000;
    const measured = [...((before as Results | undefined)?.rounds ?? [])];
    const rig = await GuestServer.rig((text) => console.log(text));
    try {
      rig.inject(1);
      for (const way of Array.from({ length: rounds }, () => ORDER).flat()) {
        if (Date.now() > end) break;
        const round = way === 'naive' ? await naive(rig) : await one(rig, way);
        measured.push(round);
        console.log(JSON.stringify(round));
        save({ rounds: measured });
      }
      return { rounds: measured };
    } finally {
      await rig.close();
    }
  },

  render(results: Results) {
    const rows = ORDER.map((way) => {
      const of = results.rounds.filter((round) => round.way === way);
      const count = (is: (round: Round) => boolean) => of.filter(is).length;
      const sum = (value: (round: Round) => number) => of.reduce((total, round) => total + value(round), 0);
      return [
        NAMES[way],
        of.length,
        count(({ mounted }) => mounted),
        count(({ clean }) => clean),
        count(({ started }) => started),
        `${sum(({ wrongFiles }) => wrongFiles)} of ${sum(({ files }) => files)}`,
        sum(({ lost }) => lost),
        count(isFalse),
      ];
    });
    return `
${measuredOn(results)} On ${TOPOLOGY}, MariaDB and a writer of files under load; each set restored on another guest.

${table(['Way', 'rounds', 'mounted', 'checked clean', 'database started', 'wrong files', 'lost transactions', 'false grades'], rows)}

A transaction is lost when it was acknowledged before the set was taken (before its first disk was, or its lock was there) and the restored
database lacks it. A grade is false when a set that says \`application\` fails any check, or has another last transaction
than its lock promises; sets of the other ways bear none.
`;
  },
};

const isFalse = ({ grade, problems }: Round): boolean => grade === 'application' && problems.length > 0;

async function one(rig: Rig<GuestServer>, way: Way): Promise<Round> {
  const { images, snapshotIds, grade, least, most } = await take(rig, way, LOAD_MS);
  const round = await verified(rig, way, images, { least, most });
  await rig.forget(snapshotIds);
  return { ...round, ...(grade !== undefined && { grade }) };
}

/** As a loop of CreateSnapshot over the volumes would. */
async function naive(rig: Rig<GuestServer>): Promise<Round> {
  const { account, source } = rig;
  const at = await source.now();
  const taken = await account.volumes.snapshotOneByOne(source.id, source.data, 600);
  await Promise.all(taken.map(({ completed }) => completed));
  await sleep(500);
  const least = (await source.acknowledgements()).findLast(({ ms }) => ms <= at)?.id ?? 0;
  const images = taken.map(({ image }) => image);
  const round = await verified(rig, 'naive', images, { least, most: Number.POSITIVE_INFINITY });
  for (const image of images) await account.volumes.deleteImage(image);
  return round;
}

async function verified(
  { account, source }: Rig<GuestServer>,
  way: Name,
  images: readonly string[],
  { least, most }: { least: number; most: number },
): Promise<Round> {
  // Two guests would fight for the processors.
  await source.machine.pause();
  const verdict = await account.verify(images, TOPOLOGY);
  await source.machine.resume();
  const { mariadb } = verdict.databases;
  const last = mariadb?.maxId ?? 0;
  const { ok = 0, wrong = 0 } = verdict.files ?? {};
  return {
    way,
    mounted: verdict.mounted,
    clean: verdict.fsck === 'clean',
    started: mariadb?.started ?? false,
    wrongFiles: wrong,
    files: ok + wrong,
    lost: Math.max(0, least - last),
    problems: [
      ...verdict.problems.map((problem) => problem.split('\n')[0]?.slice(0, 200) ?? ''),
      ...(last > most ? [`${last - most} transactions more than the lock allows`] : []),
      ...(last < least ? [`${least - last} acknowledged transactions are lost`] : []),
    ],
  };
}
