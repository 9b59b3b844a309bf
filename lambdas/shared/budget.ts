/**
 * How the time of a run is shared out. The lease is the user's word: no later than that after it was armed, the host is
 * thawed. Everything below has to fit into it.
 */

/** The longest lease that a plan may give, in seconds. */
export const LONGEST_LEASE_SECONDS = 300;

/**
 * Seconds that a Freeze may spend on its way to the host. SSM's own delivery timeout has a floor of 30 s, so the
 * document refuses by itself when it starts later than this (`NotAfter`).
 */
export const DELIVERY_SECONDS = 15;

/**
 * Seconds of the lease kept for what follows the freeze: its answer on the way back (1-2 s; a slow agent 5 s), the start
 * of the next function (1 s), CreateSnapshots (1-3 s) and the thaw on its way (1-2 s). The host gets the rest (`Within`).
 */
export const RESERVE_SECONDS = 15;

/** Of the reserve, the part that Freeze's answer may use up: with less than the remainder left, snapshots are not tried. */
export const ANSWER_SECONDS = 5;

/** What the thaw needs on its way to the host before the lease is over: a set cut off by the lease proves nothing. */
export const THAW_SECONDS = 2;

/** CreateSnapshots is not sent when the lease has less than this left: normally it answers in 1-3 s. */
export const LAST_CALL_SECONDS = 4;

/** The longest that CreateSnapshots may keep the host frozen. */
export const CREATE_SNAPSHOTS_MS = 10_000;

/** After an answer was lost: how long to look for the set by its tag. EC2 shows new snapshots within a second or two. */
export const LOOKUP_MS = 6_000;

/** SendCommand's delivery timeout: the least that SSM accepts. */
export const SEND_TIMEOUT_SECONDS = 30;

/**
 * How Freeze and Thaw send through throttles of Run Command. Before the freeze nobody is in a hurry; a thaw comes again
 * at once, so that of those who are throttled together the frozen ones go first.
 */
export const FREEZE_SEND = { patienceMs: 20_000, everyMs: 2_000 } as const;
export const THAW_SEND = { patienceMs: 10_000, everyMs: 400 } as const;

/** Inspect reads /sys and /proc and asks each application for its state: seconds. The rest is for a busy agent. */
export const INSPECT_MS = 90_000;

/** One attempt of Thaw; the workflow makes several. The host's own lease runs out meanwhile, if need be. */
export const THAW_MS = 60_000;

/** AWS's VSS document may take this long from the start of its snapshot step: the freeze itself is 10 s at most. */
export const VSS_SECONDS = 300;

/** Longer where it has to install AWS's components first, which its own timeout does not count. */
export const VSS_INSTALL_SECONDS = 600;

/** Most commands of one run: a writer that failed once often recovers. */
export const VSS_TRIES = 2;

/** Before VSS is tried again: the interval of EC2's snapshots, and a moment for the writer to recover. */
export const VSS_RECOVERY_MS = 20_000;

/** EC2 takes one snapshot of a volume in 15 s. */
export const SNAPSHOT_INTERVAL_MS = 15_000;

/** Rehearse waits this long at most for that interval to pass. */
export const REHEARSE_WAIT_MS = 20_000;

/** Document Restore: how long its function waits for each act. The agent ends it after 840 s. */
export const RESTORE_ACT_MS = {
  prepare: 90_000,
  mount: 860_000,
  release: 400_000,
  // Services stop and start meanwhile, which for a database can take minutes.
  vacate: 860_000,
  occupy: 860_000,
} as const;

/** A launched instance runs within a minute or two; its agent is with SSM some minutes after that. */
export const LAUNCH_MS = 720_000;

/** Shutting down takes a minute or two, longer for an instance whose services don't end. */
export const TERMINATE_MS = 600_000;

/** A set is held for its restore for so long at most, should nobody let go of it. */
export const HOLD_MS = 6 * 3_600_000;

/** Volumes made of snapshots are `available` within seconds; EC2 promises no time. */
export const CREATE_VOLUMES_MS = 300_000;

/** An attachment takes seconds; one that hangs hangs for good. */
export const ATTACH_MS = 180_000;

/** A volume that nobody uses is detached within seconds. */
export const DETACH_MS = 180_000;

/** A scratch instance boots in one or two minutes until its agent has told SSM that it is there. */
export const AGENT_MS = 600_000;

/** A terminated instance is gone, and its volumes are free, within a minute or two. */
export const TEAR_DOWN_MS = 480_000;

/** Beyond the minutes that Verify may take: its way to the host and back, and the end of what it is at. */
export const VERIFY_GRACE_MS = 300_000;

/** Beyond the same minutes, a scratch instance shuts itself down, whatever has become of its drill. */
export const SCRATCH_GRACE_MINUTES = 240;

/**
 * Seconds after its turn within which a run of a fleet asks its host. What could hold up many at once (Step Functions,
 * Lambda or Run Command throttled) does so before that, and lets them go together: EC2's bucket has tokens in reserve
 * for the runs of so many seconds, see `pacing.burst`. A host that is slow by itself comes alone.
 */
export const TURN_SECONDS = 15;

/**
 * Seconds that a run of a group may take from its turn to its Freeze: *Inspect host* and *Rehearse* with their usual
 * latencies several times over. Later than that its group may belong to the next member, and it does not freeze.
 */
export const START_SECONDS = 120;

/** The first look at a set's completion. An incremental one of a small disk is there in seconds. */
export const FIRST_LOOK_SECONDS = 15;

/** In a fleet, where nobody sits and waits: each look costs three transitions, and most sets are there by then. */
export const FLEET_FIRST_LOOK_SECONDS = 600;
