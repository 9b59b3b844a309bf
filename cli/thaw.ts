import { LONGEST_LEASE_SECONDS, THAW_MS } from '../lambdas/shared/budget.ts';
import { type Receipt, RunId, ThawAnswer } from '../lambdas/shared/contracts.ts';
import { BACKUP, DOCUMENTS } from '../lambdas/shared/names.ts';
import { owedThaw } from '../lambdas/shared/owed-thaw.ts';
import { runCommand } from '../lambdas/shared/run-command.ts';
import { executionsOf, historyOf } from '../lambdas/shared/sfn.ts';
import { commandChannel } from '../lambdas/shared/ssm.ts';
import { type Command, instanceIdOf } from './command.ts';
import type { Desk } from './desk.ts';
import { EXIT, UsageError } from './failures.ts';
import { inTurn } from './in-turn.ts';
import { type Paint, paintFor } from './terminal.ts';
import { duration } from './words.ts';

export const thaw: Command = {
  name: 'thaw',
  summary: 'thaw a host now, whatever its run is doing: the emergency',
  about: [
    'Looks which run of the instance may hold it frozen, and sends the document Freezeframe-Thaw for it, past every workflow. It never freezes, and to thaw what is not frozen does no harm. The set of a run that is thawed so is graded crash.',
    'You will hardly need it: a run thaws its host whatever happens, the rescue does in its place, and the host itself does at the end of the lease. Where the agent does not answer, the command says what to do on the host.',
    'Ends with 0 when the host has confirmed that nothing of the run is frozen, or when no run can hold it.',
  ],
  arguments: [{ name: 'instance' }],
  options: {
    run: {
      type: 'string',
      value: 'ID',
      help: 'thaw for this run: the name of its execution; without it runs are looked for',
    },
  },
  examples: [
    ['freezeframe thaw i-0123456789abcdef0', 'Whatever holds it.'],
    [
      'freezeframe thaw i-0123456789abcdef0 --run i-0123456789abcdef0-2026-11-24T030000Z',
      'Without asking Step Functions first.',
    ],
  ],
  run: async ({ arguments: [instance = ''], options, desk, terminal }) => {
    const instanceId = instanceIdOf(instance);
    const named = options.text('run');
    if (named !== undefined && !RunId.safeParse(named).success)
      throw new UsageError(`${named} is no name of an execution`);
    if (named === undefined) terminal.show([`~ looking for runs of ${instanceId} that may hold it`]);
    const runs = named === undefined ? (await holders(desk, instanceId)).map(({ run }) => run) : [named];
    const thawed: Thawed[] = [];
    for (const run of runs) {
      terminal.show([`~ thawing ${instanceId} for run ${run}`]);
      thawed.push(await thawFor(run, instanceId, desk));
    }
    terminal.settle();
    return {
      json: { instance: instanceId, runs: thawed },
      text: described(instanceId, thawed, paintFor(terminal.out)),
      exit: thawed.every(({ error }) => error === null) ? EXIT.done : EXIT.bad,
    };
  },
};

/** A host thaws itself at the end of its lease: what is older than the longest one, and some, holds nothing. */
const OVERDUE_MS = (LONGEST_LEASE_SECONDS + 120) * 1_000;
/** Runs that have ended are looked at for so long after that. */
const LOOK_BACK_MS = 2 * OVERDUE_MS;
/** The longest that a run can wait for its snapshots is two days, and a fleet starts its runs late. */
const LONGEST_RUN_MS = 72 * 3_600_000;
/** Histories read at once: Step Functions gives 20 a second and account. */
const AT_ONCE = 5;

export interface Holder {
  run: string;
  instance: string;
  since: number;
  /** Longer than any lease. */
  overdue: boolean;
}

/** Runs, of one instance or of all, that have entered Freeze and not thawed since. */
export const holders = async (desk: Desk, instanceId?: string): Promise<Holder[]> => {
  const backup = await desk.machine(BACKUP);
  const now = desk.clock.now();
  const found = await Promise.all(
    (['RUNNING', 'FAILED', 'TIMED_OUT', 'ABORTED'] as const).map((status) =>
      executionsOf(desk.sfn)(backup, status, now - LONGEST_RUN_MS),
    ),
  );
  const candidates = found
    .flat()
    .filter(
      ({ name, stoppedAt }) =>
        (instanceId === undefined || name.startsWith(`${instanceId}-`)) &&
        (stoppedAt === undefined || stoppedAt > now - LOOK_BACK_MS),
    );
  const owed = await inTurn(candidates, AT_ONCE, async ({ arn, name }) => {
    const { since } = await owedThaw(historyOf(desk.sfn)(arn));
    const instance = /^(i-[0-9a-f]+)-/.exec(name)?.[1] ?? '';
    return since === undefined ? [] : [{ run: name, instance, since, overdue: now - since > OVERDUE_MS }];
  });
  return owed.flat();
};

interface Thawed {
  run: string;
  thawedBy: Receipt['thawedBy'];
  /** Whether the host has ever frozen for this run, as far as it knows. */
  receipt: Receipt | null;
  error: { name: string; message: string } | null;
}

const thawFor = async (run: string, instanceId: string, desk: Desk): Promise<Thawed> => {
  try {
    const { answer } = await runCommand(
      commandChannel(desk.ssm),
      desk.clock,
      {
        document: DOCUMENTS.thaw,
        pinned: undefined,
        instanceId,
        parameters: { Run: run, Why: 'hand' },
        comment: 'freezeframe thaw',
      },
      ThawAnswer,
      THAW_MS,
    );
    return { run, thawedBy: answer.receipt?.thawedBy ?? null, receipt: answer.receipt, error: null };
  } catch (error) {
    const { name, message } = error as Error;
    return { run, thawedBy: null, receipt: null, error: { name, message } };
  }
};

const described = (instanceId: string, runs: readonly Thawed[], paint: Paint): string => {
  if (runs.length === 0) {
    return `${paint.good('✔')} No run of the last days has frozen ${instanceId} and not thawed it. If it hangs all the same, look at the host: cat /run/freezeframe/active/run names the run that holds it, and nothing where there is none.`;
  }
  return runs
    .map(({ run, receipt, error }) => {
      if (error) return `${paint.bad('✘')} ${run}: ${error.message}\n\n${byHand(instanceId, paint)}`;
      if (!receipt)
        return `${paint.good('✔')} ${run}: the host holds nothing of it, and knows of no freeze (it never froze, or has rebooted since).`;
      const frozen =
        receipt.stalledAt !== null && receipt.releasedAt !== null
          ? `, after ${duration((receipt.releasedAt - receipt.stalledAt) * 1_000)}`
          : '';
      return `${paint.good('✔')} ${run}: thawed by ${receipt.thawedBy === 'hand' ? 'this command' : receipt.thawedBy}${frozen}. Nothing of it is frozen.`;
    })
    .join('\n');
};

const byHand = (instanceId: string, paint: Paint): string =>
  [
    paint.bold(`By hand, as root on ${instanceId}`),
    '  bash /run/freezeframe/thaw           # lets go of whatever freezeframe holds',
    '  systemctl status amazon-ssm-agent    # why the command did not get there',
    'If nobody can log in, reboot the instance: a freeze lives in the memory of its kernel.',
    'The host thaws itself at the end of its lease, too, with no agent and no network.',
  ].join('\n');
