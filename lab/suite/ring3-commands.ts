import { setTimeout as sleep } from 'node:timers/promises';
import type { Frozen } from './documents.ts';
import { refute } from './report.ts';
import type { Case } from './ring3.ts';
import { CLEARING_SECONDS, type Stage, TCG_ALLOWANCE_SECONDS } from './stage.ts';

const CYCLES = 20;

/** Without a fork: what waits on an emulated processor must not keep it busy. */
function inJournal(act: string): string {
  return `{ mapfile -t journal </run/freezeframe/active/journal && [[ " \${journal[*]} " == *" ${act} "* ]]; } 2>/dev/null`;
}

/** Conditions on the host that tell how far a freeze has come. */
const MOMENTS = {
  'being prepared': '[ -e /run/freezeframe/lock ]',
  'the watchdog is armed': '[ -e /run/freezeframe/active/armed ]',
  'the holder has begun': '[ -e /run/freezeframe/active/holding ]',
  'the database is locked': inJournal('app'),
  'the first file system freezes': inJournal('fs'),
} as const;

/** Commands that come late, double, together, or are killed by SSM. */
export const commands: readonly Case[] = [
  ...Object.entries(MOMENTS).flatMap(([moment, condition]): Case[] => [
    {
      name: `freeze cancelled: ${moment}, thaw asked for`,
      async run(stage) {
        const { run, status } = await cancelled(stage, condition);
        await stage.documents.thaw(run);
        await stage.clean();
        return `the command ended ${status}, the thaw released all`;
      },
    },
    {
      name: `freeze cancelled: ${moment}, lease runs out`,
      async run(stage) {
        const { lease, status } = await cancelled(stage, condition);
        await stage.clean(lease + 2 + TCG_ALLOWANCE_SECONDS + CLEARING_SECONDS);
        return `the command ended ${status}, the lease released all`;
      },
    },
  ]),
  ...[1, 3].map(
    (seconds): Case => ({
      name: `freeze timed out in SSM after ${seconds} s`,
      async run(stage) {
        const lease = 20;
        const { status } = await stage.documents.freeze({ run: stage.newRun(), lease, timeoutSeconds: seconds });
        await stage.clean(lease + 2 + TCG_ALLOWANCE_SECONDS + CLEARING_SECONDS);
        return `the command ended ${status}, the lease released all`;
      },
    }),
  ),
  {
    name: 'thaw before the freeze',
    async run(stage) {
      const run = stage.newRun();
      const { receipt } = await stage.documents.thaw(run);
      const { error } = await stage.documents.freeze({ run });
      await stage.clean();
      refute([receipt !== null && 'there is a receipt', error?.code !== 'AlreadyThawed' && `error ${error?.code}`]);
      return `${error?.code}: ${error?.message}`;
    },
  },
  ...Object.entries(MOMENTS).map(
    ([moment, condition]): Case => ({
      name: `thaw during the freeze: ${moment}`,
      async run(stage) {
        const run = stage.newRun();
        const { answer } = await stage.documents.beginFreeze({ run, lease: 60 });
        await stage.when(condition);
        const thawed = await stage.documents.thaw(run);
        const { error, receipt } = await answer;
        await stage.clean();
        const early = ['AlreadyThawed', 'ThawedDuringFreeze'].includes(error?.code ?? '');
        refute([!receipt && !early && `error ${error?.code}: ${error?.message}`]);
        return receipt ? `frozen just before, thawed by ${thawed.receipt?.thawedBy}` : `${error?.code}`;
      },
    }),
  ),
  {
    name: 'two thaws at once',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      const [one, two] = await Promise.all([stage.documents.thaw(held.run), stage.documents.thaw(held.run)]);
      await stage.clean();
      refute([JSON.stringify(one) !== JSON.stringify(two) && 'they answer differently']);
      return stage.judge(held, one, { thawedBy: 'asked', grade: 'application' });
    },
  },
  {
    name: 'freeze delivered twice',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      const again = await stage.documents.freeze({ run: held.run });
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      const late = await stage.documents.freeze({ run: held.run });
      await stage.clean();
      refute([
        again.error?.code !== 'Busy' && `the second one, while it held: ${again.error?.code}`,
        late.error?.code !== 'AlreadyThawed' && `the third one, after it: ${late.error?.code}`,
      ]);
      return `Busy, then AlreadyThawed; ${said}`;
    },
  },
  {
    name: 'thaw of another run',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      await stage.documents.thaw('somebody-elses-run');
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
  {
    name: `${CYCLES} freezes and thaws at once`,
    async run(stage) {
      const answers = await Promise.all(Array.from({ length: CYCLES }, () => cycle(stage)));
      await stage.clean();
      const held = answers.flatMap(({ receipt }) => (receipt ? [receipt] : []));
      const spans = held
        .map(({ stalledAt, releasedAt }) => [stalledAt ?? 0, releasedAt ?? Number.POSITIVE_INFINITY] as const)
        .sort(([a], [b]) => a - b);
      const errors = answers.flatMap(({ error }) => (error ? [error.code] : []));
      const allowed = ['Busy', 'AlreadyThawed', 'ThawedDuringFreeze'];
      refute([
        held.length === 0 && 'none froze',
        held.length + errors.length !== CYCLES && 'some gave no answer',
        ...errors.filter((code) => !allowed.includes(code)).map((code) => `error ${code}`),
        ...spans.map(([from], index) => from < (spans[index - 1]?.[1] ?? 0) && 'two held the host at once'),
      ]);
      return `${held.length} froze, one after another; ${errors.length} were refused (${[...new Set(errors)].join(', ')})`;
    },
  },
  {
    name: 'the second of three file systems is frozen by somebody else',
    async run(stage) {
      await stage.exec('fsfreeze -f /data2');
      const { error } = await stage.documents.freeze({ run: stage.newRun(), lease: 40 });
      const left = await stage.leftovers();
      const theirs = await stage.exec('fsfreeze -u /data2 && echo theirs || true');
      await stage.clean();
      refute([
        error?.code !== 'AlreadyFrozen' && `error ${error?.code}: ${error?.message}`,
        theirs !== 'theirs' && 'their freeze was taken from them',
        ...left.filter((line) => line !== 'a write to /data2 is blocked'),
      ]);
      return `${error?.code}: ${error?.message}`;
    },
  },
];

/** Begins a freeze and has SSM cancel it at a moment, to which an emulated and shared processor comes within this lease. */
async function cancelled(stage: Stage, condition: string) {
  const run = stage.newRun();
  const lease = 45;
  const { answer, cancel } = await stage.documents.beginFreeze({ run, lease });
  await stage.when(condition);
  await cancel();
  const { status } = await answer;
  return { run, lease, status };
}

/** One freeze and its thaw; the receipt as it is after the thaw. */
async function cycle(stage: Stage): Promise<Frozen> {
  const run = stage.newRun();
  const frozen = await stage.documents.freeze({ run, lease: 30 });
  await sleep(200);
  const { receipt } = await stage.documents.thaw(run);
  return { ...frozen, receipt: frozen.receipt && (receipt ?? undefined) };
}
