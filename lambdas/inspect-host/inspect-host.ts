import { isThrottle } from '../shared/aws-errors.ts';
import { INSPECT_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import {
  type Hook,
  hookParameter,
  InspectAnswer,
  type InspectHostInput,
  type Run,
  WindowsAnswer,
} from '../shared/contracts.ts';
import { ExcludeNotPossibleError, GradeOutOfReachError, HostError, TurnMissedError } from '../shared/errors.ts';
import { DOCUMENTS, INSPECT_WINDOWS, reaches, USER_TAGS } from '../shared/names.ts';
import { type CommandChannel, runCommand } from '../shared/run-command.ts';
import { type Agent, refuseAgent } from './agent.ts';
import { chooseMode, type Wish } from './choose-mode.ts';
import { chooseVss } from './choose-vss.ts';
import { hookIn, type ReadDocument } from './hook-document.ts';
import { type Instance, refuseInstance } from './instance.ts';
import { choiceForStopped, topologyOfStopped } from './stopped.ts';
import { appsWanted, hookDocumentWanted, modeWanted, policyOf } from './tags.ts';
import { type DescribedVolume, withSpecs } from './volume-specs.ts';
import { membersOf } from './volumes.ts';
import { windowsTopology } from './windows-topology.ts';

export interface World {
  instance(instanceId: string): Promise<Instance | undefined>;
  volumes(volumeIds: readonly string[]): Promise<DescribedVolume[]>;
  agent(instanceId: string): Promise<Agent | undefined>;
  pin(document: string): Promise<{ version: string; hash: string }>;
  read(document: string): Promise<ReadDocument>;
  host: CommandChannel;
}

/** Learns what there is, decides how it is to be quieted, and refuses what could not become a whole set. No effects. */
export const inspectHost = async (
  { input: { instanceId, policy: named, turn }, run, policies, hookDocuments }: InspectHostInput,
  world: World,
  clock: Clock,
): Promise<Run> => {
  // The instance, and what its tags want of us
  const instance = refuseInstance(instanceId, await world.instance(instanceId));
  const policy = policyOf(instanceId, instance.tags, named, policies);
  const mode = modeWanted(instanceId, instance.tags, instance.windows);
  const apps = appsWanted(instanceId, instance.tags, policy.grade);
  const { windows } = instance;
  const hookDocument = hookDocumentWanted(instanceId, instance.tags, { windows, apps, listed: hookDocuments });

  // The agent, the documents that this run keeps to, and the volumes
  const isStopped = instance.state === 'stopped';
  const [agent, inspect, freeze, thaw, hook, volumes] = await Promise.all([
    world.agent(instanceId),
    world.pin(instance.windows ? INSPECT_WINDOWS : DOCUMENTS.inspect),
    world.pin(DOCUMENTS.freeze),
    world.pin(DOCUMENTS.thaw),
    isStopped || hookDocument === undefined
      ? undefined
      : world.read(hookDocument).then((document) => hookIn(hookDocument, document)),
    world.volumes(instance.devices.map(({ volumeId }) => volumeId)),
  ]);
  if (!isStopped) refuseAgent(instanceId, agent, instance.windows ? 'Windows' : 'Linux');

  // The host's own view
  const look = isStopped ? lookAtStopped : instance.windows ? inspectWindows : inspectLinux;
  const asked = { run, instance, instanceId, inspect, apps, hook };
  const { topology, sentAt, choose } = await inItsTurn(turn, clock, () => look(asked, world.host, clock));
  refuseFaults(topology);
  const members = membersOf(instance, volumes, topology);
  const choice = choose({ wanted: policy.grade, mode, apps });
  if (choice.mode === 'vss' && members.excluded.length > 0) {
    throw new ExcludeNotPossibleError(
      `${members.excluded.join(', ')} is tagged ${USER_TAGS.exclude} = true, and VSS takes every volume of ${instanceId} but the boot volume; take the tag off, or tag the instance ${USER_TAGS.mode} = crash`,
    );
  }
  if (policy.onDowngrade === 'discard' && !reaches(choice.expected, policy.grade)) {
    if (choice.vss?.fault) throw new HostError(choice.vss.fault.code, choice.vss.fault.message);
    throw new GradeOutOfReachError(
      `policy ${policy.name} wants grade ${policy.grade} or nothing, and ${instanceId} can earn ${choice.expected}: ${choice.why}`,
    );
  }

  return {
    run,
    instanceId,
    policy,
    ...(turn && { turn }),
    ...choice,
    ...members,
    volumes: withSpecs(members.volumes, volumes),
    documents: { freeze, thaw },
    ...(hook && { hook }),
    clock: { bootId: topology.bootId, uptime: topology.uptime, sentAt },
    topology,
  };
};

/**
 * Turns keep to what the account has, and a run that comes late, or whose command is throttled, has missed its own: to go
 * on would be to come with many others, or to need a thaw where commands are throttled. The fleet gives it another one.
 */
const inItsTurn = async (turn: Run['turn'], clock: Clock, look: () => Promise<Seen>): Promise<Seen> => {
  if (!turn) return look();
  const missed = (why: string, cause?: unknown) =>
    new TurnMissedError(
      `${why}, so its turn is missed; if that goes on, lower pacing.snapshotsPerSecond, or look at who else uses the rates of Run Command, Lambda and Step Functions here`,
      { cause },
    );
  const lateMs = clock.now() - turn.startBefore;
  if (lateMs > 0) throw missed(`it came to its host ${(lateMs / 1_000).toFixed(1)} s too late`);
  try {
    return await look();
  } catch (error) {
    if (isThrottle(error)) throw missed('its command was throttled', error);
    throw error;
  }
};

/** What a host has, and how it would be quieted. */
interface Seen {
  topology: InspectAnswer;
  sentAt: number;
  choose(wish: Wish): Pick<Run, 'mode' | 'why' | 'expected' | 'apps' | 'vss'>;
}

interface Asked {
  run: string;
  instanceId: string;
  instance: Instance;
  inspect: { version: string; hash: string };
  apps: string;
  hook: Hook | undefined;
}

/** Nobody is asked. */
const lookAtStopped = async ({ instance }: Asked, _host: CommandChannel, clock: Clock): Promise<Seen> => ({
  topology: topologyOfStopped(instance),
  sentAt: clock.now(),
  choose: () => choiceForStopped,
});

const inspectLinux = async (
  { run, instanceId, inspect, apps, hook }: Asked,
  host: CommandChannel,
  clock: Clock,
): Promise<Seen> => {
  const { answer: topology, sentAt } = await runCommand(
    host,
    clock,
    {
      document: DOCUMENTS.inspect,
      pinned: inspect,
      instanceId,
      parameters: { Apps: apps, ...hookParameter(hook) },
      comment: `Freezeframe run ${run}`,
    },
    InspectAnswer,
    INSPECT_MS,
  );
  return { topology, sentAt, choose: (wish) => chooseMode(topology, wish) };
};

const inspectWindows = async (
  { run, instanceId, instance, inspect, apps }: Asked,
  host: CommandChannel,
  clock: Clock,
): Promise<Seen> => {
  const { answer, sentAt } = await runCommand(
    host,
    clock,
    { document: INSPECT_WINDOWS, pinned: inspect, instanceId, parameters: {}, comment: `Freezeframe run ${run}` },
    WindowsAnswer,
    INSPECT_MS,
  );
  const topology = windowsTopology(answer, apps);
  return {
    topology,
    sentAt,
    choose: (wish) => chooseVss(topology, { ...answer, instanceType: instance.type }, wish),
  };
};

const refuseFaults = ({ faults }: InspectAnswer): void => {
  const [first] = faults;
  if (first) throw new HostError(first.code, faults.map(({ message }) => message).join(' · '));
};
