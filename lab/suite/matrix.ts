import type { QuietMode } from '../../lambdas/shared/contracts.ts';
import type { Account } from '../account.ts';
import * as workload from '../workload.ts';
import { type Column, column } from './column.ts';
import type { Report } from './report.ts';

export interface Choice {
  readonly topology: string | undefined;
  readonly mode: string | undefined;
  readonly only: readonly string[];
  readonly rounds: number;
}

const MODES: readonly QuietMode[] = ['lvm-snapshot', 'fs-freeze', 'app-only'];

/** Every mode on every topology under load, every set restored on another machine and checked. */
export async function matrix(account: Account, report: Report, choice: Choice): Promise<void> {
  report.title('Modes × topologies, under load, every set restored');
  const all = Object.keys(workload.TOPOLOGIES) as workload.Topology[];
  await columns(
    account,
    report,
    choice,
    all.map((topology) => ({ part: 'matrix', topology, engines: ['mariadb'], modes: MODES })),
  );
}

const ALL_ENGINES: readonly workload.Engine[] = ['mariadb', 'postgresql', 'redis'];

/** Several databases on one host, data and log together and apart, each under load, each started from the restored set. */
export async function engines(account: Account, report: Report, choice: Choice): Promise<void> {
  report.title('MariaDB, PostgreSQL and Redis on one host, under load, every set restored');
  await columns(account, report, choice, [
    { part: 'engines', topology: 'raid0-lvm-xfs', engines: ALL_ENGINES, modes: ['lvm-snapshot', 'fs-freeze'] },
    { part: 'engines', topology: 'data-and-log', engines: ALL_ENGINES, modes: ['lvm-snapshot', 'fs-freeze'] },
    { part: 'engines', topology: 'single', engines: ALL_ENGINES, modes: ['app-only'] },
  ]);
}

async function columns(account: Account, report: Report, choice: Choice, all: readonly Column[]): Promise<void> {
  for (const each of all) {
    if (choice.topology && each.topology !== choice.topology) continue;
    const modes = each.modes.filter((mode) => !choice.mode || mode === choice.mode);
    await report.try(each.part, `${each.topology} stands`, async () => {
      await column(account, report, { ...each, modes }, choice.rounds);
      return `${modes.join(', ')} tried`;
    });
  }
}
