import { refuseAgent } from '../lambdas/inspect-host/agent.ts';
import { appsWanted, modeWanted } from '../lambdas/inspect-host/tags.ts';
import type { TaggedInstance } from '../lambdas/shared/ec2.ts';
import {
  BACKUP,
  DOCUMENTS,
  DRILL,
  FIRING,
  FLEET,
  INSPECT_WINDOWS,
  PRUNE,
  RESTORE,
  THAW_RESCUE,
  UNPROVEN,
  VSS_INSTANCE_POLICY,
} from '../lambdas/shared/names.ts';
import { policiesOf } from '../lambdas/shared/policy-tag.ts';
import { UNFINISHED_MS } from '../lambdas/shared/retention.ts';
import { type Agent, agents, pinDocument } from '../lambdas/shared/ssm.ts';
import { catalogueOf, everySnapshot } from './catalogue.ts';
import type { Command } from './command.ts';
import { hookDocumentsIn, policiesIn, retentionIn, schedulesIn } from './deployment.ts';
import type { Desk } from './desk.ts';
import { EXIT, failureOf, NotDeployedError } from './failures.ts';
import { policiesOfProfile, ringingAlarms, scheduleState } from './health.ts';
import { targetsOf } from './targets.ts';
import { type Paint, paintFor } from './terminal.ts';
import { holders } from './thaw.ts';
import { count, duration } from './words.ts';

export const doctor: Command = {
  name: 'doctor',
  summary: 'check the deployment and every tagged instance, and say what to do',
  about: [
    'Looks at the workflows, documents and schedules of the deployment, at its alarms (dead letters ring one), at tags, SSM agents and, on Windows, roles of the instances, at sets that were never proven or have lost a member, and at hosts that may still be frozen. It changes nothing, and runs nothing on a host: freezeframe plan does that.',
    'A check that you may not make is named as such, and is no fault of the deployment. Ends with 1 when something has to be done.',
  ],
  arguments: [],
  options: {},
  examples: [
    ['freezeframe doctor', 'After a deployment, and whenever something seems wrong.'],
    [
      'freezeframe doctor --json | jq \'.findings[] | select(.level == "bad")\'',
      'In a monitoring check; the exit code is enough for a simple one.',
    ],
  ],
  run: async ({ desk, terminal }) => {
    const findings: Finding[] = [];
    for (const [check, look] of Object.entries(CHECKS)) {
      terminal.show([`~ ${check}`]);
      findings.push(...(await looked(check, look, desk)));
    }
    terminal.settle();
    return {
      json: { findings },
      text: described(findings, paintFor(terminal.out)),
      exit: findings.some(({ level }) => level === 'bad') ? EXIT.bad : EXIT.done,
    };
  },
};

export interface Finding {
  check: string;
  /** `bad`: something has to be done. `note`: something to know, or a check that could not be made. */
  level: 'good' | 'bad' | 'note';
  what: string;
  todo: string;
}

type Seen = Omit<Finding, 'check'>;
type Check = (desk: Desk) => Promise<Seen[]>;

const good = (what: string): Seen => ({ level: 'good', what, todo: '' });
const bad = (what: string, todo: string): Seen => ({ level: 'bad', what, todo });
const note = (what: string, todo = ''): Seen => ({ level: 'note', what, todo });

/** A check that fails by itself must not hide the others. */
const looked = async (check: string, look: Check, desk: Desk): Promise<Finding[]> => {
  try {
    return (await look(desk)).map((seen) => ({ check, ...seen }));
  } catch (error) {
    const { message, exit } = failureOf(error);
    if (error instanceof NotDeployedError && check === 'workflows') throw error;
    if (exit === EXIT.unknownCaller || exit === EXIT.internal || exit === EXIT.tryAgain) throw error;
    const refused = exit === EXIT.refused;
    return [
      {
        check,
        level: refused ? 'note' : 'bad',
        what: refused ? 'not looked at' : message,
        todo: refused ? message : '',
      },
    ];
  }
};

const workflows: Check = async (desk) => {
  const there = await desk.machines();
  await desk.machine(BACKUP);
  const missing = [BACKUP, FLEET, FIRING, THAW_RESCUE, RESTORE, DRILL, PRUNE].filter((name) => !there.has(name));
  return missing.length > 0
    ? [bad(`not deployed: ${missing.join(', ')}`, 'deploy again: npx cdk deploy')]
    : [good(`all there in ${await desk.region()}`)];
};

const documents: Check = async (desk) => {
  const hooks = hookDocumentsIn(await desk.definition(BACKUP));
  const pin = pinDocument(desk.ssm);
  const seen = await Promise.all(
    [...Object.values(DOCUMENTS), INSPECT_WINDOWS, ...hooks].map(async (name) => {
      try {
        return `${name.replace('Freezeframe-', '')} ${(await pin(name)).version}`;
      } catch (error) {
        const { name: code, message } = error as Error;
        if (code !== 'DocumentMissingError') throw error;
        if (!hooks.includes(name)) return bad(message, 'npx cdk deploy puts it back');
        return bad(
          `the SSM document ${name}, a hook of the plan, is not there in this Region`,
          'make it, or take it out of hookDocuments and deploy again',
        );
      }
    }),
  );
  const missing = seen.filter((each) => typeof each === 'object');
  return missing.length > 0 ? missing : [good(`default versions: ${seen.join(', ')}`)];
};

/** That the deployed policies can be read at all shows that workflow and command line are of one version. */
const policies: Check = async (desk) => {
  const [named, retention] = [
    policiesIn(await desk.definition(BACKUP)),
    retentionIn(await desk.definition(PRUNE)).policies,
  ];
  const torn = Object.keys(named).filter((name) => !Object.hasOwn(retention, name));
  if (torn.length > 0) return [bad(`policies without retention: ${torn.join(', ')}`, 'deploy again: npx cdk deploy')];
  const tagged = new Set((await targetsOf(desk)).flatMap(({ tags }) => policiesOf(tags)));
  const unused = Object.keys(named).filter((name) => !tagged.has(name));
  return [
    good(Object.keys(named).join(', ')),
    ...(unused.length > 0 ? [note(`no instance bears: ${unused.join(', ')}`)] : []),
  ];
};

const schedules: Check = async (desk) => {
  const names = Object.keys(schedulesIn(await desk.definition(FLEET)));
  const states = await Promise.all(
    names.map(async (name) => [name, await scheduleState(`Freezeframe-${name}`)] as const),
  );
  const off = states.filter(([, state]) => state !== 'ENABLED');
  if (off.length === 0) return [good(`${count(names.length, 'schedule')} enabled`)];
  return off.map(([name, state]) =>
    state === undefined
      ? bad(`policy ${name} has no schedule`, 'deploy again: npx cdk deploy')
      : bad(
          `the schedule of policy ${name} is ${state}: nothing is backed up by it`,
          `enable Freezeframe-${name} in EventBridge Scheduler, or deploy again`,
        ),
  );
};

const alarms: Check = async (desk) => {
  const ringing = await ringingAlarms();
  if (ringing.length === 0) return [good('none rings')];
  return ringing.map(({ name, description, since }) => {
    const [because = '', todo = ''] = description.split(' What to do: ');
    return bad(`${name} has been ringing for ${duration(desk.clock.now() - since)}: ${because}`, `see ${todo}`);
  });
};

const instances: Check = async (desk) => {
  const found = await targetsOf(desk);
  if (found.length === 0) {
    return [
      bad(
        'no instance bears the tag freezeframe:policy: nothing is backed up',
        'tag one: aws ec2 create-tags --resources i-… --tags Key=freezeframe:policy,Value=nightly',
      ),
    ];
  }
  const known = policiesIn(await desk.definition(BACKUP));
  const managed = await agents(desk.ssm)();
  const faults = found.flatMap((instance) =>
    faultsOfInstance(instance, managed.get(instance.instanceId), known).map((fault) =>
      bad(
        fault.includes(instance.instanceId) ? fault : `${instance.instanceId} is ${fault}`,
        `when it is mended: freezeframe plan ${instance.instanceId}`,
      ),
    ),
  );
  const stopped = found.filter(({ state }) => state === 'stopped').map(({ instanceId }) => instanceId);
  return [
    ...faults,
    ...(faults.length === 0
      ? [good(`${count(found.length, 'instance')} tagged as the plan has it, agents online and new enough`)]
      : []),
    ...(stopped.length > 0 ? [note(`stopped, so a set of it is worth crash: ${stopped.join(', ')}`)] : []),
  ];
};

/** What a run would refuse it for, before it asks the host. */
const faultsOfInstance = (
  { instanceId, state, tags, windows }: TaggedInstance,
  agent: Agent | undefined,
  known: ReturnType<typeof policiesIn>,
): string[] => {
  const named = policiesOf(tags);
  const unknown = named.filter((name) => !Object.hasOwn(known, name));
  const faults = [
    ...(named.length === 0 ? ['its tag freezeframe:policy is empty'] : []),
    ...(unknown.length > 0
      ? [
          `tagged with policy ${unknown.join(' ')}, which the plan does not have; it has: ${Object.keys(known).join(', ')}`,
        ]
      : []),
  ];
  for (const refuse of [
    () => modeWanted(instanceId, tags, windows),
    () => appsWanted(instanceId, tags, 'application'),
    () => state === 'running' && refuseAgent(instanceId, agent, windows ? 'Windows' : 'Linux'),
  ]) {
    try {
      refuse();
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return faults;
};

const windowsRoles: Check = async (desk) => {
  const found = (await targetsOf(desk)).filter(({ windows, state }) => windows && state === 'running');
  if (found.length === 0) return [good('no Windows instance is tagged')];
  const wanted = `${VSS_INSTANCE_POLICY}-${await desk.region()}`;
  const seen: Seen[] = [];
  for (const { instanceId, profile } of found) {
    const attached = profile === '' ? undefined : await policiesOfProfile(profile);
    if (attached?.includes(wanted)) continue;
    const what = attached === undefined ? 'has no role' : `has a role without the policy ${wanted}`;
    seen.push(
      bad(
        `${instanceId} ${what}: VSS takes the set from the instance`,
        `attach ${wanted} to its role, or one that allows the same (docs/windows.md)`,
      ),
    );
  }
  return seen.length > 0 ? seen : [good(`${count(found.length, 'role')} with ${wanted}`)];
};

/** A run grades its set within minutes. */
const GRADED_WITHIN_MS = 3_600_000;

const sets: Check = async (desk) => {
  const now = desk.clock.now();
  const { sets: found, orphans } = catalogueOf(await everySnapshot(desk.ec2), now);
  const old = (ms: number) => found.filter(({ startedAt }) => now - startedAt > ms);
  const seen = [
    ...old(GRADED_WITHIN_MS)
      .filter(({ grade }) => grade === UNPROVEN)
      .map(({ set }) =>
        bad(`${set} was never graded`, `freezeframe show ${set}; a set that nothing has proven may be worth nothing`),
      ),
    ...found
      .filter(({ state, deleting }) => state === 'broken' && !deleting)
      .map(({ set }) =>
        bad(
          `${set} has lost a member, or one has failed: it can’t be restored as a whole`,
          'the next prune lets go of it once a newer one stands in for it',
        ),
      ),
    ...old(UNFINISHED_MS)
      .filter(({ state }) => state === 'pending')
      .map(({ set, percent }) =>
        bad(`${set} is still pending at ${percent} %`, 'ask AWS Support: EC2 has not completed it for days'),
      ),
    ...(orphans.length > 0
      ? [
          bad(
            `${count(orphans.length, 'snapshot')} of ours belong to no set, and are never deleted: ${orphans.slice(0, 5).join(' ')}`,
            'give the tags back, or delete them',
          ),
        ]
      : []),
  ];
  return seen.length > 0
    ? seen
    : [good(found.length === 0 ? 'none yet' : `${count(found.length, 'set')}, all whole and graded`)];
};

const frozenHosts: Check = async (desk) => {
  const owing = await holders(desk);
  if (owing.length === 0) return [good('no run owes a thaw')];
  const now = desk.clock.now();
  return owing.map(({ run, instance, since, overdue }) =>
    overdue
      ? bad(
          `${run} has frozen its host ${duration(now - since)} ago, and no thaw was confirmed`,
          `freezeframe thaw ${instance}`,
        )
      : note(`${run} holds its host just now, for ${duration(now - since)}`),
  );
};

const CHECKS: Readonly<Record<string, Check>> = {
  workflows,
  documents,
  policies,
  schedules,
  alarms,
  instances,
  'Windows roles': windowsRoles,
  sets,
  'frozen hosts': frozenHosts,
};

const described = (findings: readonly Finding[], paint: Paint): string => {
  const marks = { good: paint.good('✔'), bad: paint.bad('✘'), note: paint.accent('i') };
  const faults = findings.filter(({ level }) => level === 'bad').length;
  return [
    ...findings.flatMap(({ check, level, what, todo }, at) => [
      `${marks[level]} ${(check === findings[at - 1]?.check ? '' : check).padEnd(14)} ${what}`,
      ...(todo ? [`${' '.repeat(17)}${paint.dim('→')} ${todo}`] : []),
    ]),
    '',
    faults === 0 ? paint.good('Nothing has to be done.') : paint.bad(`${count(faults, 'thing')} to be done.`),
  ].join('\n');
};
