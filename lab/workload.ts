import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Machine } from './machine.ts';
import { shellQuote } from './shell.ts';

const FILES = join(import.meta.dirname, 'guest');

/** Ways to put the data on volumes; each with the number of data volumes it takes. */
export const TOPOLOGIES = {
  'raid0-lvm-xfs': 4,
  'luks-lvm-xfs': 2,
  'raid1-ext4': 2,
  'lvm-striped': 2,
  'lvm-thin': 2,
  'data-and-log': 2,
  single: 1,
  root: 0,
} as const;

export type Topology = keyof typeof TOPOLOGIES;
/** Databases that the guest has, each with a writer of its own. */
export type Engine = 'mariadb' | 'postgresql' | 'redis';
export type Writer = Engine | 'files';

/** What the writer had been promised to be durable at `ms` of the guest's monotonic clock. */
export interface Acknowledgement {
  id: number;
  ms: number;
}

/** What a restored set turned out to be worth. `null` where it did not come to that check. */
export interface Verdict {
  assembled: boolean;
  mounted: boolean;
  fsck: 'clean' | 'damaged' | null;
  databases: Partial<Record<Engine, DatabaseVerdict>>;
  files: { ok: number; wrong: number; lastA: number; lastB: number } | null;
  /** LVM snapshots that were merged into their origins. */
  merged: string[];
  problems: string[];
}

export interface DatabaseVerdict {
  started: boolean;
  /** By the engine's own checker: CHECK TABLE, pg_checksums and a whole dump, redis-check-aof. */
  checked: 'OK' | 'damaged' | null;
  maxId: number | null;
  contiguous: boolean | null;
  balance: number | null;
}

/** Builds the topology out of the attached volumes and starts databases with their data on it. */
export async function provision(
  machine: Machine,
  topology: Topology,
  volumeIds: readonly string[],
  engines: readonly Engine[] = ['mariadb'],
): Promise<void> {
  if (volumeIds.length !== TOPOLOGIES[topology]) throw new Error(`${topology} takes ${TOPOLOGIES[topology]} volumes`);
  await machine.exec(`${placeFile('schema-mariadb.sql')}\n${source('provision.sh')}`, {
    args: [topology, engines.join(), ...volumeIds],
    timeoutMs: 180_000,
  });
}

/** Each writer is a systemd unit, `lab-writer-<name>`, so that it can be frozen like an application of the user's. */
export async function startWriters(
  machine: Machine,
  topology: Topology,
  writers: readonly Writer[] = ['mariadb', 'files'],
): Promise<void> {
  const folder = topology === 'root' ? '/var/lib/lab-files' : '/data/files';
  for (const writer of writers) {
    const name = `write-${writer}.pl`;
    const argument = writer === 'files' ? folder : '';
    await machine.exec(`${placeFile(name)}
      systemd-run --quiet --collect --unit=lab-writer-${writer} perl /run/lab/${name} ${argument}`);
  }
  for (const writer of writers) await firstAcknowledgement(machine, writer);
}

export async function stopWriters(machine: Machine, writers: readonly Writer[] = ['mariadb', 'files']): Promise<void> {
  await machine.exec(`systemctl stop ${writers.map((writer) => `lab-writer-${writer}`).join(' ')}`);
}

/** Everything that the writer has been promised so far, in order. */
export async function acknowledgements(machine: Machine, writer: Writer): Promise<Acknowledgement[]> {
  const { stdout } = await machine.exec(`cat ${acksOf(writer)}`);
  return parseAcknowledgements(stdout);
}

export function parseAcknowledgements(text: string): Acknowledgement[] {
  // The last line may be half written.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter(Boolean).map((line) => {
    const [id, ms] = line.split(' ').map(Number);
    return { id: id ?? Number.NaN, ms: ms ?? Number.NaN };
  });
}

/** The longest time without an acknowledgement: how long the writer stood still. */
export function longestGapMs(acknowledged: readonly Acknowledgement[], sinceMs = 0): number {
  const times = acknowledged.map(({ ms }) => ms).filter((ms) => ms >= sinceMs);
  return times.reduce((longest, ms, index) => Math.max(longest, ms - (times[index - 1] ?? ms)), 0);
}

/** Milliseconds of the guest's monotonic clock, the one in the acknowledgements. */
export async function guestMonotonicMs(machine: Machine): Promise<number> {
  const { stdout } = await machine.exec('cut -d" " -f1 /proc/uptime');
  return Math.round(Number(stdout) * 1000);
}

/** Assembles, mounts, checks and starts what was restored onto a fresh machine's volumes. Never throws for bad data. */
export async function verify(
  machine: Machine,
  topology: Topology,
  volumeIds: readonly string[],
  engines: readonly Engine[] = ['mariadb'],
): Promise<Verdict> {
  return runVerify(machine, '', [topology, engines.join(), ...volumeIds]);
}

/**
 * Checks and starts what is mounted already, beside an original that runs on the same machine: in a namespace in which
 * `places` lie where they lay on the original, since absolute links and configurations lead there.
 */
export async function verifyMounted(
  machine: Machine,
  topology: Topology,
  places: readonly { mount: string; at: string }[],
  engines: readonly Engine[] = ['mariadb'],
): Promise<Verdict> {
  const binds = places.map(({ mount, at }) => {
    const to = shellQuote(topology === 'root' ? '/restored' : mount);
    return `mkdir -p ${to}; mount --bind ${shellQuote(at)} ${to}`;
  });
  return runVerify(machine, `${binds.join('\n')}\nip link set lo up`, [topology, engines.join()]);
}

async function runVerify(machine: Machine, before: string, args: readonly string[]): Promise<Verdict> {
  const files = readdirSync(join(FILES, 'verify')).map((name) => placeFile(`verify/${name}`));
  const verify = `perl /run/lab/verify/verify.pl ${args.map(shellQuote).join(' ')}`;
  const script = before ? `unshare -m -n bash -c ${shellQuote(`set -e\n${before}\n${verify}`)}` : `exec ${verify}`;
  const { stdout } = await machine.exec([...files, script].join('\n'), { timeoutMs: 300_000 });
  return JSON.parse(stdout) as Verdict;
}

async function firstAcknowledgement(machine: Machine, writer: Writer): Promise<void> {
  const unit = `lab-writer-${writer}`;
  await machine.exec(`for _ in {1..300}; do [[ -s ${acksOf(writer)} ]] && exit; sleep 0.1; done
    journalctl --no-pager -n 20 -u ${unit}; exit 1`);
}

function acksOf(writer: Writer): string {
  return `/run/lab/acks-${writer}`;
}

function placeFile(name: string): string {
  return `mkdir -p /run/lab/${dirname(name)}; printf %s ${shellQuote(source(name))} >/run/lab/${name}`;
}

function source(name: string): string {
  return readFileSync(join(FILES, name), 'utf8');
}
