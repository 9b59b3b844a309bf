import type { Rate } from './token-bucket.ts';

/** The limits that AWS documents, as data: a test of one lowers it, a test of something else raises it. */
export interface Limits {
  /** Request buckets by action; EC2's other actions share the class that their kind is in. */
  rates: Record<string, Rate>;
  /** Least time between two snapshots of one volume. */
  snapshotIntervalMs: number;
  /** Snapshots of one volume in flight (pending, or ended in error), by volume type. */
  concurrentSnapshots: (volumeType: string) => number;
  /** Copies of snapshots in flight into one Region. */
  concurrentCopies: number;
  /** What copies that were given a time move from Region to Region. */
  timedCopyMiBps: { each: number; together: number };
  /** Snapshots on their way into the archive tier, and those of one volume that are there. */
  archivesInProgress: number;
  archivedPerVolume: number;
}

/** How late everything is. Zero by default: a test injects what it is about. */
export interface Latency {
  /** From CreateSnapshots' request to its answer. */
  createSnapshotsMs: number;
  /** From the storage having the whole image to the snapshot being `completed`. */
  snapshotCompletionMs: number;
  /** From CopySnapshot to the copy being `completed`. */
  snapshotCopyMs: number;
  /** From ModifySnapshotTier to the snapshot being in the archive. */
  snapshotArchiveMs: number;
  /** Until something that was created shows in a Describe call. */
  describeMs: number;
  /** From SendCommand to the step's start. */
  commandStartMs: number;
  /** From the step's end to its result being visible. */
  commandResultMs: number;
  /** From SendCommand until GetCommandInvocation knows of it: InvocationDoesNotExist until then. */
  invocationVisibleMs: number;
  /** How often a command is offered to an agent that is offline. */
  deliveryRetryMs: number;
  /** Until a new volume is `available`, or one that is attached or detached has settled. */
  volumeMs: number;
  /** Until a launched instance is `running`, or one that shuts down `terminated`. */
  instanceMs: number;
}

const PER_SECOND_5 = { burst: 100, perSecond: 5 };
const PER_SECOND_10 = { burst: 100, perSecond: 10 };

/** Sources: "Request throttling for the Amazon EC2 API"; for Run Command AWS publishes none, these are a guess. */
export const DEFAULT_LIMITS: Limits = {
  rates: {
    'ec2:CreateSnapshots': PER_SECOND_5,
    'ec2:DeleteSnapshot': PER_SECOND_5,
    'ec2:CreateVolume': PER_SECOND_5,
    'ec2:DeleteVolume': PER_SECOND_5,
    'ec2:RunInstances': { burst: 5, perSecond: 2 },
    'ec2:CreateTags': PER_SECOND_10,
    'ec2:DeleteTags': PER_SECOND_10,
    'ec2:Describe*': { burst: 100, perSecond: 20 },
    'ec2:*': { burst: 50, perSecond: 5 },
    'ssm:SendCommand': { burst: 40, perSecond: 10 },
    'ssm:GetCommandInvocation': { burst: 100, perSecond: 30 },
  },
  snapshotIntervalMs: 15_000,
  concurrentSnapshots: (volumeType) => (volumeType === 'st1' || volumeType === 'sc1' ? 1 : 5),
  concurrentCopies: 20,
  timedCopyMiBps: { each: 500, together: 2_000 },
  archivesInProgress: 25,
  archivedPerVolume: 25,
};

export const DEFAULT_LATENCY: Latency = {
  createSnapshotsMs: 0,
  snapshotCompletionMs: 0,
  snapshotCopyMs: 0,
  snapshotArchiveMs: 0,
  describeMs: 0,
  commandStartMs: 0,
  commandResultMs: 0,
  invocationVisibleMs: 0,
  deliveryRetryMs: 50,
  volumeMs: 0,
  instanceMs: 0,
};

/** The rate that holds for an action: its own, or that of its class; none for a service without published limits. */
export function rateOf(limits: Limits, service: string, action: string): [name: string, rate: Rate] | undefined {
  const classes = [
    `${service}:${action}`,
    ...(action.startsWith('Describe') ? [`${service}:Describe*`] : []),
    `${service}:*`,
  ];
  for (const name of classes) {
    const rate = limits.rates[name];
    if (rate) return [`${service}:${action}`, rate];
  }
  return undefined;
}
