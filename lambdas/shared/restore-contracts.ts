/** What crosses a border in a restore: the answer of its document, and what each of its states hands to the next. */
import * as z from 'zod/mini';
import {
  Grade,
  Head,
  InspectAnswer,
  InstanceId,
  PARAMETER_PATTERNS,
  PinnedDocument,
  Receipt,
  RunId,
  VolumeId,
  VolumeSpec,
} from './contracts.ts';
import { EvidenceRead } from './evidence.ts';

/** Answer of Restore. `arrays`, `groups` and `mounts` are of the acts `mount` and `occupy`; `done` is for people. */
export const RestoreAnswer = z.object({
  ...Head,
  restore: z.string(),
  act: z.enum(['prepare', 'mount', 'release', 'vacate', 'occupy']),
  arrays: z.array(z.object({ uuid: z.string(), device: z.string(), newUuid: z.boolean() })),
  groups: z.array(z.object({ uuid: z.string(), name: z.string(), as: z.string() })),
  mounts: z.array(
    z.object({
      /** Where it was mounted on the original, and where it is now. */
      mount: z.string(),
      at: z.string(),
      device: z.string(),
      type: z.string(),
      /** Of the restored file system, which is a new one where it is mounted read-write beside the original. */
      uuid: z.string(),
      readOnly: z.boolean(),
    }),
  ),
  done: z.array(z.string()),
});
export type RestoreAnswer = z.infer<typeof RestoreAnswer>;

const MountPath = z.string().check(z.regex(/^\/[^\n]{0,1000}$/, 'a mount point such as /data'));

const Launch = z.strictObject({
  /** Id or name of a launch template: type, network, security groups and role of the instance. */
  template: z.string().check(z.regex(/^[\w()./-]{3,125}$/, 'a launch template by its id (lt-…) or name')),
  version: z._default(
    z.string().check(z.regex(/^(\d+|\$Default|\$Latest)$/, '$Default, $Latest or a number')),
    '$Default',
  ),
  /** In the place of the template's own. */
  subnetId: z.optional(z.string().check(z.regex(/^subnet-[0-9a-f]{8,17}$/, 'a subnet id'))),
  /** What the instance boots from: the template's image, or the root volume of the set. */
  root: z._default(z.enum(['template', 'set']), 'template'),
});

/** What a person asks of Restore. */
export const RestoreWish = z.strictObject({
  /** Whose backup: the instance may be gone by now. */
  instanceId: InstanceId,
  /** Id of the set: the name of its run. Without it the newest set that fits. */
  set: z.optional(RunId),
  /** The newest set that was begun at this time or before. */
  before: z.optional(z.iso.datetime({ offset: true })),
  /** The least grade that will do. */
  grade: z._default(Grade, 'crash'),
  /** Where to: a running instance, the original or another one. Default: the original. */
  target: z.optional(InstanceId),
  access: z._default(z.enum(['ro', 'rw']), 'ro'),
  under: z._default(z.string().check(z.regex(new RegExp(PARAMETER_PATTERNS.Under))), '/mnt/freezeframe'),
  /** Launch an instance of the restore's own, in the place of `target`. */
  launch: z.optional(Launch),
  /** Put the restored volumes in the place of the original's own, which are kept aside. */
  swap: z._default(z.boolean(), false),
  /** Mount points of the original. Default: all but those on its root volume. */
  mounts: z.optional(z.array(MountPath).check(z.minLength(1))),
  /** Leave what this restore made where it is when it fails. */
  keepOnFailure: z._default(z.boolean(), false),
  /** MiB/s at which EBS reads each new volume from S3; without it blocks come as they are read. */
  initializationRate: z.optional(z.number().check(z.int(), z.gte(100), z.lte(300))),
  /** Name of the drill that will throw it away again: its tear-down takes the volumes, by a tag. */
  drill: z.optional(RunId),
});
export type RestoreWish = z.infer<typeof RestoreWish>;

/** Input of *Find set*: the execution's input and name. */
export const FindSetInput = z.object({ input: RestoreWish, restore: RunId });
export type FindSetInput = z.infer<typeof FindSetInput>;

/** Output of *Find set*. `key`: of the object that holds the set's evidence. */
export const FoundRestoreSet = z.object({
  restore: RunId,
  wish: RestoreWish,
  key: z.string(),
  set: z.object({
    id: RunId,
    grade: z.string(),
    mode: z.string(),
    startTime: z.string(),
    /** Its snapshots are copies of the set's own, in another Region or account. */
    copied: z.boolean(),
    snapshots: z.array(z.object({ snapshotId: z.string(), volumeId: z.string(), sizeGiB: z.number() })),
  }),
});
export type FoundRestoreSet = z.infer<typeof FoundRestoreSet>;

/** The part of a set's evidence that a restore needs. */
export const RestoreEvidence = z.object({
  run: RunId,
  instance: InstanceId,
  topology: z.pick(InspectAnswer, { disks: true, filesystems: true, arrays: true, groups: true }),
  volumes: z.array(
    z.object({ volumeId: VolumeId, device: z.string(), root: z.boolean(), spec: z.optional(VolumeSpec) }),
  ),
  receipt: z.nullable(z.object({ lvmSnapshots: Receipt.shape.lvmSnapshots })),
});
export type RestoreEvidence = z.infer<typeof RestoreEvidence>;

/** Input of *Plan restore*. */
export const PlanRestoreInput = z.extend(FoundRestoreSet, EvidenceRead);
export type PlanRestoreInput = z.infer<typeof PlanRestoreInput>;

/** Output of *Plan restore*: what is to be made, carried to the end. */
export const Restore = z.object({
  restore: RunId,
  /** `snapshotIds`: all of its members, also those that this restore makes nothing of. */
  set: z.object({ id: RunId, grade: z.string(), startTime: z.string(), snapshotIds: z.array(z.string()) }),
  /** Whose backup it is, and where it goes: empty until the instance has been launched. */
  from: InstanceId,
  instanceId: z.union([InstanceId, z.literal('')]),
  zone: z.string(),
  /** `rootDevice`: the instance boots from the set's root volume, which is there by this name. Null: from its own. */
  launch: z.nullable(
    z.object({
      template: z.string(),
      version: z.string(),
      subnetId: z.nullable(z.string()),
      rootDevice: z.nullable(z.string()),
    }),
  ),
  access: z.enum(['ro', 'rw']),
  under: z.string(),
  keepOnFailure: z.boolean(),
  initializationRate: z.nullable(z.number()),
  drill: z.optional(RunId),
  document: PinnedDocument,
  /** `device`: where the original was attached. */
  volumes: z.array(
    z.object({
      from: VolumeId,
      device: z.string(),
      snapshotId: z.string(),
      spec: z.nullable(VolumeSpec),
      sizeGiB: z.number(),
    }),
  ),
  /** In a swap: what is attached now where the restored volumes shall be. Null: no swap. */
  originals: z.nullable(z.array(z.object({ volumeId: VolumeId, device: z.string() }))),
  /** LVM snapshots that hold the set's state: `vg/lv` of the origin and the snapshot's own name. */
  merges: z.array(z.object({ origin: z.string(), snapshot: z.string() })),
  /** `lv`: `vg/lv` where the file system lies on a logical volume, else empty. */
  mounts: z.array(
    z.object({ mount: z.string(), type: z.string(), uuid: z.string(), options: z.string(), lv: z.string() }),
  ),
});
export type Restore = z.infer<typeof Restore>;

/** Input of *Hold set* and *Let go of set*: one function, told apart by `act`. */
export const HoldSetInput = z.object({ act: z.enum(['hold', 'letGo']), restore: Restore });
export type HoldSetInput = z.infer<typeof HoldSetInput>;

/** Input of *Swap volumes* and *Swap back*: one function, told apart by `act`. */
export const SwapVolumesInput = z.object({ act: z.enum(['swap', 'back']), restore: Restore });
export type SwapVolumesInput = z.infer<typeof SwapVolumesInput>;

/** Acts on the host by the states that ask for them: one function and one document, told apart by `act`. */
export const RestoreHostInput = z.object({
  act: z.enum(['prepare', 'mount', 'release', 'settle', 'vacate', 'occupy', 'vacateCopies', 'occupyOriginals']),
  restore: Restore,
});
export type RestoreHostInput = z.infer<typeof RestoreHostInput>;
