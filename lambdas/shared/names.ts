/** The names that the stack, the Lambdas, the tags and the lab share: one truth for each. */

/** Names of the states that do work, in the order they run; a state's Lambda folder is its name in kebab-case. */
export const STATES = {
  inspect: 'Inspect host',
  rehearse: 'Rehearse',
  freeze: 'Freeze',
  createSnapshots: 'Create snapshots',
  thaw: 'Thaw',
  snapshotWithVss: 'Snapshot with VSS',
  checkVss: 'Check VSS',
  createUnfrozen: 'Create snapshots unfrozen',
  grade: 'Grade',
  lock: 'Lock',
  checkSnapshots: 'Check snapshots',
  discard: 'Discard',
} as const;

/** States of the rescue. Its *Thaw* is the very function of the run's own. */
export const RESCUE_STATES = {
  checkThaw: 'Check thaw',
  thaw: STATES.thaw,
} as const;

/** States of Restore that do work, in the order they run. */
export const RESTORE_STATES = {
  findSet: 'Find set',
  readEvidence: 'Read evidence',
  planRestore: 'Plan restore',
  holdSet: 'Hold set',
  launchInstance: 'Launch instance',
  createVolumes: 'Create volumes',
  prepareHost: 'Prepare host',
  attachVolumes: 'Attach volumes',
  mount: 'Mount',
  /** In a swap, in the place of *Attach volumes* and *Mount*. */
  vacate: 'Vacate',
  swapVolumes: 'Swap volumes',
  occupy: 'Occupy',
  /** On an instance that boots from the set: *Occupy* by another name, where nothing has to be put back. */
  settle: 'Settle',
  /** After an error in *Vacate*, *Swap volumes* or *Occupy*: the originals get their place back. */
  vacateCopies: 'Vacate copies',
  swapBack: 'Swap back',
  occupyOriginals: 'Occupy originals',
  releaseHost: 'Release host',
  terminateInstance: 'Terminate instance',
  removeVolumes: 'Remove volumes',
  letGoOfSet: 'Let go of set',
} as const;

/** States of the drill that do work, in the order they run. Its *Release host* is the very function of Restore's. */
export const DRILL_STATES = {
  chooseSet: 'Choose set',
  readEvidence: 'Read evidence',
  planDrill: 'Plan drill',
  launchScratch: 'Launch scratch',
  waitForAgent: 'Wait for agent',
  restore: 'Restore',
  verify: 'Verify',
  checkVerify: 'Check verify',
  judge: 'Judge',
  releaseHost: RESTORE_STATES.releaseHost,
  tearDown: 'Tear down',
} as const;

/** States of the prune. */
export const PRUNE_STATES = {
  listSets: 'List sets',
  decide: 'Decide',
  delete: 'Delete',
  archive: 'Archive',
} as const;

/** States of a copy that do work. */
export const COPY_STATES = {
  planCopies: 'Plan copies',
  copySnapshots: 'Copy snapshots',
} as const;

/** SSM document names. Fixed, so that a new version never takes the thaw away from a run that froze with the old one. */
export const DOCUMENTS = {
  inspect: 'Freezeframe-Inspect',
  freeze: 'Freezeframe-Freeze',
  thaw: 'Freezeframe-Thaw',
  restore: 'Freezeframe-Restore',
  verify: 'Freezeframe-Verify',
} as const;

/** The document that inspects a Windows host; the rest is done by those of AWS. */
export const INSPECT_WINDOWS = 'Freezeframe-InspectWindows';

/** AWS's own documents that take a set through VSS: `create` where its components are there, else `install` first. */
export const VSS_DOCUMENTS = {
  create: 'AWSEC2-CreateVssSnapshot',
  install: 'AWSEC2-VssInstallAndSnapshot',
} as const;

/** Managed policy for the roles of Windows instances; its name ends with the Region. */
export const VSS_INSTANCE_POLICY = 'Freezeframe-VssInstance';

/** Tags that AWS's VSS components put on snapshots; nobody else may ask for them. */
export const VSS_TAGS = {
  /** `true` once VSS has vouched for the snapshot: it comes after the snapshot, and does not come when anything failed. */
  consistent: 'AppConsistent',
  config: 'AwsVssConfig',
  device: 'Device',
} as const;

/** The document for hosts that Amazon Data Lifecycle Manager backs up: no run of ours sends it. */
export const DLM_DOCUMENT = 'Freezeframe-DLM';

/** Name of the Backup state machine. */
export const BACKUP = 'Freezeframe-Backup';

/** Name of the state machine that thaws in the place of a run that can't. */
export const THAW_RESCUE = 'Freezeframe-ThawRescue';

/** Name of the Restore state machine. */
export const RESTORE = 'Freezeframe-Restore';

/** Tags that Freezeframe puts on every volume that a restore makes. */
export const RESTORE_TAGS = {
  /** Name of the execution that made it: nothing else may attach, detach or delete it for us. */
  restore: 'freezeframe:restore',
  /** Id of the set. */
  set: 'freezeframe:restored-set',
  /** The volume that the snapshot was taken of. */
  from: 'freezeframe:restored-volume',
} as const;

/** Tags of the original volumes that a swap has put aside: kept until somebody deletes them. */
export const SWAP_TAGS = {
  /** Name of the restore that took their place: nothing else of an instance's own may we detach or attach. */
  swappedOut: 'freezeframe:swapped-out',
  /** Where they were attached. */
  device: 'freezeframe:swapped-device',
} as const;

/** Name of the state machine that restores a set to throw it away again. */
export const DRILL = 'Freezeframe-Drill';

/** On all that a drill makes, instances and volumes: the name of its execution. Nothing else is ever terminated by us. */
export const DRILL_TAG = 'freezeframe:drill';

/** Policy tag of a scratch instance: documents may be sent to it, and no policy can have such a name. */
export const SCRATCH_POLICY = '@drill';

/** Name of the state machine that lets sets go. */
export const PRUNE = 'Freezeframe-Prune';

/** Name of the state machine that keeps another Region or account supplied with copies. */
export const COPY = 'Freezeframe-Copy';

/** Name of the state machine that backs up all instances of a policy. */
export const FLEET = 'Freezeframe-Fleet';

/** Name of the state machine that a schedule starts, which starts the fleet once for each firing. */
export const FIRING = 'Freezeframe-Firing';

/** States of the fleet that do work. */
export const FLEET_STATES = {
  findTargets: 'Find targets',
  forEachTarget: 'For each target',
  waitForTurn: 'Wait for its turn',
  backUp: 'Back up',
  rescue: 'Thaw in its place',
  report: 'Report',
} as const;

/** Where a fleet puts its lists and results in the bucket of the receipts. They expire, the receipts do not. */
export const FLEETS_PREFIX = 'fleets/';

/** Source and detail type of the event that tells of a fleet's end. */
export const FLEET_EVENT = { source: 'freezeframe', detailType: 'Freezeframe Fleet Ended' } as const;

/** The dashboard in CloudWatch. */
export const DASHBOARD = 'Freezeframe';

/** Namespace of the CloudWatch metrics, and their names. */
export const METRICS = {
  namespace: 'Freezeframe',
  /** Instances of a policy without a completed set of its grade that is young enough. */
  stale: 'StaleInstances',
  /** Instances that bear the policy's tag and have no completed set at all. */
  neverBackedUp: 'NeverBackedUp',
  oldestSetHours: 'OldestSetHours',
  reached: 'Reached',
  missed: 'Missed',
  /** Sets that a destination still lacks though they are older than the policy lets a set be. */
  lateCopies: 'LateCopies',
  /** Hours since the point in time of the oldest set that a destination still lacks. */
  oldestLackingHours: 'OldestLackingHours',
  /** Of each run: its frozen window; whether it missed its grade; whether the host had to thaw itself. */
  windowMs: 'WindowMs',
  downgraded: 'Downgraded',
  stuckThaws: 'StuckThaws',
  /** Snapshots of ours that there are. */
  snapshots: 'Snapshots',
  /** From the start of a drill's restore to mounted file systems. */
  restoreSeconds: 'RestoreSeconds',
} as const;

/** Tags the user puts on instances, volumes and snapshots. */
export const USER_TAGS = {
  policy: 'freezeframe:policy',
  mode: 'freezeframe:mode',
  apps: 'freezeframe:apps',
  group: 'freezeframe:group',
  hookDocument: 'freezeframe:hook-document',
  exclude: 'freezeframe:exclude',
  hold: 'freezeframe:hold',
} as const;

/** Tags that Freezeframe puts on every snapshot of a set. */
export const SET_TAGS = {
  /** Id of the set: the run's id, since a run makes at most one set. */
  set: 'freezeframe:set',
  run: 'freezeframe:run',
  policy: 'freezeframe:policy',
  instance: 'freezeframe:instance',
  /** `unproven` from the CreateSnapshots call on, until Grade has proven a grade. */
  grade: 'freezeframe:grade',
  mode: 'freezeframe:mode',
  /** Frozen window in milliseconds of the host's clock: first application stalled to last one released. */
  windowMs: 'freezeframe:window-ms',
  /** Devices of the whole set with their volumes, on each of its snapshots; goes on in `…:devices-2` and so on. */
  devices: 'freezeframe:devices',
  /** Device name of the snapshot's volume on the instance; a fleet's sets have `devices` alone. */
  device: 'freezeframe:device',
  /** Source volume id: a copied snapshot no longer knows it. A fleet's sets have `devices` alone. */
  volume: 'freezeframe:volume',
  /** How many snapshots the whole set has. */
  members: 'freezeframe:members',
  /** SHA-256 of the stored evidence, see `hashOf`. */
  receipt: 'freezeframe:receipt',
  /** On copies: the point in time of their set, since a copy's StartTime is its own. */
  started: 'freezeframe:started',
  /** On copies: account and Region that their set was taken in, `111122223333/eu-central-1`. */
  origin: 'freezeframe:origin',
  /** On copies: the snapshot that they are of. */
  source: 'freezeframe:source',
  /** On copies: the grade of their set, which becomes their own when the whole set is there. */
  sourceGrade: 'freezeframe:source-grade',
  /** When a drill has found the set good, ISO 8601; or `failed` and when, where it has found it wanting. */
  verified: 'freezeframe:verified',
  /** Retention has let the set go; since when its members are being deleted. */
  deleting: 'freezeframe:deleting',
} as const;

/** Where a set says which snapshot is of which device, in as many tags as it takes; a set of 128 volumes needs 14. */
export const DEVICES_TAGS: readonly string[] = Array.from({ length: 16 }, (_, index) =>
  index === 0 ? SET_TAGS.devices : `${SET_TAGS.devices}-${index + 1}`,
);

/** Tags `freezeframe:in-use:<who>` hold a set until the time that is their value, ISO 8601: of a restore, of a copy. */
export const IN_USE = 'freezeframe:in-use:';
/** Of a restore, before its name. */
export const IN_RESTORE = `${IN_USE}restore:`;
/** Of a copy that is under way, on the set and on its copies. */
export const IN_COPY = `${IN_USE}copy`;

/** Grades in ascending order of what they promise. */
export const GRADES = ['crash', 'filesystem', 'application'] as const;
export type GradeName = (typeof GRADES)[number];

/** Value of the grade tag until the grade has been proven. */
export const UNPROVEN = 'unproven';

/** Modes of quieting a host. */
export const MODES = ['lvm-snapshot', 'fs-freeze', 'app-only', 'vss', 'crash'] as const;
export type Mode = (typeof MODES)[number];
export const WINDOWS_MODES = ['vss', 'crash'] as const satisfies readonly Mode[];
export const LINUX_MODES = ['lvm-snapshot', 'fs-freeze', 'app-only', 'crash'] as const satisfies readonly Mode[];
export type LinuxMode = (typeof LINUX_MODES)[number];

/** True when `grade` promises at least what `wanted` does. */
export const reaches = (grade: GradeName, wanted: GradeName): boolean =>
  GRADES.indexOf(grade) >= GRADES.indexOf(wanted);
