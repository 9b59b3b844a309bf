import * as z from 'zod/mini';
import { faultsOf } from '../lambdas/shared/input-faults.ts';
import { GRADES, RESTORE } from '../lambdas/shared/names.ts';
import { RestoreAnswer, RestoreWish } from '../lambdas/shared/restore-contracts.ts';
import { instanceIdOf, messageIn, nameIn, runName } from './backup.ts';
import type { Command, Options } from './command.ts';
import { consoleLink } from './desk.ts';
import { EXIT, UsageError } from './failures.ts';
import { type Ended, follow } from './follow.ts';
import { table } from './table.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count } from './words.ts';

export const restore: Command = {
  name: 'restore',
  summary: 'restore a set to mounted file systems, beside the original or elsewhere',
  about: [
    'Starts Freezeframe-Restore: volumes are made of the set and attached, arrays and volume groups assembled, file systems mounted under a directory of their own. Without --swap the original is never touched; a restore that fails takes away what it has made. It starts no database: docs/restore.md says how.',
    'Ends with 1 when the restore ended red.',
  ],
  arguments: [{ name: 'instance' }],
  options: {
    set: { type: 'string', value: 'ID', help: 'this very set; else the newest that fits' },
    before: {
      type: 'string',
      value: 'TIME',
      help: 'the newest set that was begun then or earlier: 2026-11-22T03:00:00Z',
    },
    grade: { type: 'string', choices: GRADES, help: 'the least grade that will do' },
    target: { type: 'string', value: 'INSTANCE', help: 'restore to this instance; else to the original' },
    access: { type: 'string', choices: ['ro', 'rw'], help: 'mount read-only (the default) or read-write' },
    under: { type: 'string', value: 'DIRECTORY', help: 'mount under this directory; else under /mnt/freezeframe' },
    mount: {
      type: 'string',
      value: 'PATH',
      multiple: true,
      help: 'only this mount point of the original; may be given several times',
    },
    rate: {
      type: 'string',
      value: 'MIB',
      help: 'MiB/s at which EBS reads each volume from S3, 100 to 300, at a charge',
    },
    swap: {
      type: 'boolean',
      help: 'put the restored volumes in the place of the originals, which are kept aside (docs/restore.md)',
    },
    'keep-on-failure': { type: 'boolean', help: 'leave what was made where it is when the restore fails' },
    name: { type: 'string', value: 'NAME', help: 'name of the restore; else one of instance and time' },
    'no-wait': { type: 'boolean', help: 'start it, print its name, and do not follow it' },
  },
  examples: [
    ['freezeframe restore i-0123456789abcdef0', 'The newest set, read-only, beside the original.'],
    [
      'freezeframe restore i-0123456789abcdef0 --target i-0fedcba9876543210 --access rw',
      'To another instance, to start the database there.',
    ],
    ['freezeframe restore i-0123456789abcdef0 --before 2026-11-22T03:00:00Z --mount /data', 'How /data was then.'],
  ],
  run: async ({ arguments: [instance = ''], options, desk, terminal }) => {
    const wish = wishOf(instanceIdOf(instance), options);
    const name = options.text('name') ?? `restore-${runName(instance, desk.clock.now())}`;
    const arn = await desk.start(RESTORE, name, wish);
    if (options.has('no-wait')) {
      const started = { restore: nameIn(arn), link: consoleLink(arn) };
      return { json: started, text: `${started.restore}  ${started.link}` };
    }
    const [ended] = await follow([{ subject: instance, arn }], desk, terminal);
    const outcome = outcomeOf(ended as Ended);
    return {
      json: outcome,
      text: described(outcome, paintFor(terminal.out)),
      exit: outcome.status === 'SUCCEEDED' ? EXIT.done : EXIT.bad,
    };
  },
};

/** The workflow's input, checked as the workflow will check it. */
const wishOf = (instanceId: string, options: Options): object => {
  const [set, before, grade, target, access, under, rate] = [
    'set',
    'before',
    'grade',
    'target',
    'access',
    'under',
    'rate',
  ].map((name) => options.text(name));
  const mounts = options.texts('mount');
  const wish = {
    instanceId,
    ...(set !== undefined && { set }),
    ...(before !== undefined && { before }),
    ...(grade !== undefined && { grade }),
    ...(target !== undefined && { target }),
    ...(access !== undefined && { access }),
    ...(under !== undefined && { under }),
    ...(mounts.length > 0 && { mounts }),
    ...(rate !== undefined && { initializationRate: Number(rate) }),
    ...(options.has('swap') && { swap: true }),
    ...(options.has('keep-on-failure') && { keepOnFailure: true }),
  };
  const parsed = RestoreWish.safeParse(wish);
  if (!parsed.success)
    throw new UsageError(faultsOf(parsed.error.issues, wish).replaceAll('initializationRate', '--rate'));
  return wish;
};

/** Of the output of a restore, what a person goes on with. */
const Restored = z.object({
  set: z.object({ id: z.string(), grade: z.string(), startTime: z.string() }),
  instanceId: z.string(),
  mounted: z.pick(RestoreAnswer, { mounts: true, done: true }),
});

interface Outcome {
  restore: string;
  status: Ended['status'];
  restored: z.infer<typeof Restored> | null;
  error: { name: string; cause: string } | null;
  link: string;
}

const outcomeOf = ({ name, status, output, error, cause, link }: Ended): Outcome => ({
  restore: name,
  status,
  restored: Restored.safeParse(output).data ?? null,
  error: error === undefined ? null : { name: error, cause: messageIn(cause ?? '') },
  link,
});

const described = ({ restore: name, status, restored, error, link }: Outcome, paint: Paint): string => {
  if (status !== 'SUCCEEDED') {
    const why = error
      ? `${paint.bad(error.name)}: ${error.cause}`
      : `it was ${status.toLowerCase().replace('_', ' ')}: what it has made is still there, see docs/restore.md`;
    return `\n${paint.bad('✘')} ${paint.bold(name)} ended red. ${why}\n${link}`;
  }
  if (!restored) return `\n${paint.good('✔')} ${paint.bold(name)} is done.\n${link}`;
  const { set, instanceId, mounted } = restored;
  const rows = mounted.mounts.map(({ mount, at, device, type, readOnly }) => [
    mount,
    at,
    device,
    type,
    readOnly ? 'read-only' : 'read-write',
  ]);
  return [
    `\n${paint.good('✔')} ${paint.bold(name)}: set ${set.id} (${set.grade}) is mounted on ${instanceId}, ${count(rows.length, 'file system')}.`,
    table([['WAS', 'IS NOW', 'DEVICE', 'TYPE', ''].map((cell) => paint.dim(cell)), ...rows]),
    ...mounted.done.map((text) => paint.dim(`– ${text}`)),
    'To take it away again: docs/restore.md, "Take a restore away".',
  ].join('\n');
};
