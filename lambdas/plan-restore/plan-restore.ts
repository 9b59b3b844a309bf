import {
  AgentMissingError,
  AgentOfflineError,
  BadInputError,
  InstanceNotRunningError,
  NotAnInstanceError,
  NotInSetError,
  NotTaggedError,
  UnsupportedPlatformError,
} from '../shared/errors.ts';
import { evidenceOf } from '../shared/evidence.ts';
import { DOCUMENTS, USER_TAGS } from '../shared/names.ts';
import {
  type FoundRestoreSet,
  type PlanRestoreInput,
  type Restore,
  RestoreEvidence,
  type RestoreWish,
} from '../shared/restore-contracts.ts';
import { mountsOn, mountsWanted, volumesUnder } from './choose-mounts.ts';
import { originalsOf } from './choose-originals.ts';

export interface Target {
  state: string;
  windows: boolean;
  tags: Record<string, string>;
  zone: string;
  devices: { device: string; volumeId: string }[];
}

export interface World {
  instance(instanceId: string): Promise<Target | undefined>;
  /** Those of the ids that there are. */
  volumes(volumeIds: readonly string[]): Promise<{ volumeId: string; tags: Record<string, string> }[]>;
  agent(instanceId: string): Promise<{ ping: string } | undefined>;
  pin(document: string): Promise<{ version: string; hash: string }>;
}

/** Decides what is made, where it goes and what is mounted; refuses what could not become a whole restore. No effects. */
export const planRestore = async (input: PlanRestoreInput, world: World): Promise<Restore> => {
  const { restore, wish, set } = input;
  refuseContradictions(wish);
  const evidence = evidenceOf(RestoreEvidence, input);
  const root = evidence.volumes.find((volume) => volume.root);
  if (wish.launch?.root === 'set' && !root) {
    throw new NotInSetError(
      `set ${set.id} has no root volume of ${wish.instanceId}; launch with the root of the template`,
    );
  }

  // What is mounted, and the volumes that it takes
  const bootsFromSet = wish.launch?.root === 'set' ? root : undefined;
  const instanceId = wish.launch ? '' : (wish.target ?? wish.instanceId);
  const { mounts, volumeIds } = wholeOf(evidence, wish, bootsFromSet?.volumeId, instanceId);

  // Where it goes
  const document = await world.pin(DOCUMENTS.restore);
  const target = instanceId ? await targetOf(instanceId, world) : undefined;
  const swap = wish.swap && target ? originalsOf(evidence, volumeIds, await attachedTo(target, world)) : null;

  return {
    restore,
    set: {
      id: set.id,
      grade: set.grade,
      startTime: set.startTime,
      snapshotIds: set.snapshots.map(({ snapshotId }) => snapshotId),
    },
    from: wish.instanceId,
    instanceId,
    zone: target?.zone ?? '',
    launch: wish.launch
      ? {
          template: wish.launch.template,
          version: wish.launch.version,
          subnetId: wish.launch.subnetId ?? null,
          rootDevice: bootsFromSet?.device ?? null,
        }
      : null,
    access: wish.swap || bootsFromSet ? 'rw' : wish.access,
    under: wish.under,
    keepOnFailure: wish.keepOnFailure,
    initializationRate: wish.initializationRate ?? null,
    ...(wish.drill !== undefined && { drill: wish.drill }),
    document,
    volumes: volumeIds.map((from) => memberOf(set, evidence, from, swap?.places)),
    originals: swap?.originals ?? null,
    merges: mergesOf(set, evidence),
    mounts: mounts.map(({ mount, type, uuid, options, layers }) => {
      const [own] = layers;
      return { mount, type, uuid, options, lv: own?.kind === 'lv' ? own.detail : '' };
    }),
  };
};

const refuseContradictions = ({ swap, launch, target, instanceId }: RestoreWish): void => {
  if (launch && (swap || target)) {
    throw new BadInputError(
      `launch makes an instance of the restore's own and goes with neither swap nor target; leave one of them out`,
    );
  }
  if (swap && target && target !== instanceId) {
    throw new BadInputError(
      `swap puts the volumes of ${instanceId} into their own place and can't go to the target ${target}; leave one of the two out`,
    );
  }
};

/** What takes the place that it had, by swap or on an instance that boots from the set, takes along all on its volumes. */
const wholeOf = (
  evidence: RestoreEvidence,
  wish: RestoreWish,
  root: string | undefined,
  instanceId: string,
): { mounts: RestoreEvidence['topology']['filesystems']; volumeIds: string[] } => {
  const beside = !wish.swap && instanceId === evidence.instance;
  const wanted = mountsWanted(evidence, wish.mounts, { beside, none: root !== undefined });
  const volumeIds = [...new Set([...(root ? [root] : []), ...volumesUnder(evidence, wanted)])];
  if (!wish.swap && !root) return { mounts: wanted, volumeIds };
  const data = volumeIds.filter((volumeId) => volumeId !== root);
  return { mounts: mountsOn(evidence, data), volumeIds };
};

const targetOf = async (instanceId: string, world: World): Promise<Target> => {
  const [instance, agent] = await Promise.all([world.instance(instanceId), world.agent(instanceId)]);
  const target = refuseTarget(instanceId, instance);
  refuseAgent(instanceId, agent);
  return target;
};

const attachedTo = async ({ devices }: Target, world: World) => {
  const volumes = await world.volumes(devices.map(({ volumeId }) => volumeId));
  return devices.map((each) => ({
    ...each,
    tags: volumes.find(({ volumeId }) => volumeId === each.volumeId)?.tags ?? {},
  }));
};

const memberOf = (
  { id, snapshots, copied }: FoundRestoreSet['set'],
  { volumes }: RestoreEvidence,
  from: string,
  places: ReadonlyMap<string, string> | undefined,
): Restore['volumes'][number] => {
  const snapshot = snapshots.find(({ volumeId }) => volumeId === from);
  if (!snapshot) {
    throw new NotInSetError(
      `set ${id} has no snapshot of ${from}, which lies under what is to be mounted; name other mounts or another set`,
    );
  }
  const original = volumes.find(({ volumeId }) => volumeId === from);
  return {
    from,
    device: places?.get(from) ?? original?.device ?? '',
    snapshotId: snapshot.snapshotId,
    sizeGiB: snapshot.sizeGiB,
    // A copy lies under a key of its own place, which its volumes take over; the original's is of no use there.
    spec: original?.spec ? { ...original.spec, ...(copied && { kmsKeyId: null }) } : null,
  };
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
