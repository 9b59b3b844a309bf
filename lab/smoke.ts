/**
 * The lab in one run, without AWS: source under load, snapshots, restore on a second machine, verdict.
 * node lab/smoke.ts [topology] [--one-by-one]
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Machine } from './machine.ts';
import { startMachine } from './start.ts';
import { Volumes } from './volumes.ts';
import * as workload from './workload.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'one-by-one': { type: 'boolean' } } });
const topology = (positionals[0] ?? 'raid0-lvm-xfs') as workload.Topology;
if (!(topology in workload.TOPOLOGIES)) throw new Error(`topologies: ${Object.keys(workload.TOPOLOGIES).join(', ')}`);

const began = performance.now();
const volumes = new Volumes();
const machines: Machine[] = [];
try {
  await main();
} finally {
  for (const machine of machines) await machine.stop();
  await volumes.dispose();
}

async function main(): Promise<void> {
  const rootVolumeId = newId('vol');
  const source = await start(rootVolumeId);
  const dataIds = Array.from({ length: workload.TOPOLOGIES[topology] }, () => newId('vol'));
  for (const volumeId of dataIds) {
    await volumes.create(volumeId, 0.5);
    await volumes.attach(source.instanceId, volumeId);
  }
  say(`${dataIds.length} volumes attached`);
  await workload.provision(source, topology, dataIds);
  say(`${topology} provisioned, database runs`);
  await workload.startWriters(source, topology);
  await sleep(4000);
  const from = await workload.guestMonotonicMs(source);
  const promised = (await workload.acknowledgements(source, 'mariadb')).at(-1);
  say(`under load: ${promised?.id} transactions so far`);

  const ids = topology === 'root' ? [rootVolumeId] : dataIds;
  const taken = values['one-by-one']
    ? await volumes.snapshotOneByOne(source.instanceId, ids, 700)
    : await volumes.snapshot(source.instanceId, ids);
  say('snapshots taken');
  await Promise.all(taken.map(({ completed }) => completed));
  say('snapshots completed');
  await sleep(500);
  for (const writer of ['mariadb', 'files'] as const) {
    const gap = workload.longestGapMs(await workload.acknowledgements(source, writer), from);
    say(`writer ${writer} stood still for ${gap} ms at most`);
  }
  // Two guests would fight for the processors.
  await source.pause();

  const second = await start(newId('vol'));
  const restored: string[] = [];
  for (const { image } of taken) {
    const volumeId = newId('vol');
    restored.push(volumeId);
    await volumes.create(volumeId, 0, image);
    await volumes.attach(second.instanceId, volumeId);
  }
  say('restored volumes attached');
  const verdict = await workload.verify(second, topology, restored);
  say(JSON.stringify(verdict, null, 2));
  if (promised && (verdict.databases.mariadb?.maxId ?? 0) < promised.id)
    verdict.problems.push(`transaction ${promised.id} is lost`);
  say(verdict.problems.length === 0 ? 'the set is whole' : `the set is DAMAGED: ${verdict.problems.join('; ')}`);
  process.exitCode = verdict.problems.length === 0 ? 0 : 1;
}

async function start(rootVolumeId: string): Promise<Machine> {
  const machine = await startMachine({ instanceId: newId('i'), rootVolumeId, progress: say });
  machines.push(machine);
  volumes.addMachine(machine, rootVolumeId);
  say(`${machine.instanceId} runs`);
  return machine;
}

function newId(kind: 'i' | 'vol'): string {
  return `${kind}-0${randomBytes(8).toString('hex')}`;
}

function say(text: string): void {
  console.log(`${((performance.now() - began) / 1000).toFixed(2).padStart(6)} s  ${text}`);
}
