import type { QuietMode } from '../../lambdas/shared/contracts.ts';
import { USER_TAGS } from '../../lambdas/shared/names.ts';
import type { Account, Instance } from '../account.ts';
import { type DrillOutcome, drillOnce } from '../demo/drill.ts';
import * as workload from '../workload.ts';
import { type Column, drop, take } from './column.ts';
import type { Choice } from './matrix.ts';
import { type Report, refute } from './report.ts';

const COLUMNS: readonly (Omit<Column, 'part'> & { modes: readonly QuietMode[] })[] = [
  { topology: 'raid0-lvm-xfs', engines: ['mariadb', 'postgresql', 'redis'], modes: ['lvm-snapshot', 'fs-freeze'] },
  { topology: 'data-and-log', engines: ['mariadb', 'postgresql'], modes: ['fs-freeze'] },
  { topology: 'raid1-ext4', engines: ['mariadb'], modes: ['fs-freeze'] },
  { topology: 'root', engines: ['mariadb'], modes: ['app-only'] },
];

/** Long enough for file system and databases to have moved on; within a second they may be lucky, and only files be wrong. */
const GAP_MS = 8_000;

/** Sets of hosts under load, drilled on guests that the workflow launches; a set of disks taken one after another is found. */
export async function drill(account: Account, report: Report, choice: Choice): Promise<void> {
  report.title('Drills of sets, on machines of their own');
  for (const each of COLUMNS) {
    if (choice.topology && each.topology !== choice.topology) continue;
    const modes = each.modes.filter((mode) => !choice.mode || mode === choice.mode);
    if (modes.length > 0) await column(account, report, { ...each, part: 'drill', modes });
  }
}

async function column(account: Account, report: Report, of: Column): Promise<void> {
  const { topology, engines } = of;
  const source = await account.launch({
    tags: { [USER_TAGS.policy]: 'lab' },
    dataVolumes: workload.TOPOLOGIES[topology],
  });
  try {
    await workload.provision(source.machine, topology, source.data, engines);
    await workload.startWriters(source.machine, topology, [...engines, 'files']);
    for (const mode of of.modes) {
      await report.try('drill', `${topology} ${mode} with ${engines.join(', ')}`, async () => {
        account.world.ec2.instances.get(source.id)?.tags.set(USER_TAGS.mode, mode);
        const { run } = await take(account, source, of);
        const outcome = await drilled(account, source, run);
        refute(outcome.faults);
        const restored = outcome.judged?.seconds.restore;
        const applications = outcome.judged?.checks.filter(({ kind }) => kind === 'application').length;
        if (applications !== engines.length) throw new Error(`${applications} applications were verified`);
        await drop(account, run);
        return `verified; restored in ${restored} s`;
      });
    }
    if (topology !== 'raid0-lvm-xfs') return;
    await report.try('drill', `${topology}, its disks taken one after another`, async () => {
      const { run } = await take(account, source, of);
      const torn = await account.volumes.snapshotOneByOne(source.id, source.data, GAP_MS);
      await Promise.all(torn.map(({ completed }) => completed));
      const set = account.snapshotsOf(run);
      for (const { volumeId, image } of torn) Object.assign(set.get(volumeId) ?? {}, { image });
      const outcome = await drilled(account, source, run);
      refute(outcome.left.map((thing) => `${thing} is left`));
      if (outcome.judged?.verdict !== 'damaged' || !/^failed /.test(outcome.stamps.join())) {
        throw new Error(
          `the verdict is ${outcome.judged?.verdict}, the set says ${outcome.stamps.join()}: ${outcome.cause}`,
        );
      }
      return `found: ${outcome.cause?.slice(0, 120)}`;
    });
  } finally {
    await account.terminate(source);
  }
}

/** Two guests would fight for two processors; a drill asks nothing of the original. */
async function drilled(account: Account, source: Instance, set: string): Promise<DrillOutcome> {
  await source.machine.pause();
  try {
    return await drillOnce(account, source, { set });
  } finally {
    await source.machine.resume();
  }
}
