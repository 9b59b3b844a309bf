/** Limits of AWS that a plan runs into as its fleet grows, said at synth. */
import { Annotations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Plan } from './plan.ts';

/** Quotas that can be raised, unless it says otherwise ("Amazon EBS quotas", "Request throttling for the Amazon EC2 API"). */
export const LIMITS = {
  snapshotsPerRegion: 100_000,
  createSnapshotsPerSecond: 5,
  createSnapshotsBurst: 100,
  deleteSnapshotPerSecond: 5,
  /** Of one volume; can't be raised. */
  snapshotsInFlight: { gp2: 5, gp3: 5, io1: 5, io2: 5, standard: 5, st1: 1, sc1: 1 },
  /** Children of a Distributed Map that run side by side; can't be raised. */
  mapChildren: 10_000,
  /** Step Functions, in Regions other than us-east-1, us-west-2 and eu-west-1, which have 5,000. */
  transitionsPerSecond: 800,
  /** Lambda; an account that is new may have 10 for a while. */
  functionsAtOnce: 1_000,
} as const;

/** What a run of a fleet takes of them (docs/benchmarks-fleet.md, with which a test compares this). */
export const RUN = { transitions: 18, functionSeconds: 11 } as const;

/** Sentences about a plan: how many instances it is good for, and what would have to be raised for more. */
export function limitsOf({ policies, pacing }: Plan): string[] {
  const sentences: string[] = [];
  let setsKept = 0;
  for (const [name, { windowMinutes, retain }] of Object.entries(policies)) {
    const turns = Math.floor(pacing.burst + windowMinutes * 60 * pacing.snapshotsPerSecond);
    sentences.push(
      `policy ${name} has turns for ${turns} instances in its window of ${windowMinutes} minutes at ${pacing.snapshotsPerSecond} a second`,
    );
    setsKept += retain.last + retain.daily + retain.weekly + retain.monthly + retain.yearly;
  }
  sentences.push(
    `${setsKept} sets kept of every volume fill the ${LIMITS.snapshotsPerRegion} snapshots of a Region at ${Math.floor(LIMITS.snapshotsPerRegion / Math.max(1, setsKept))} volumes (quota "Snapshots per Region")`,
  );
  if (pacing.snapshotsPerSecond > LIMITS.createSnapshotsPerSecond || pacing.burst > LIMITS.createSnapshotsBurst) {
    sentences.push(
      `pacing asks for more than the ${LIMITS.createSnapshotsPerSecond} CreateSnapshots calls a second and ${LIMITS.createSnapshotsBurst} at once that an account has by default: have both quotas raised first, or freezes will meet throttles`,
    );
  }
  const perSecond = pacing.snapshotsPerSecond;
  const [transitions, functions] = [Math.ceil(perSecond * RUN.transitions), Math.ceil(perSecond * RUN.functionSeconds)];
  sentences.push(
    `at ${perSecond} turns a second a fleet makes ${transitions} state transitions a second, of ${LIMITS.transitionsPerSecond} that most Regions have (quota "StateTransition"), and keeps ${functions} functions at work, of ${LIMITS.functionsAtOnce} (quota "Concurrent executions"; a new account may have 10)${
      transitions > LIMITS.transitionsPerSecond || functions > LIMITS.functionsAtOnce
        ? ': have them raised first, or turns will be missed'
        : ''
    }`,
    `of a policy with more than ${LIMITS.mapChildren} instances, the others wait until the first have ended`,
  );
  sentences.push('an st1 or sc1 volume has one snapshot in flight at a time: its next backup waits for the one before');
  return sentences;
}

/** As information, so that `cdk synth --strict` stays green. */
export function sayLimits(scope: Construct, plan: Plan): void {
  for (const sentence of limitsOf(plan)) Annotations.of(scope).addInfo(`Freezeframe: ${sentence}`);
}
