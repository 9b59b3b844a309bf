import * as z from 'zod/mini';
import { faultsOf } from '../lambdas/shared/input-faults.ts';
import { GRADES, RESTORE } from '../lambdas/shared/names.ts';
import { RestoreAnswer, RestoreWish } from '../lambdas/shared/restore-contracts.ts';
import type { Command, Options } from './command.ts';
import { SET_OPTIONS, startOne, startOptions } from './execution.ts';
import { UsageError } from './failures.ts';
import { table } from './table.ts';
import type { Paint } from './terminal.ts';
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
    ...SET_OPTIONS,
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
    ...startOptions('restore'),
  },
  examples: [
    ['freezeframe restore i-0123456789abcdef0', 'The newest set, read-only, beside the original.'],
    [
      'freezeframe restore i-0123456789abcdef0 --target i-0fedcba9876543210 --access rw',
      'To another instance, to start the database there.',
    ],
    ['freezeframe restore i-0123456789abcdef0 --before 2026-11-22T03:00:00Z --mount /data', 'How /data was then.'],
  ],
  run: (call) =>
    startOne(call, {
      kind: 'restore',
      machine: RESTORE,
      wishOf,
      output: Restored,
      outcome: 'restored',
      described,
      whenStopped: 'what it has made is still there, see docs/restore.md',
    }),
};

const wishOf = (instanceId: string, options: Options): object => {
  const mounts = options.texts('mount');
  const rate = options.text('rate');
  const wish = {
    instanceId,
    ...options.given('set', 'before', 'grade', 'target', 'access', 'under'),
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

const described = ({ set, instanceId, mounted }: z.infer<typeof Restored>, paint: Paint): string => {
  const rows = mounted.mounts.map(({ mount, at, device, type, readOnly }) => [
    mount,
    at,
    device,
    type,
    readOnly ? 'read-only' : 'read-write',
  ]);
  return [
    `: set ${set.id} (${set.grade}) is mounted on ${instanceId}, ${count(rows.length, 'file system')}.`,
    table([['WAS', 'IS NOW', 'DEVICE', 'TYPE', ''].map((cell) => paint.dim(cell)), ...rows]),
    ...mounted.done.map((text) => paint.dim(`– ${text}`)),
    'To take it away again: docs/restore.md, "Take a restore away".',
  ].join('\n');
};
