import { snapshotsOfRun } from '../lambdas/shared/ec2.ts';
import { BACKUP, SET_TAGS } from '../lambdas/shared/names.ts';
import { type Command, instanceIdOf } from './command.ts';
import { consoleLink, type Desk } from './desk.ts';
import { errorOf, greenEnd, nameIn, redEnd, runName } from './execution.ts';
import { EXIT } from './failures.ts';
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
    const paint = paintFor(terminal.out);
    return {
      json: { runs },
      text: runs.map((run, index) => described(ended[index] as Ended, run, paint)).join('\n'),
      exit: runs.every(({ status }) => status === 'SUCCEEDED') ? EXIT.done : EXIT.bad,
    };
  },
};

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
const outcomeOf = async (ended: Ended, desk: Desk): Promise<Outcome> => {
  const { subject, name, status, link } = ended;
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
    error: errorOf(ended),
    link,
  };
};

const described = (ended: Ended, { run, grade, windowMs, snapshots, link }: Outcome, paint: Paint): string => {
  const frozen = windowMs === null ? '' : `, frozen for ${seconds(windowMs)}`;
  const set =
    grade === null
      ? 'There is no set of it.'
      : `Its set has grade ${paint.bold(grade)}: ${count(snapshots.length, 'snapshot')}${frozen}.`;
  const after = grade === null ? '' : `\nfreezeframe show ${run}`;
  return ended.status === 'SUCCEEDED'
    ? greenEnd(ended, paint, ` is complete. ${set}${after}`)
    : `${redEnd(ended, paint)}\n${set}${after}\n${link}`;
};
