import { SET_TAGS, STATES, USER_TAGS } from '../../lambdas/shared/names.ts';
import type { Account, Instance } from '../account.ts';
import type { CommandDocument } from '../aws/ssm-documents.ts';
import { evidenceOf } from '../evidence.ts';
import * as workload from '../workload.ts';
import { type Column, drop, restored, take } from './column.ts';
import { leftovers, mountsOf } from './leftovers.ts';
import { type Report, refute } from './report.ts';

const COLUMN = { part: 'hooks', topology: 'single', engines: ['mariadb'] } as const satisfies Omit<Column, 'modes'>;

const UNIT = 'lab-writer-files';
/** Pauses the writer of files as somebody would an application that knows no backup. */
const PAUSE = {
  freeze: `systemctl freeze ${UNIT}`,
  held: `[ "$(systemctl show -p FreezerState --value ${UNIT})" = frozen ]`,
  thaw: `systemctl thaw ${UNIT}`,
};
const note = (word: string) => `echo ${word} document >>/run/lab/hooks`;

/** What the scripts of the documents do for each word that a hook is asked with. */
const DOCUMENTS = {
  'Lab-Quiet': PAUSE,
  'Lab-Noting': {
    ...PAUSE,
    freeze: `${note('freeze')}; ${PAUSE.freeze}`,
    thaw: `${note('thaw')}; ${PAUSE.thaw}`,
  },
  'Lab-Refusing': { ...PAUSE, freeze: `${PAUSE.freeze}; echo no more; exit 3` },
  'Lab-Hanging': { ...PAUSE, freeze: `${PAUSE.freeze}; sleep 300` },
};
type DocumentName = keyof typeof DOCUMENTS;

/** The documents that the lab's plan lets an instance name. */
export const HOOK_DOCUMENTS = Object.keys(DOCUMENTS) as DocumentName[];

/** An application of the user's own, paused by a document that the instance's tag names and by executables of the host. */
export async function hooks(account: Account, report: Report): Promise<void> {
  report.title('Hooks of the user’s own, from a document and on the host');
  for (const name of HOOK_DOCUMENTS) account.world.ssm.documents.put(name, documentOf(DOCUMENTS[name]));
  const source = await account.launch({
    tags: { [USER_TAGS.policy]: 'lab', [USER_TAGS.mode]: 'fs-freeze' },
    dataVolumes: workload.TOPOLOGIES[COLUMN.topology],
  });
  const of: Column = { ...COLUMN, modes: ['fs-freeze'] };
  const trial = (title: string, document: DocumentName, body: () => Promise<string>) => {
    account.world.ec2.instances.get(source.id)?.tags.set(USER_TAGS.hookDocument, document);
    return report.try('hooks', title, body);
  };
  try {
    await workload.provision(source.machine, of.topology, source.data, of.engines);
    await workload.startWriters(source.machine, of.topology, [...of.engines, 'files']);
    await trial('from a document', 'Lab-Quiet', () => paused(account, source, of));
    await trial('from a document and on the host', 'Lab-Noting', () => inOrder(account, source, of));
    await trial('that lost their hold', 'Lab-Quiet', () => lost(account, source));
    await trial('that refuse', 'Lab-Refusing', () => refused(account, source, 'ApplicationRefusedError', 'no more'));
    await trial('that hang', 'Lab-Hanging', () => refused(account, source, 'LockTimeoutError', 'was killed'));
  } finally {
    await account.terminate(source);
  }
}

/** Not one file is written between the hook's lock and its release, and the set holds every file written before. */
async function paused(account: Account, source: Instance, of: Column): Promise<string> {
  const taken = await take(account, source, of);
  const still = await stillness(account, source, taken.run);
  await source.machine.pause();
  try {
    return `${still}; ${await restored(account, of, 'fs-freeze', source.data, taken)}`;
  } finally {
    await source.machine.resume();
  }
}

/** Those of the host first, in the order of their names, the document's last; released in reverse, after the database. */
async function inOrder(account: Account, source: Instance, of: Column): Promise<string> {
  await source.host.exec(`rm -f /run/lab/hooks; install -d /etc/freezeframe/hooks.d
    for name in 10-first 20-second; do
      printf '#!/bin/sh\\n[ "$1" = held ] || echo "$1" %s >>/run/lab/hooks\\n' "$name" >/etc/freezeframe/hooks.d/$name
      chmod 0755 /etc/freezeframe/hooks.d/$name
    done`);
  try {
    const { run } = await take(account, source, of);
    const still = await stillness(account, source, run);
    const { stdout } = await source.host.exec('cat /run/lab/hooks');
    const expected = 'freeze 10-first,freeze 20-second,freeze document,thaw document,thaw 20-second,thaw 10-first';
    const seen = stdout.trim().replaceAll('\n', ',');
    refute([seen !== expected && `the hooks were called ${seen}`]);
    await drop(account, run);
    return `${still}; called ${seen}`;
  } finally {
    await source.host.exec('rm -r /etc/freezeframe/hooks.d');
  }
}

/** Somebody wakes the application in the middle: the set is not called more than it is. */
async function lost(account: Account, source: Instance): Promise<string> {
  const { stepFunctions } = account.deployment;
  let woken: Promise<unknown> | undefined;
  stepFunctions.onEnter = (_execution, state) => {
    if (state !== STATES.createSnapshots) return;
    stepFunctions.onEnter = undefined;
    woken = source.host.exec(PAUSE.thaw);
  };
  const execution = await account.backup(source).ended;
  stepFunctions.onEnter = undefined;
  await woken;
  const evidence = evidenceOf(account, source, execution);
  const set = account.snapshotsOf(execution.name);
  refute([
    !woken && 'it never came to Create snapshots',
    execution.error !== 'GradeMissedError' && `the run ended ${execution.error}: ${execution.cause}`,
    evidence?.grade === 'application' && 'the set is called application',
    !execution.cause?.includes('Lab-Quiet') && `the cause does not name the hook: ${execution.cause}`,
    ...(await leftOver(source)),
  ]);
  const { grade } = evidence ?? {};
  if (set.size > 0) await drop(account, execution.name);
  return `${execution.error}, kept as ${grade}: ${execution.cause?.slice(0, 120)}`;
}

/** A hook that does not quiet its application: the run is red, its set is worth a crash, and what the hook had done is undone. */
async function refused(account: Account, source: Instance, error: string, says: string): Promise<string> {
  const execution = await account.backup(source).ended;
  const grades = [...account.snapshotsOf(execution.name).values()].map(({ tags }) => tags.get(SET_TAGS.grade));
  refute([
    execution.error !== error && `the run ended ${execution.error}: ${execution.cause}`,
    !execution.cause?.includes(says) && `the cause does not say "${says}": ${execution.cause}`,
    grades.some((grade) => grade !== 'crash') && `its snapshots are called ${grades}`,
    ...(await leftOver(source)),
  ]);
  await drop(account, execution.name);
  return `${execution.error}: ${execution.cause?.slice(0, 120)}`;
}

function documentOf({ freeze, held, thaw }: typeof PAUSE): CommandDocument {
  return {
    schemaVersion: '2.2',
    description: 'Pauses the writer of files.',
    parameters: { command: { type: 'String', allowedValues: ['freeze', 'held', 'thaw'] } },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'quiet',
        inputs: {
          timeoutSeconds: '10',
          runCommand: [
            '#!/bin/bash',
            "case '{{ command }}' in",
            `freeze) ${freeze} ;;`,
            `held) ${held} ;;`,
            `thaw) ${thaw} ;;`,
            'esac',
          ],
        },
      },
    ],
  };
}

/** The hook came before the database and was released after it, and in between no file was written. */
async function stillness(account: Account, source: Instance, run: string): Promise<string> {
  const execution = account.deployment.stepFunctions.executions.find(({ name }) => name === run);
  const apps = (execution && evidenceOf(account, source, execution)?.receipt?.apps) ?? [];
  const [hook, database] = ['hooks', 'mysql'].map((driver) => apps.find((app) => app.driver === driver));
  const at = [hook?.lockedAt, database?.lockedAt, database?.releasedAt, hook?.releasedAt];
  const [paused, locked, released, resumed] = at.map((seconds) => (seconds ?? Number.NaN) * 1000) as Times;
  const written = await workload.acknowledgements(source.machine, 'files');
  const during = written.filter(({ ms }) => ms > paused && ms < released);
  refute([
    !hook?.held && 'the hook did not hold',
    !(paused <= locked && locked < released && released <= resumed) && `not in order: ${at.join(', ')}`,
    during.length > 0 && `${during.length} files were written while the hook held`,
    !written.some(({ ms }) => ms < paused) && 'nothing was written before',
    !written.some(({ ms }) => ms > resumed) && 'nothing was written after',
  ]);
  return `no file written for ${Math.round(released - paused)} ms`;
}

type Times = [paused: number, locked: number, released: number, resumed: number];

async function leftOver(source: Instance): Promise<string[]> {
  const { stdout } = await source.host.exec(`systemctl show -p FreezerState --value ${UNIT}`);
  const state = stdout.trim();
  return [
    ...(state === 'running' ? [] : [`the application is ${state}`]),
    ...(await leftovers(source.host, mountsOf(COLUMN.topology))),
  ];
}
