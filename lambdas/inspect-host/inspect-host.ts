import { INSPECT_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { InspectAnswer, type InspectHostInput, type Run } from '../shared/contracts.ts';
import { GradeOutOfReachError, HostError } from '../shared/errors.ts';
import { DOCUMENTS, reaches } from '../shared/names.ts';
import { type CommandChannel, runCommand } from '../shared/run-command.ts';
import { type Agent, refuseAgent } from './agent.ts';
import { chooseMode } from './choose-mode.ts';
import { type Instance, refuseInstance } from './instance.ts';
import { appsWanted, modeWanted, policyOf } from './tags.ts';
import { type DescribedVolume, withSpecs } from './volume-specs.ts';
import { membersOf } from './volumes.ts';

export interface World {
  instance(instanceId: string): Promise<Instance | undefined>;
  volumes(volumeIds: readonly string[]): Promise<DescribedVolume[]>;
  agent(instanceId: string): Promise<Agent | undefined>;
  pin(document: string): Promise<{ version: string; hash: string }>;
  host: CommandChannel;
}

/** Learns what there is, decides how it is to be quieted, and refuses what could not become a whole set. No effects. */
export const inspectHost = async (
  { input: { instanceId, policy: asked }, run, policies }: InspectHostInput,
  world: World,
  clock: Clock,
): Promise<Run> => {
  // The instance, and what its tags want of us
  const instance = refuseInstance(instanceId, await world.instance(instanceId));
  const policy = policyOf(instanceId, instance.tags, asked, policies);
  const mode = modeWanted(instanceId, instance.tags);
  const apps = appsWanted(instanceId, instance.tags, policy.grade);

  // The agent, the documents that this run keeps to, and the volumes
  const [agent, inspect, freeze, thaw, volumes] = await Promise.all([
    world.agent(instanceId),
    world.pin(DOCUMENTS.inspect),
    world.pin(DOCUMENTS.freeze),
    world.pin(DOCUMENTS.thaw),
    world.volumes(instance.devices.map(({ volumeId }) => volumeId)),
  ]);
  refuseAgent(instanceId, agent);

  // The host's own view
  const { answer: topology, sentAt } = await runCommand(
    world.host,
    clock,
    {
      document: DOCUMENTS.inspect,
      pinned: inspect,
      instanceId,
      parameters: { Apps: apps },
      comment: `Freezeframe run ${run}`,
    },
    InspectAnswer,
    INSPECT_MS,
  );
  refuseFaults(topology);
  const members = membersOf(instance, volumes, topology);

  const choice = chooseMode(topology, { wanted: policy.grade, mode, apps });
  if (policy.onDowngrade === 'discard' && !reaches(choice.expected, policy.grade)) {
    throw new GradeOutOfReachError(
      `policy ${policy.name} wants grade ${policy.grade} or nothing, and ${instanceId} can earn ${choice.expected}: ${choice.why}`,
    );
  }

  return {
    run,
    instanceId,
    policy,
    ...choice,
    ...members,
    volumes: withSpecs(members.volumes, volumes),
    documents: { freeze, thaw },
    clock: { bootId: topology.bootId, uptime: topology.uptime, sentAt },
    topology,
  };
};

const refuseFaults = ({ faults }: InspectAnswer): void => {
  const [first] = faults;
  if (first) throw new HostError(first.code, faults.map(({ message }) => message).join(' · '));
};
