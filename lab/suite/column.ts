import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteSnapshotCommand } from '@aws-sdk/client-ec2';
import type { QuietMode, Verdict as RunVerdict } from '../../lambdas/shared/contracts.ts';
import { SET_TAGS, USER_TAGS } from '../../lambdas/shared/names.ts';
import type { Account, Instance } from '../account.ts';
import type { Execution } from '../aws/execution.ts';
import { type Window, windowOf } from '../demo/window.ts';
import { evidenceOf, hostClock } from '../evidence.ts';
import { type Promised, promiseOf, promisesBroken } from '../promise.ts';
import * as workload from '../workload.ts';
import { expectationOf, type Miss } from './cells.ts';
import { leftovers, mountsOf } from './leftovers.ts';
import { type Report, refute } from './report.ts';

/** Databases on one topology, and the modes in which it is backed up. */
export interface Column {
  readonly part: string;
  readonly topology: workload.Topology;
  readonly engines: readonly workload.Engine[];
  readonly modes: readonly QuietMode[];
}

/** One topology: one machine serves all of its modes and rounds. */
export async function column(account: Account, report: Report, of: Column, rounds: number): Promise<void> {
  const { part, topology, engines, modes } = of;
  const source = await account.launch({
    tags: { [USER_TAGS.policy]: 'lab' },
    dataVolumes: workload.TOPOLOGIES[topology],
  });
  const members = topology === 'root' ? [source.root] : source.data;
  try {
    await workload.provision(source.machine, topology, source.data, engines);
    await workload.startWriters(source.machine, topology, [...engines, 'files']);
    for (const mode of modes) {
      const expected = expectationOf(mode, topology);
      account.world.ec2.instances.get(source.id)?.tags.set(USER_TAGS.mode, mode);
      if (expected.error) {
        await report.try(part, `${topology} ${mode}`, () => missed(account, source, topology, expected));
        continue;
      }
      for (let round = 1; round <= rounds; round += 1) {
        const name = `${topology} ${mode} ${round}`;
        let taken: Taken | undefined;
        const whole = await report.try(part, `${name} taken`, async () => {
          taken = await take(account, source, of);
          return `window ${taken.windowMs} ms, longest pause of a writer ${taken.window.longestPauseMs} ms (usual ${taken.window.usualPauseMs} ms), grade ${taken.grade}`;
        });
        const set = taken;
        if (!whole || !set) continue;
        // Two guests would fight for the processors, and both be slower than one after the other.
        await source.machine.pause();
        await report.try(part, `${name} restored`, () => restored(account, of, mode, members, set));
        await source.machine.resume();
      }
    }
  } finally {
    await account.terminate(source);
  }
}

export interface Taken {
  readonly run: string;
  readonly grade: RunVerdict['grade'];
  readonly windowMs: number | null;
  readonly window: Window;
  readonly promised: readonly [workload.Engine, Promised | undefined][];
}

/** One round: a run that succeeds with grade application, and a host on which nothing of it remains. */
export async function take(account: Account, source: Instance, { topology, engines }: Column): Promise<Taken> {
  const before = await workload.guestMonotonicMs(source.machine);
  await sleep(1000);
  const since = Date.now();
  const execution = await account.backup(source).ended;
  const clock = await hostClock(source);
  await sleep(300);
  const evidence = evidenceOf(account, source, execution);
  if (execution.status !== 'SUCCEEDED') {
    throw new Error(`the run ended ${execution.status}: ${execution.error}: ${execution.cause} (${evidence?.why})`);
  }
  const receipt = evidence?.receipt ?? undefined;
  const promised: [workload.Engine, Promised | undefined][] = [];
  for (const engine of engines) {
    const acknowledged = await workload.acknowledgements(source.machine, engine);
    promised.push([engine, receipt && promiseOf(receipt, engine, acknowledged)]);
  }
  refute([
    evidence === undefined && 'no receipt is stored',
    evidence?.grade !== 'application' && `grade ${evidence?.grade}: ${evidence?.reasons.join('; ')}`,
    ...promised.map(([engine, what]) => !what && `${engine} was not quieted`),
    ...faultsOfTags(account, source, execution, 'application'),
    ...(await leftovers(source.host, mountsOf(topology))),
  ]);
  const acknowledged = await workload.acknowledgements(source.machine, 'mariadb');
  const window = windowOf({
    receipt,
    clock,
    log: account.world.log,
    since,
    acknowledged: acknowledged.filter(({ ms }) => ms > before),
  });
  const { grade = null, windowMs = null } = evidence ?? {};
  return { run: execution.name, grade, windowMs, window, promised };
}

/** Restores the set on a machine of its own: nothing damaged, and not one acknowledged transaction more or less. */
export async function restored(
  account: Account,
  { topology, engines }: Column,
  mode: QuietMode,
  members: readonly string[],
  { run, promised }: Taken,
): Promise<string> {
  const set = account.snapshotsOf(run);
  const images = members.map((volumeId) => set.get(volumeId)?.image ?? '');
  const verdict = await account.verify(images, topology, engines);
  const last = (engine: workload.Engine) => verdict.databases[engine]?.maxId ?? Number.NaN;
  refute([
    ...verdict.problems,
    mode === 'lvm-snapshot' && verdict.merged.length === 0 && 'no LVM snapshot was merged',
    ...promisesBroken(promised, last),
  ]);
  await drop(account, run);
  const counts = engines.map((engine) => `${engine} ${last(engine)}`);
  return `${counts.join(', ')} transactions, the last one acknowledged among them; ${verdict.files?.ok} files right`;
}

/** A cell that can't be: the run ends red with the right name, at the right state, and leaves nothing. */
async function missed(
  account: Account,
  source: Instance,
  topology: workload.Topology,
  expected: Miss,
): Promise<string> {
  const execution = await account.backup(source).ended;
  const failedAt = execution.history.findLast(({ type }) => type === 'StateFailed')?.state;
  const frozen = execution.path.includes('Freeze');
  const set = account.snapshotsOf(execution.name);
  refute([
    execution.status !== 'FAILED' && `the run ended ${execution.status}`,
    execution.error !== expected.error && `error ${execution.error}: ${execution.cause}`,
    !execution.cause?.includes(expected.says) && `the cause says: ${execution.cause}`,
    !expected.grade && failedAt !== 'Inspect host' && `it failed at ${failedAt}`,
    !expected.grade && frozen && 'the host was frozen',
    !expected.grade && set.size > 0 && `${set.size} snapshots remain`,
    ...(expected.grade ? faultsOfTags(account, source, execution, expected.grade) : []),
    ...(await leftovers(source.host, mountsOf(topology))),
  ]);
  await drop(account, execution.name);
  return `${execution.error} as it must be, ${expected.grade ? `the set is kept as ${expected.grade}` : 'nothing was frozen'}`;
}

function faultsOfTags(account: Account, source: Instance, { name: run }: Execution, grade: string): string[] {
  const set = account.snapshotsOf(run);
  const devices = [...(account.world.ec2.instances.get(source.id)?.devices ?? [])];
  return devices.flatMap(([device, volumeId]) => {
    const tags = set.get(volumeId)?.tags;
    if (!tags) return [`no snapshot of ${volumeId} (${device})`];
    const expected = {
      [SET_TAGS.set]: run,
      [SET_TAGS.run]: run,
      [SET_TAGS.policy]: 'lab',
      [SET_TAGS.instance]: source.id,
      [SET_TAGS.grade]: grade,
      [SET_TAGS.mode]: account.world.ec2.instances.get(source.id)?.tags.get(USER_TAGS.mode),
      [SET_TAGS.device]: device,
      [SET_TAGS.volume]: volumeId,
    };
    const wrong = Object.entries(expected).filter(([key, value]) => tags.get(key) !== value);
    return [
      ...wrong.map(([key, value]) => `${device}: tag ${key} is ${tags.get(key)}, not ${value}`),
      ...(/^\d+$/.test(tags.get(SET_TAGS.windowMs) ?? '') ? [] : [`${device}: no window in milliseconds`]),
    ];
  });
}

/** Disk space for the next round. */
export async function drop(account: Account, run: string): Promise<void> {
  for (const { id } of account.snapshotsOf(run).values()) {
    await account.ec2.send(new DeleteSnapshotCommand({ SnapshotId: id }));
  }
}
