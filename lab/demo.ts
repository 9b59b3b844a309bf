/**
 * The whole of Freezeframe on one machine: a MariaDB under load on LVM over RAID0 over four disks is backed up by the
 * shipped workflow, restored on a second machine and checked; beside it the same disks, snapshotted one after another.
 *
 * With --drill the set is drilled instead: restored by the shipped workflow on a machine that it launches itself, verified
 * there, and all of it taken away again.
 *
 *   npm run demo [-- --mode auto|lvm-snapshot|fs-freeze|app-only|crash] [--drill] [--keep] [--json]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MODES } from '../lambdas/shared/names.ts';
import { Account, type Instance } from './account.ts';
import type { Execution } from './aws/execution.ts';
import { drillSummary, playDrill } from './demo/drill.ts';
import { keepOpen } from './demo/keep.ts';
import { Progress } from './demo/progress.ts';
import { type Outcome, summary } from './demo/summary.ts';
import { windowOf } from './demo/window.ts';
import { evidenceOf, hostClock } from './evidence.ts';
import * as workload from './workload.ts';

const TOPOLOGY = 'raid0-lvm-xfs';
/** An emulated processor takes seconds for what a real one does in fractions. */
const LEASE_SECONDS = 120;

const { values: flags } = parseArgs({
  options: {
    mode: { type: 'string', default: 'fs-freeze' },
    drill: { type: 'boolean' },
    keep: { type: 'boolean' },
    json: { type: 'boolean' },
  },
});
if (flags.mode !== 'auto' && !MODES.some((mode) => mode === flags.mode)) {
  console.error(`--mode is ${flags.mode}; expected auto, ${MODES.join(', ')}`);
  process.exit(2);
}

const progress = new Progress(flags.json ? process.stderr : process.stdout);
progress.title('An instance with a database on four disks');
const account = await Account.open({
  first: {
    tags: { 'freezeframe:policy': 'lab', 'freezeframe:mode': flags.mode },
    dataVolumes: workload.TOPOLOGIES[TOPOLOGY],
  },
  policy: { grade: 'application', onDowngrade: 'keep', leaseSeconds: LEASE_SECONDS },
  progress: (text) => progress.say(text),
  timeScale: 0.1,
});
process.once('SIGINT', () => void account.close().then(() => process.exit(130)));
try {
  const [source] = account.instances;
  if (!source) throw new Error('nothing was launched');
  await loaded(source);
  const outcome = flags.drill ? await playDrill(account, progress, source) : await play(source);
  const told = () => ('drill' in outcome ? drillSummary(outcome) : summary(outcome));
  console.log(flags.json ? JSON.stringify(outcome, null, 2) : told());
  process.exitCode = outcome.proven ? 0 : 1;
  if (flags.keep) await keepOpen(account);
} finally {
  await account.close();
}

async function loaded(source: Instance): Promise<void> {
  progress.say(`instance ${source.id} runs, four volumes attached`);
  await workload.provision(source.machine, TOPOLOGY, source.data);
  progress.say('RAID0 (mdadm) under LVM under XFS; MariaDB runs on it');
  await workload.startWriters(source.machine, TOPOLOGY);
  await sleep(3000);
  const before = await workload.acknowledgements(source.machine, 'mariadb');
  progress.say(`under load: ${before.length} transactions acknowledged so far`);
}

async function play(source: Instance): Promise<Outcome> {
  progress.title('Backup: the workflow as it is synthesised');
  account.deployment.stepFunctions.onEvent = (event) => progress.state(event);
  const began = Date.now();
  const execution = await account.backup(source).ended;
  const clock = await hostClock(source);
  await sleep(500);
  const acknowledged = await workload.acknowledgements(source.machine, 'mariadb');
  // The demo believes nothing else.
  const evidence = evidenceOf(account, source, execution);

  progress.title('The same disks, one after another, nothing frozen');
  const naive = await account.volumes.snapshotOneByOne(source.id, source.data, 600);
  await Promise.all(naive.map(({ completed }) => completed));
  progress.say('four snapshots, 0.6 s apart');

  progress.title('Restored on other machines');
  // Three guests would fight for two processors.
  await source.machine.pause();
  const set = account.snapshotsOf(execution.name);
  const images = source.data.map((volumeId) => set.get(volumeId)?.image ?? '');
  const [restored, torn] = await Promise.all([
    images.includes('') ? undefined : account.verify(images, TOPOLOGY),
    account.verify(
      naive.map(({ image }) => image),
      TOPOLOGY,
    ),
  ]);
  progress.say('both restored and checked');
  await source.machine.resume();

  const window = windowOf({
    receipt: evidence?.receipt ?? undefined,
    clock,
    log: account.world.log,
    since: began,
    acknowledged,
  });
  const faults = faultsOf(execution, restored, window.lastAcknowledged);
  return {
    mode: evidence?.mode ?? flags.mode,
    why: evidence?.why ?? '',
    execution: { name: execution.name, status: execution.status, error: execution.error, cause: execution.cause },
    grade: evidence?.grade ?? null,
    reasons: evidence?.reasons ?? [],
    tags: Object.fromEntries([...set.values()][0]?.tags ?? []),
    receipt: evidence?.receipt ?? null,
    window,
    restored,
    torn,
    faults,
    proven: faults.length === 0,
  };
}

function faultsOf(
  execution: Execution,
  restored: workload.Verdict | undefined,
  lastAcknowledged: number | null,
): string[] {
  const faults = [...(restored?.problems ?? ['the set is not whole'])];
  // In mode crash the run must end red, and nothing is promised about the last transaction.
  if (flags.mode === 'crash') return execution.status === 'FAILED' ? faults : [...faults, 'the run ended green'];
  if (execution.status !== 'SUCCEEDED') faults.push(`the run ended ${execution.status}: ${execution.cause}`);
  const last = restored?.databases.mariadb?.maxId;
  if (restored && last !== lastAcknowledged) {
    faults.push(`the last transaction restored is ${last}, the last one acknowledged was ${lastAcknowledged}`);
  }
  return faults;
}
