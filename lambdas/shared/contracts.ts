/**
 * What crosses a border: the parameters and answers of the SSM documents, and what each state of a run hands to the
 * next. Parsed where they enter, trusted after that.
 */
import * as z from 'zod/mini';
import { GRADES, MODES } from './names.ts';

/** Version of the host contract (ssm-documents/README.md). A document of another contract is refused. */
export const CONTRACT = 1;

/** Seconds on the host's boot clock: monotonic, so that setting the wall clock changes nothing. */
const Uptime = z.number().check(z.nonnegative());
export const Grade = z.enum(GRADES);
const ModeName = z.enum(MODES);
const QuietMode = z.enum(['lvm-snapshot', 'fs-freeze', 'app-only']);
export type QuietMode = z.infer<typeof QuietMode>;

export const InstanceId = z.string().check(z.regex(/^i-[0-9a-f]{8,17}$/, 'an instance id such as i-0123456789abcdef0'));
export const VolumeId = z.string().check(z.regex(/^vol-[0-9a-f]{8,17}$/, 'a volume id such as vol-0123456789abcdef0'));
/** A run's id is its execution's name. */
export const RunId = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,80}$/, 'an execution name'));

// ---------------------------------------------------------------------------------------------- the documents' parameters

/**
 * `allowedPattern` of every document parameter, in the syntax that the SSM API (Java) and the agent (RE2) share.
 * Anchored, and without any character that a shell could take for more than a letter. RE2 refuses a count above 1000, and
 * then every command would fail.
 */
export const PARAMETER_PATTERNS = {
  /** Id of the run that freezes or thaws. */
  Run: '^[A-Za-z0-9_-]{1,80}$',
  /** Drivers to use, comma-separated; `auto`: all that are found; `none`. Freeze takes no `auto`. */
  Apps: '^(auto|none|[a-z0-9]{2,20}(,[a-z0-9]{2,20}){0,19})$',
  /** How to quiet the host. */
  Mode: '^(lvm-snapshot|fs-freeze|app-only)$',
  /** Seconds from arming until the host thaws itself. */
  Lease: '^[0-9]{2,3}$',
  /** Seconds that freezing may take; not frozen by then, the host lets go and says LockTimeout or FreezeTimeout. */
  Within: '^[0-9]{1,3}$',
  /** Host uptime in whole seconds after which a late Freeze refuses to start. */
  NotAfter: '^[0-9]{1,10}$',
  /** /proc/sys/kernel/random/boot_id as Inspect saw it. */
  BootId: '^[0-9a-f-]{36}$',
  /** SHA-256, 16 digits of each of the host's file systems, disks, applications and hook, as Inspect saw them. */
  Topology: '^[0-9a-f]{64}$',
  /** Who asks for the thaw: `asked` is the run itself with its set, and no other word may close a backup as successful. */
  Why: '^(asked|rescue|sweep|hand)$',
  /** Id of the restore: the name of its execution. */
  Restore: '^[A-Za-z0-9_-]{1,80}$',
  /** What Restore shall do: before the attachment, after it, before the detachment; in a swap, free a place and take it. */
  Act: '^(prepare|mount|release|vacate|occupy)$',
  /** Whether restored file systems are mounted read-only. */
  Access: '^(ro|rw)$',
  /** Directory that holds one of the restore's own, with all its mount points. */
  Under: '^/[A-Za-z0-9._-]{1,60}(/[A-Za-z0-9._-]{1,60}){0,4}$',
  /** What is to be restored, or verified, one thing a line, in base64: paths may hold any character. */
  Plan: '^[A-Za-z0-9+/]+={0,2}$',
  /** Minutes that all checks of Verify together may take. */
  Minutes: '^[0-9]{1,3}$',
  /** The user's own document that is carried as a hook: its name and, in base64, its script. */
  Hook: '^(none|[A-Za-z0-9_.-]{3,128}:[A-Za-z0-9+/]+={0,2})$',
} as const;
export type ParameterName = keyof typeof PARAMETER_PATTERNS;

/** What need not be sent: a run may be pinned to a document of an earlier deployment, which does not know it. */
export const PARAMETER_DEFAULTS = { Hook: 'none' } as const satisfies Partial<Record<ParameterName, string>>;

/** The parameters of each document. */
export const DOCUMENT_PARAMETERS = {
  inspect: ['Apps', 'Hook'],
  freeze: ['Run', 'Mode', 'Apps', 'Lease', 'Within', 'NotAfter', 'BootId', 'Topology', 'Hook'],
  thaw: ['Run', 'Why'],
  restore: ['Restore', 'Act', 'Access', 'Under', 'Plan'],
  verify: ['Restore', 'Under', 'Minutes', 'Plan'],
} as const satisfies Record<string, readonly ParameterName[]>;

/** Those of the document for Data Lifecycle Manager, as it wants them; no run sends that one. */
export const DLM_PARAMETERS = {
  executionId: {
    default: 'None',
    allowedPattern: '^(None|[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12})$',
  },
  command: { default: 'dry-run', allowedValues: ['pre-script', 'post-script', 'dry-run'] },
} as const;

/** Exit codes of the documents with the `code` in their answer. Never 137, 168, 169, 194: the agent has uses for these. */
export const HOST_ERRORS = {
  /** Not root, no systemd and no setsid, /run not a tmpfs, a tool missing, unsupported OS. */
  HostUnfit: 11,
  Busy: 12,
  /** `NotAfter` has passed. */
  TooLate: 13,
  /** The run was thawed before this freeze came: its tombstone stands. */
  AlreadyThawed: 14,
  /** Another boot than Inspect's. */
  Rebooted: 15,
  TopologyChanged: 16,
  /** The mode asked for can't be had on this host; the message says why and which can. */
  ModeNotPossible: 17,
  /** Somebody else's freeze holds a file system. */
  AlreadyFrozen: 18,
  /** An application refused to be quieted: rights, version, state. */
  ApplicationRefused: 19,
  /** An application's lock did not come within its time; the message names the query in its way where there is one. */
  LockTimeout: 20,
  /** fsfreeze or lvcreate failed. */
  FreezeFailed: 21,
  /** The host was not frozen within `Within` seconds. */
  FreezeTimeout: 22,
  /** Thaw: something of ours is still frozen or held. */
  ThawFailed: 23,
  /** A thaw was asked for while the freeze was still being made. */
  ThawedDuringFreeze: 24,
  Internal: 25,
  /** Restore: a device lies on restored volumes and on others; nothing was touched. */
  ForeignDevice: 26,
  /** Restore: a volume that EC2 has attached does not show. */
  DeviceMissing: 27,
  /** Restore: an md array lacks members, or does not assemble. */
  ArrayIncomplete: 28,
  /** Restore: a volume group lacks physical volumes, or can't be imported or activated. */
  GroupIncomplete: 29,
  /** Restore: no key for a LUKS volume on this host. */
  KeyMissing: 30,
  /** Restore: the LVM snapshot that holds the set's state is gone, overflowed, or can't be merged. */
  MergeFailed: 31,
  /** Restore: no restored device has a file system of the topology. */
  FilesystemMissing: 32,
  MountFailed: 33,
  /** Restore: something uses what is to be released. */
  RestoreInUse: 34,
  /** Restore: a service that was stopped for a swap does not start again. */
  ServiceFailed: 35,
} as const;
export type HostErrorCode = keyof typeof HOST_ERRORS;

// -------------------------------------------------------------------------------------------------- the documents' answers

export const Head = { contract: z.literal(CONTRACT) };
const HostFault = z.object({ code: z.string(), message: z.string() });

/** A document that could not do its work. `message` says what to do. */
export const HostFailure = z.object({ ...Head, error: HostFault });

const Layer = z.object({
  /** Kernel name: dm-0, md0, nvme1n1p1. */
  name: z.string(),
  kind: z.enum(['disk', 'partition', 'md', 'lv', 'crypt', 'loop', 'other']),
  /** `vg/lv` of an LV, RAID level of an md array, else empty. */
  detail: z.string(),
  uuid: z.string(),
});

const Filesystem = z.object({
  /** The mount point it is frozen through (bind mounts of the same file system are not listed again). */
  mount: z.string(),
  type: z.string(),
  device: z.string(),
  uuid: z.string(),
  options: z.string(),
  freezable: z.boolean(),
  /** Why it is never frozen; empty when it is. */
  why: z.string(),
  /** `vg/lv` when the file system lies directly on an LV that can have a snapshot, else empty. */
  lv: z.string(),
  /** From the file system's device down to the disks, each once. */
  layers: z.array(Layer),
  /** Whole disks under it, by kernel name. */
  disks: z.array(z.string()),
});

const Disk = z.object({
  name: z.string(),
  kind: z.enum(['ebs', 'instance-store', 'unknown']),
  /** From the NVMe serial; empty on Xen, where EC2 tells it by device name. */
  volumeId: z.string(),
});

export const App = z.object({
  /** Driver: mysql, postgresql … */
  driver: z.string(),
  /** Product and version, for people. */
  name: z.string(),
  /** One data directory stands for one running server. */
  dataDir: z.string(),
  /** Mount points its files lie on. */
  mounts: z.array(z.string()),
  /** Whether the driver can quiet it; `problem` says what is missing. */
  ready: z.boolean(),
  problem: z.string(),
  /** Its driver can prove that it stayed quiet; an engine without a lock worth the name earns no grade `application`. */
  provable: z.boolean(),
  /** Its lock stops every write, so that LVM snapshots moments apart are one instant for it. */
  stopsWrites: z.boolean(),
});

const Possible = z.object({ possible: z.boolean(), why: z.string() });

/** As `vssadmin list writers` tells it; `state` 1 is stable, its other numbers are those of VSS_WRITER_STATE. */
const Writer = z.object({ name: z.string(), state: z.number(), error: z.string() });

/** A running service of Windows. */
const Service = z.object({ name: z.string(), path: z.string() });

/**
 * Answer of InspectWindows: what the host says, without a judgement. *Inspect host* makes an InspectAnswer of it, where
 * that can be tested.
 */
export const WindowsAnswer = z.object({
  ...Head,
  /** When the host was booted, ISO 8601. */
  booted: z.string(),
  uptime: Uptime,
  os: z.string(),
  /** 14393 is Windows Server 2016. */
  build: z.number(),
  powerShell: z.string(),
  /** FullLanguage, ConstrainedLanguage … */
  languageMode: z.string(),
  /** Registry value of .NET Framework 4: 393295 is 4.6. 0: none. */
  dotNetRelease: z.number(),
  components: z.string(),
  disks: z.array(
    z.object({
      number: z.number(),
      serial: z.string(),
      model: z.string(),
      bus: z.string(),
      /** SCSI target on Xen, which tells EC2's device name; -1: not known. */
      target: z.number(),
      /** Belongs to the host's group of Dynamic Disks. */
      dynamic: z.boolean(),
    }),
  ),
  volumes: z.array(
    z.object({
      /** `D:\\` or a folder; empty: not mounted. */
      mount: z.string(),
      guid: z.string(),
      type: z.string(),
      /** Disk numbers; empty where Windows does not tell, as on Dynamic Disks. */
      disks: z.array(z.number()),
    }),
  ),
  /** Storage pools, but for the primordial one. */
  pools: z.array(
    z.object({
      name: z.string(),
      id: z.string(),
      health: z.string(),
      disks: z.array(z.number()),
      /** Disks of virtual disks made of it. */
      spaces: z.array(z.number()),
    }),
  ),
  /** Members of the Dynamic Disk group that are not there. */
  dynamicMissing: z.number(),
  writers: z.array(Writer),
  services: z.array(Service),
  sqlServers: z.array(z.object({ name: z.string(), version: z.string(), dataDir: z.string() })),
});
export type WindowsAnswer = z.infer<typeof WindowsAnswer>;

/** Answer of Inspect: zero effect on the host. */
export const InspectAnswer = z.object({
  ...Head,
  bootId: z.string(),
  uptime: Uptime,
  os: z.string(),
  kernel: z.string(),
  /** SHA-256 that Freeze compares: any change of topology or applications since is a refusal. */
  topologyHash: z.string(),
  disks: z.array(Disk),
  /** In freezing order: deepest mount first. */
  filesystems: z.array(Filesystem),
  arrays: z.array(
    z.object({
      name: z.string(),
      uuid: z.string(),
      level: z.string(),
      disks: z.array(z.string()),
      degraded: z.number(),
      syncAction: z.string(),
      state: z.string(),
    }),
  ),
  groups: z.array(
    z.object({
      name: z.string(),
      uuid: z.string(),
      disks: z.array(z.string()),
      extentBytes: z.number(),
      freeExtents: z.number(),
      missing: z.number(),
    }),
  ),
  apps: z.array(App),
  modes: z.object({ 'lvm-snapshot': Possible, 'fs-freeze': Possible, 'app-only': Possible }),
  /** Of a Windows host only. */
  windows: z.optional(
    z.object({
      /** AwsVssComponents; empty: not installed. */
      components: z.string(),
      writers: z.array(Writer),
      /** What VSS does not cover, one phrase each. */
      uncovered: z.array(z.string()),
    }),
  ),
  /** What makes a whole set impossible: ArrayDegraded, ArrayResyncing, InstanceStoreMember, GroupPartial, GroupMoving … */
  faults: z.array(HostFault),
});
export type InspectAnswer = z.infer<typeof InspectAnswer>;

/** What the host proves about one freeze. Fields that are not known yet (before the thaw) are null. */
export const Receipt = z.object({
  run: z.string(),
  mode: QuietMode,
  bootId: z.string(),
  leaseSeconds: z.number(),
  armedAt: Uptime,
  /** Everything quiet (and, for lvm-snapshot, every LVM snapshot taken). */
  frozenAt: z.nullable(Uptime),
  /** First application stalled and last thing released: the frozen window as writers feel it. */
  stalledAt: z.nullable(Uptime),
  releasedAt: z.nullable(Uptime),
  thawAskedAt: z.nullable(Uptime),
  thawedAt: z.nullable(Uptime),
  /**
   * `asked`: by the run itself, after its set; `rescue`: without one, by the run or in its place; `hand`: by a person on the
   * host; `lease`: it ran out; `watchdog`: the holder died or hung; `error`: the freeze failed.
   */
  thawedBy: z.nullable(z.enum(['asked', 'rescue', 'hand', 'lease', 'watchdog', 'error'])),
  /** Wall clock at frozenAt, seconds since 1970, for people. */
  frozenClock: z.nullable(z.number()),
  apps: z.array(
    z.object({
      driver: z.string(),
      name: z.string(),
      dataDir: z.string(),
      lockedAt: z.nullable(Uptime),
      releasedAt: z.nullable(Uptime),
      /** At release, the very session that took the lock still had it. Null before. */
      held: z.nullable(z.boolean()),
      /** Log position under the lock: binlog file and offset, GTID, LSN. */
      position: z.string(),
    }),
  ),
  filesystems: z.array(
    z.object({
      mount: z.string(),
      device: z.string(),
      frozenAt: z.nullable(Uptime),
      thawedAt: z.nullable(Uptime),
      /** FITHAW found it still frozen. Null before the thaw. */
      foundFrozen: z.nullable(z.boolean()),
    }),
  ),
  arrays: z.array(z.object({ name: z.string(), clean: z.boolean() })),
  lvmSnapshots: z.array(
    z.object({
      /** `vg/lv` of the origin. */
      origin: z.string(),
      snapshot: z.string(),
      takenAt: z.nullable(Uptime),
      /** At thaw: not overflowed, content whole. Null before. */
      valid: z.nullable(z.boolean()),
      usedPercent: z.nullable(z.number()),
      removed: z.boolean(),
    }),
  ),
  /** Sectors written of each block device that only frozen file systems lie on, after md settled and just before the thaw. */
  writes: z.array(z.object({ device: z.string(), atFreeze: z.number(), atThaw: z.nullable(z.number()) })),
  /** What went wrong on the way, for people. */
  notes: z.array(z.string()),
});
export type Receipt = z.infer<typeof Receipt>;

/** Answer of Freeze: the host is frozen and the holder stays behind. */
export const FreezeAnswer = z.object({ ...Head, receipt: Receipt });
export type FreezeAnswer = z.infer<typeof FreezeAnswer>;

/**
 * Answer of Thaw: nothing of this run is frozen, and a tombstone keeps it so. `receipt` is null when the run never froze
 * here or the host has rebooted since. `swept`: stray LVM snapshots of dead runs that were removed.
 */
export const ThawAnswer = z.object({
  ...Head,
  bootId: z.string(),
  receipt: z.nullable(Receipt),
  swept: z.array(z.string()),
});
export type ThawAnswer = z.infer<typeof ThawAnswer>;

// --------------------------------------------------------------------------------------------- what the states hand on

/** EBS snapshot lock of every member of a set, counted from its completion. */
export const Lock = z.object({
  mode: z.enum(['governance', 'compliance']),
  days: z.number().check(z.int(), z.gte(1), z.lte(36_500)),
});

/** The part of a policy that a run needs. */
export const RunPolicy = z.object({
  grade: Grade,
  onDowngrade: z.enum(['keep', 'discard']),
  leaseSeconds: z.number().check(z.int(), z.gte(20), z.lte(300)),
  lock: z.optional(Lock),
});
export type RunPolicy = z.infer<typeof RunPolicy>;

/** First error of a run, as Step Functions catches it. */
export const CaughtError = z.object({ Error: z.string(), Cause: z.optional(z.string()) });
export type CaughtError = z.infer<typeof CaughtError>;

/** What a fleet tells each of its runs. A run by hand has none of it. */
const Turn = z.object({
  /** Milliseconds since 1970: a run that asks its host later than that has missed its turn. */
  startBefore: z.number(),
  /** Milliseconds since 1970: by then the host must be thawed again, since another of its group may freeze then. */
  freezeBefore: z.optional(z.number()),
  /** Whether to ask EC2 by DryRun: it costs a token of the very bucket that the fleet is paced by. */
  dryRun: z.boolean(),
});

/** Input of *Inspect host*: the execution's input, its name, and what the plan has: policies by name, hook documents. */
export const InspectHostInput = z.object({
  input: z.object({ instanceId: InstanceId, policy: z.optional(z.string()), turn: z.optional(Turn) }),
  run: RunId,
  policies: z.record(z.string(), RunPolicy),
  /** Documents of the user's own that a tag may choose. */
  hookDocuments: z._default(z.array(z.string()), []),
});
export type InspectHostInput = z.infer<typeof InspectHostInput>;

export const PinnedDocument = z.object({ version: z.string(), hash: z.string() });
export type PinnedDocument = z.infer<typeof PinnedDocument>;

/** A document of the user's own, carried to the host: `hash` is the SHA-256 of its script, `script` that in base64. */
export const Hook = z.object({ document: z.string(), version: z.string(), hash: z.string(), script: z.string() });
export type Hook = z.infer<typeof Hook>;

/** As Inspect and Freeze take it. */
export const hookParameter = (hook: Hook | undefined): { Hook?: string } =>
  hook ? { Hook: `${hook.document}:${hook.script}` } : {};

/** What a volume was like, so that a restore can make one like it. Tags of AWS's own and of ours are left out. */
export const VolumeSpec = z.object({
  type: z.string(),
  sizeGiB: z.number(),
  iops: z.nullable(z.number()),
  /** MiB/s. */
  throughput: z.nullable(z.number()),
  encrypted: z.boolean(),
  kmsKeyId: z.nullable(z.string()),
  tags: z.record(z.string(), z.string()),
});
export type VolumeSpec = z.infer<typeof VolumeSpec>;

/** What is known of a run before anything is frozen: output of *Inspect host*, carried to the end. */
export const Run = z.object({
  run: RunId,
  instanceId: InstanceId,
  policy: z.extend(RunPolicy, { name: z.string() }),
  turn: z.optional(Turn),
  mode: ModeName,
  /** Why this mode, and what it can earn: one sentence for people. */
  why: z.string(),
  /** Grade the mode can earn when all goes well. */
  expected: Grade,
  /** Drivers that Freeze shall quiet. */
  apps: z.array(z.string()),
  /** Members of the set, with the instance's device names. */
  volumes: z.array(
    z.object({ volumeId: VolumeId, device: z.string(), root: z.boolean(), spec: z.optional(VolumeSpec) }),
  ),
  /** Data volumes left out by the user's tag; `excludeBoot` when the root volume is. */
  excluded: z.array(VolumeId),
  excludeBoot: z.boolean(),
  documents: z.object({ freeze: PinnedDocument, thaw: PinnedDocument }),
  hook: z.optional(Hook),
  /** Boot clock of the host: `uptime` was not yet reached at `sentAt` (ms since 1970, the Lambda's clock). */
  clock: z.object({ bootId: z.string(), uptime: Uptime, sentAt: z.number() }),
  topology: InspectAnswer,
  /** Mode `vss`: whether AWS's components must be installed first, and what is known to be in the way of VSS. */
  vss: z.optional(
    z.object({
      install: z.boolean(),
      saveMetadata: z.boolean(),
      fault: z.nullable(HostFault),
    }),
  ),
});
export type Run = z.infer<typeof Run>;

/** Input of *Rehearse*, *Create snapshots* and *Create snapshots unfrozen*: one function, told apart by `act`. */
export const CreateSnapshotsInput = z.object({
  act: z.enum(['rehearse', 'frozen', 'unfrozen']),
  run: z.extend(Run, { frozen: z.optional(z.object({ sentAt: z.number() })) }),
});
export type CreateSnapshotsInput = z.infer<typeof CreateSnapshotsInput>;

/** Output of *Snapshot with VSS* and, with what became of it, of *Check VSS*. */
export const VssCommand = z.object({
  document: z.string(),
  /** Empty: no answer came to the request, so whether it runs is not known. */
  commandId: z.string(),
  sentAt: z.number(),
  /** Commands sent so far, this one included. */
  tries: z.number(),
  waitSeconds: z.number(),
  /** `underway`: look again; `again`: send another; `taken`: there is a whole set, whatever it is worth. */
  outcome: z.enum(['underway', 'again', 'taken']),
  /** Looks at a command that had ended while its set did not show as it should. */
  looks: z.number(),
});
export type VssCommand = z.infer<typeof VssCommand>;

/** Input of *Snapshot with VSS*: the second time with the command that failed. */
export const SnapshotWithVssInput = z.extend(Run, { vssCommand: z.optional(VssCommand) });
export type SnapshotWithVssInput = z.infer<typeof SnapshotWithVssInput>;

/** Input of *Check VSS*. */
export const CheckVssInput = z.extend(Run, { vssCommand: VssCommand });
export type CheckVssInput = z.infer<typeof CheckVssInput>;

/** Output of *Freeze*. `sentAt`: when the command was sent (ms since 1970), so the lease can't end before `sentAt` + lease. */
export const Frozen = z.object({ sentAt: z.number(), answeredAt: z.number(), receipt: Receipt });
export type Frozen = z.infer<typeof Frozen>;

/** Output of *Create snapshots*: the set as EC2 answered, or as it was found by its tag after an answer was lost. */
export const TakenSet = z.object({
  /** One StartTime for the whole set. */
  startTime: z.string(),
  snapshots: z.array(z.object({ snapshotId: z.string(), volumeId: z.string() })),
  requestedAt: z.number(),
  answeredAt: z.number(),
  /** The set was seen while the host was frozen: the request had been sent after Freeze answered, before Thaw was asked for. */
  whileFrozen: z.boolean(),
});
export type TakenSet = z.infer<typeof TakenSet>;

/**
 * Input of *Thaw*: what every state of a run carries, and no more, so that the rescue can call it too. A rescue knows no
 * pinned version: the document's default one thaws any run.
 */
export const ThawInput = z.object({
  run: RunId,
  instanceId: InstanceId,
  documents: z.optional(z.object({ thaw: PinnedDocument })),
  /** The set, where *Create snapshots* has answered with one. */
  snapshots: z.optional(z.unknown()),
  /** Who asks in the run's place; a run's own `why` is something else. */
  askedBy: z.optional(z.enum(['rescue', 'sweep', 'hand'])),
});
export type ThawInput = z.infer<typeof ThawInput>;

/** Input of *Check thaw*, and of the rescue: of an execution's status event, the part that names the run. */
export const CheckThawInput = z.object({
  executionArn: z.string(),
  name: RunId,
  /** Of the execution, as text. */
  input: z._default(z.nullable(z.string()), null),
});
export type CheckThawInput = z.infer<typeof CheckThawInput>;

/** Output of *Check thaw*. `why`: for people. */
export const CheckedThaw = z.object({ owed: z.boolean(), why: z.string(), run: RunId, instanceId: z.string() });
export type CheckedThaw = z.infer<typeof CheckedThaw>;

/** Input of the sweep: the ARNs of the two state machines. */
export const SweepInput = z.object({ backup: z.string(), rescue: z.string() });
export type SweepInput = z.infer<typeof SweepInput>;

/** Output of *Thaw*. `sentAt`: when the thaw was asked for. */
export const Thawed = z.object({ sentAt: z.number(), bootId: z.string(), receipt: z.nullable(Receipt) });
export type Thawed = z.infer<typeof Thawed>;

/** Input of *Grade*: everything the run knows. */
export const GradeInput = z.extend(Run, {
  frozen: z.optional(Frozen),
  snapshots: z.optional(TakenSet),
  thawed: z.optional(Thawed),
  /** First error inside the frozen window. */
  error: z.optional(CaughtError),
  /** Error of the thaw itself. */
  thawError: z.optional(CaughtError),
  /** Error of *Create snapshots unfrozen*. */
  unfrozenError: z.optional(CaughtError),
  vssCommand: z.optional(VssCommand),
});
export type GradeInput = z.infer<typeof GradeInput>;

/** What the run has earned, and why not more. */
export const Verdict = z.object({
  grade: z.nullable(Grade),
  /** The grade asked for was reached and every volume is in the set. */
  reached: z.boolean(),
  /** Keep the set (wait for its completion) or delete what there is. */
  keep: z.boolean(),
  reasons: z.array(z.string()),
  windowMs: z.nullable(z.number()),
});
export type Verdict = z.infer<typeof Verdict>;

/** Output of *Grade*: replaces the run's state. `error` is there exactly when the run must end red. */
export const Graded = z.object({
  run: RunId,
  instanceId: InstanceId,
  verdict: Verdict,
  snapshotIds: z.array(z.string()),
  /** Stored as it is under `sets/<instance>/<run>.json`. */
  evidence: z.unknown(),
  error: z.optional(CaughtError),
  /** Of a set that is kept and whose policy wants it locked. */
  lock: z.optional(Lock),
  /** Polls of *Check snapshots* so far, and the seconds to wait before the next. */
  progress: z.object({ checks: z.number(), waitSeconds: z.number(), completed: z.boolean(), percent: z.number() }),
});
export type Graded = z.infer<typeof Graded>;

/** Input of *Lock*. */
export const LockInput = z.object({ run: RunId, snapshotIds: z.array(z.string()), lock: Lock });
export type LockInput = z.infer<typeof LockInput>;

// ------------------------------------------------------------------------------------------------------------- the prune

const count = z.number().check(z.int(), z.nonnegative());

/** The part of a policy that retention needs, see `RetentionPolicy`. */
const PrunePolicy = z.object({
  grade: Grade,
  timeZone: z.string(),
  retain: z.object({
    last: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    days: count,
    finalDays: count,
  }),
  archiveAfterDays: z.optional(count),
});
export const PrunePolicies = z.record(z.string(), PrunePolicy);

/** The stack's own account and Region. */
export const Home = z.object({ region: z.string(), account: z.string() });
export type Home = z.infer<typeof Home>;

/** An account's Region; `roleArn`: the role there for those who come from another account. */
export const Place = z.extend(Home, { roleArn: z.optional(z.string()) });
export type Place = z.infer<typeof Place>;

/** A place as the plan names it: without an account it is in the stack's own. */
export const PlannedPlace = z.extend(Place, { account: z.optional(z.string()) });
export type PlannedPlace = z.infer<typeof PlannedPlace>;

/** Input of *List sets*: the execution's input, the plan's policies, and the places that have sets. */
export const ListSetsInput = z.object({
  input: z.object({ dryRun: z._default(z.boolean(), false) }),
  policies: PrunePolicies,
  home: Home,
  destinations: z.array(PlannedPlace),
});
export type ListSetsInput = z.infer<typeof ListSetsInput>;

/** Part of the instances that have sets in a place: those whose id ends so. */
const Shard = z.object({
  place: Place,
  suffix: z.string(),
  /** More of it is due than went into the batch: it is decided on again after that. */
  again: z.optional(z.boolean()),
});
export type Shard = z.infer<typeof Shard>;

const names = z.array(z.string());

/** What reports consist of: from nothing on. */
export const Counted = z._default(count, 0);
export const Named = z._default(names, []);

/** What a prune has seen and done; the lists are for people, with a limit. */
export const PruneReport = z.object({
  snapshots: Counted,
  sets: Counted,
  letGo: Counted,
  deletedSets: Counted,
  deletedSnapshots: Counted,
  /** Due, but held by a lock, a hold, a use or an image. */
  held: Named,
  /** Never graded though their run is long over, and nothing newer stands in for them. */
  unproven: Named,
  /** With a member failed or gone, likewise. */
  broken: Named,
  /** Pending for days. */
  stuck: Named,
  /** Snapshots of ours that lack the tags of a set. */
  orphans: Named,
  /** Sets that went into the archive tier, or would. */
  archived: Named,
  /** What could not be listed, decided on, deleted or archived: the prune ends red. */
  troubles: Named,
});
export type PruneReport = z.infer<typeof PruneReport>;

/** What the states of a prune hand on. */
export const PruneState = z.object({
  dryRun: z.boolean(),
  policies: PrunePolicies,
  /** Where the instances are. */
  home: Home,
  todo: z.array(Shard),
  /** Of the part that was decided on last, a line for each set. */
  decisions: names,
  /** Sets to delete next. */
  batch: z.array(z.object({ instance: z.string(), set: z.string() })),
  /** Where these lie. */
  place: Place,
  stalls: count,
  /** Sets at home that belong into the archive tier. */
  archive: z.array(z.object({ instance: z.string(), set: z.string() })),
  report: PruneReport,
  next: z.enum(['decide', 'delete', 'archive', 'end']),
});
export type PruneState = z.infer<typeof PruneState>;

// ------------------------------------------------------------------------------------------------------------ the fleet

const Bucket = z.string().check(z.minLength(3));

/** Input of *Find targets*. `time`: of the firing, as EventBridge Scheduler says it. */
export const FindTargetsInput = z.object({
  input: z.object({ policy: z.string(), time: z.iso.datetime() }),
  /** Name of the fleet's execution. */
  fleet: RunId,
  policies: z.record(
    z.string(),
    z.object({ leaseSeconds: z.number(), windowSeconds: z.number(), setsKept: z.number() }),
  ),
  pacing: z.object({ perSecond: z.number(), burst: z.number() }),
  bucket: Bucket,
});
export type FindTargetsInput = z.infer<typeof FindTargetsInput>;

/** One turn of an instance. */
const Appointment = z.object({
  instanceId: InstanceId,
  /** Of its Backup execution. */
  name: RunId,
  /** When its turn comes: a timestamp as Wait takes it. */
  at: z.string(),
  input: z.object({ instanceId: InstanceId, policy: z.string(), turn: Turn }),
});
export type Appointment = z.infer<typeof Appointment>;

/** One item of *For each target*. */
export const Target = z.extend(Appointment, {
  /** Another turn, if the first is missed and the window has room for one. */
  again: z.optional(Appointment),
});
export type Target = z.infer<typeof Target>;

/** A tagged instance that this firing does not back up, and why. */
export const Unmet = z.object({ instanceId: z.string(), error: z.string(), why: z.string() });
export type Unmet = z.infer<typeof Unmet>;

/** Output of *Find targets*. What outgrows a state lies in the bucket. */
export const Found = z.object({
  policy: z.string(),
  time: z.string(),
  fleet: RunId,
  bucket: Bucket,
  /** Keys of the list of targets, and of the list of those that are not backed up. */
  targetsKey: z.string(),
  unmetKey: z.string(),
  count: z.number(),
  unmet: z.number(),
  /** Milliseconds since 1970; the first and the last turn. */
  startsAt: z.number(),
  lastTurnAt: z.number(),
  /** What the operator should know: limits that are near, a start that had to wait. */
  notes: z.array(z.string()),
});
export type Found = z.infer<typeof Found>;

/** Input of *Report*: the fleet's state, without `results` where there were no targets or the Map itself failed. */
export const ReportInput = z.object({
  state: z.object({
    found: Found,
    results: z.optional(z.object({ ResultWriterDetails: z.object({ Bucket, Key: z.string() }) })),
    mapError: z.optional(CaughtError),
  }),
  policies: z.record(z.string(), z.object({ grade: Grade, schedule: z.string(), timeZone: z.string() })),
});
export type ReportInput = z.infer<typeof ReportInput>;

/** Output of one item of *For each target*: the end of a green run, or the error of a red one. */
export const Outcome = z.object({
  instanceId: z.string(),
  name: z.string(),
  green: z.optional(z.object({ grade: z.nullable(Grade), windowMs: z.nullable(z.number()) })),
  error: z.optional(CaughtError),
});
export type Outcome = z.infer<typeof Outcome>;

/** Output of *Report*: what is told, and whether the fleet ends red. */
export const Reported = z.object({
  red: z.boolean(),
  subject: z.string(),
  message: z.string(),
  event: z.object({
    policy: z.string(),
    fleet: z.string(),
    time: z.string(),
    grades: z.record(z.string(), z.number()),
    missed: z.number(),
    /** The first of them: an event holds 256 KB. */
    instances: z.array(Unmet),
    nextRun: z.nullable(z.string()),
  }),
});
export type Reported = z.infer<typeof Reported>;

/** Input of the daily check of ages: the policies of the plan by name. */
export const CheckRpoInput = z.object({
  policies: z.record(z.string(), z.object({ grade: Grade, rpoHours: z.number() })),
});
export type CheckRpoInput = z.infer<typeof CheckRpoInput>;
