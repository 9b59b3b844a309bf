import type { Account } from '../account.ts';
import { withDeadline } from '../deadline.ts';
import type { Choice } from './matrix.ts';
import type { Report } from './report.ts';
import { commands } from './ring3-commands.ts';
import { databases } from './ring3-databases.ts';
import { hosts } from './ring3-hosts.ts';
import { processes } from './ring3-processes.ts';
import { Stage } from './stage.ts';

/** One thing that goes wrong on the host. Throws when something stays held, or a receipt claims what was not so. */
export interface Case {
  readonly name: string;
  run(stage: Stage): Promise<string>;
}

/** A reboot under emulation on a busy machine has taken five minutes. */
const CASE_DEADLINE_MS = 600_000;

/** The host thaws itself, whatever dies: every fault on a real host under load, with the documents as they ship. */
export async function ring3(account: Account, report: Report, { only }: Choice): Promise<void> {
  const all: readonly Case[] = [...processes, ...databases, ...hosts, ...commands];
  await tryCases(account, report, 'ring3', 'Ring 3: the host thaws itself', all, only);
}

export async function tryCases(
  account: Account,
  report: Report,
  part: string,
  title: string,
  all: readonly Case[],
  only: readonly string[],
): Promise<void> {
  const cases = all.filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)));
  if (cases.length === 0) return;
  report.title(title);
  let stage: Stage | undefined;
  await report.try(part, `${part} stands`, async () => {
    const opened = await Stage.open(account);
    stage = opened;
    await opened.documents.inspect();
    return 'a database and files under load on three file systems of one volume group';
  });
  if (!stage) return;
  try {
    for (const { name, run } of cases) {
      const here = stage;
      const passed = await report.try(part, name, () => withDeadline(run(here), CASE_DEADLINE_MS, name));
      if (!passed) report.say(await here.testimony());
      await here.recover();
      // A case that broke off may have left the host another one.
      if (!passed) await here.documents.inspect();
    }
  } finally {
    await stage.close();
  }
}
