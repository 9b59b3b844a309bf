import { InstanceId } from '../lambdas/shared/contracts.ts';
import { snapshotsOfRun } from '../lambdas/shared/ec2.ts';
import { BACKUP, SET_TAGS } from '../lambdas/shared/names.ts';
import type { Command } from './command.ts';
import { consoleLink, type Desk } from './desk.ts';
import { EXIT, UsageError } from './failures.ts';
import { type Ended, follow, type Started } from './follow.ts';
import { type Paint, paintFor } from './terminal.ts';
import { count, seconds } from './words.ts';

export const backup: Command = {
  name: 'backup',
  summary: 'back up instances now, and follow the runs to their end',
  about: [
    'Starts Freezeframe-Backup of each instance and shows its states as they go by. The instance must bear the tag freezeframe:policy; the run refuses what can never be a whole set before anything is frozen. Ctrl-C ends the looking, never the run.',
    'Ends with 0 when every run reached the grade that its policy asks for, with 1 when one did not.',
  ],
  arguments: [{ name: 'instance', many: true }],
  options: {
    policy: { type: 'string', value: 'NAME', help: 'the policy to follow, where the tag names several' },
    'no-wait': { type: 'boolean', help: 'start the runs, print their names, and do not follow them' },
  },
  examples: [
    ['freezeframe backup i-0123456789abcdef0', 'One backup, to be looked at.'],
    ['freezeframe backup i-0123456789abcdef0 --policy weekly --json', 'In a script: the grade is at .runs[0].grade.'],
  ],
  run: async ({ arguments: instances, options, desk, terminal }) => {
    for (const instance of instances) instanceIdOf(instance);
    const policy = options.text('policy');
    const started: Started[] = [];
    for (const instanceId of instances) {
      const name = runName(instanceId, desk.clock.now());
      const arn = await desk.start(BACKUP, name, { instanceId, ...(policy !== undefined && { policy }) });
      started.push({ subject: instanceId, arn });
    }
    if (options.has('no-wait')) {
      const runs = started.map(({ subject, arn }) => ({ instance: subject, run: nameIn(arn), link: consoleLink(arn) }));
      return { json: { runs }, text: runs.map(({ run, link }) => `${run}  ${link}`).join('\n') };
    }
    const ended = await follow(started, desk, terminal);
    const runs = await Promise.all(ended.map((each) => outcomeOf(each, desk)));
    return {
      json: { runs },
      text: runs.map((run) => described(run, paintFor(terminal.out))).join('\n'),
      exit: runs.every(({ status }) => status === 'SUCCEEDED') ? EXIT.done : EXIT.bad,
    };
  },
};

/** An instance id, or a fault of the command line. */
export const instanceIdOf = (text: string): string => {
  if (InstanceId.safeParse(text).success) return text;
  throw new UsageError(`${text} is no instance id such as i-0123456789abcdef0`);
};

/** The name of a run is the id of its set: `<instance>-2026-11-24T030000Z`. */
export const runName = (instanceId: string, at: number): string =>
  `${instanceId}-${new Date(at).toISOString().slice(0, 19).replaceAll(':', '')}Z`;

export const nameIn = (executionArn: string): string => executionArn.split(':').at(-1) ?? '';

interface Outcome {
  instance: string;
  run: string;
  status: Ended['status'];
  /** Of the set that is there, whether or not it is what was asked for; null without one. */
  grade: string | null;
  windowMs: number | null;
  snapshots: string[];
  error: { name: string; cause: string } | null;
  link: string;
}

/** A red run may have left a set, too. */
const outcomeOf = async ({ subject, name, status, error, cause, link }: Ended, desk: Desk): Promise<Outcome> => {
  const snapshots = (await snapshotsOfRun(desk.ec2)(name)).filter(({ tags }) => tags[SET_TAGS.set] === name);
  const tags = snapshots[0]?.tags ?? {};
  const windowMs = tags[SET_TAGS.windowMs];
  return {
    instance: subject,
    run: name,
    status,
    grade: tags[SET_TAGS.grade] ?? null,
    windowMs: windowMs === undefined ? null : Number(windowMs),
    snapshots: snapshots.map(({ snapshotId }) => snapshotId).sort(),
    error: error === undefined ? null : { name: error, cause: messageIn(cause ?? '') },
    link,
  };
};

/** A Lambda's cause is JSON around its message. */
export const messageIn = (cause: string): string => {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof errorMessage === 'string' ? errorMessage : cause;
  } catch {
    return cause;
  }
};

const described = (outcome: Outcome, paint: Paint): string => {
  const { run, status, grade, windowMs, snapshots, error, link } = outcome;
  const frozen = windowMs === null ? '' : `, frozen for ${seconds(windowMs)}`;
  const set =
    grade === null
      ? 'There is no set of it.'
      : `Its set has grade ${paint.bold(grade)}: ${count(snapshots.length, 'snapshot')}${frozen}.`;
  const after = grade === null ? '' : `\nfreezeframe show ${run}`;
  if (status === 'SUCCEEDED') return `\n${paint.good('✔')} ${paint.bold(run)} is complete. ${set}${after}`;
  const why = error ? `${paint.bad(error.name)}: ${error.cause}` : `it was ${status.toLowerCase().replace('_', ' ')}`;
  return `\n${paint.bad('✘')} ${paint.bold(run)} ended red. ${why}\n${set}${after}\n${link}`;
};
