import {
  AgentMissingError,
  AgentOfflineError,
  BadEvidenceError,
  InstanceNotRunningError,
  NotAnInstanceError,
  NotInSetError,
  NotTaggedError,
  UnsupportedPlatformError,
} from '../shared/errors.ts';
import { faultsOf } from '../shared/input-faults.ts';
import { DOCUMENTS, USER_TAGS } from '../shared/names.ts';
import {
  type FoundRestoreSet,
  type PlanRestoreInput,
  type Restore,
  RestoreEvidence,
} from '../shared/restore-contracts.ts';
import { mountsWanted, volumesUnder } from './choose-mounts.ts';

export interface Target {
  state: string;
  windows: boolean;
  tags: Record<string, string>;
  zone: string;
}

export interface World {
  instance(instanceId: string): Promise<Target | undefined>;
  agent(instanceId: string): Promise<{ ping: string } | undefined>;
  pin(document: string): Promise<{ version: string; hash: string }>;
}

/** Decides what is made, where it goes and what is mounted; refuses what could not become a whole restore. No effects. */
export const planRestore = async (input: PlanRestoreInput, world: World): Promise<Restore> => {
  const { restore, wish, set } = input;
  const evidence = read(input);
  const instanceId = wish.target ?? wish.instanceId;

  // What is mounted, and the volumes that it takes
  const mounts = mountsWanted(evidence, wish.mounts, instanceId);
  const volumes = volumesUnder(evidence, mounts).map((from) => memberOf(set, evidence, from));

  // Where it goes
  const [instance, agent, document] = await Promise.all([
    world.instance(instanceId),
    world.agent(instanceId),
    world.pin(DOCUMENTS.restore),
  ]);
  const { zone } = refuseTarget(instanceId, instance);
  refuseAgent(instanceId, agent);

  return {
    restore,
    set: { id: set.id, grade: set.grade, startTime: set.startTime },
    from: wish.instanceId,
    instanceId,
    zone,
    access: wish.access,
    under: wish.under,
    keepOnFailure: wish.keepOnFailure,
    initializationRate: wish.initializationRate ?? null,
    document,
    volumes,
    merges: mergesOf(set, evidence),
    mounts: mounts.map(({ mount, type, uuid, options, layers }) => {
      const [own] = layers;
      return { mount, type, uuid, options, lv: own?.kind === 'lv' ? own.detail : '' };
    }),
  };
};

const read = ({ key, object: { text } }: PlanRestoreInput): RestoreEvidence => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BadEvidenceError(`${key} is no JSON; look at its older versions in the bucket`, { cause: error });
  }
  const parsed = RestoreEvidence.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new BadEvidenceError(
    `${key} is not what this version can restore from: ${faultsOf(parsed.error.issues, json)}; its snapshots can be restored by hand`,
    { cause: parsed.error },
  );
};

const memberOf = (
  { id, snapshots }: FoundRestoreSet['set'],
  { volumes }: RestoreEvidence,
  from: string,
): Restore['volumes'][number] => {
  const snapshot = snapshots.find(({ volumeId }) => volumeId === from);
  if (!snapshot) {
    throw new NotInSetError(
      `set ${id} has no snapshot of ${from}, which lies under what is to be mounted; name other mounts or another set`,
    );
  }
  const spec = volumes.find(({ volumeId }) => volumeId === from)?.spec ?? null;
  return { from, snapshotId: snapshot.snapshotId, sizeGiB: snapshot.sizeGiB, spec };
};

/**
 * A set that was taken after its LVM snapshots were gone, or whose snapshots overflowed, has its state in the volumes
 * themselves.
 */
const mergesOf = ({ mode }: FoundRestoreSet['set'], { receipt }: RestoreEvidence): Restore['merges'] =>
  mode === 'lvm-snapshot'
    ? (receipt?.lvmSnapshots ?? [])
        .filter(({ takenAt, valid }) => takenAt !== null && valid === true)
        .map(({ origin, snapshot }) => ({ origin, snapshot: snapshot.slice(snapshot.indexOf('/') + 1) }))
    : [];

const refuseTarget = (instanceId: string, instance: Target | undefined): Target => {
  if (!instance || instance.state === 'terminated') {
    throw new NotAnInstanceError(
      `there is no instance ${instanceId} in this account and Region; give another one as "target"`,
    );
  }
  if (instance.state !== 'running') {
    throw new InstanceNotRunningError(
      `${instanceId} is ${instance.state}, and nothing can be mounted there; start it, or give another one as "target"`,
    );
  }
  if (instance.windows)
    throw new UnsupportedPlatformError(`${instanceId} runs Windows; give a Linux instance as "target"`);
  if (!instance.tags[USER_TAGS.policy]) {
    throw new NotTaggedError(
      `${instanceId} has no tag ${USER_TAGS.policy}, and we may send no command to it; tag it, or give another one as "target"`,
    );
  }
  return instance;
};

const refuseAgent = (instanceId: string, agent: { ping: string } | undefined): void => {
  if (!agent) {
    throw new AgentMissingError(
      `SSM does not know ${instanceId}; install amazon-ssm-agent there and give it an instance profile`,
    );
  }
  if (agent.ping !== 'Online') {
    throw new AgentOfflineError(`the SSM agent on ${instanceId} is ${agent.ping}; restart amazon-ssm-agent there`);
  }
};
