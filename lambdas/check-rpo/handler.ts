import { systemClock } from '../shared/clock.ts';
import { CheckRpoInput } from '../shared/contracts.ts';
import { ec2Client, pagesOfOurs, taggedInstances } from '../shared/ec2.ts';
import { writeMetrics } from '../shared/metrics.ts';
import { METRICS } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { agesOf, type PolicyAges, Sets } from './check-rpo.ts';

// A hundred pages of snapshots; nobody waits for it.
const client = ec2Client({ attempts: 8 });
const instances = taggedInstances(client);
/** A line of a log holds 256 KB. */
const MOST_NAMED = 1_000;

export const handler = step(CheckRpoInput, 'Check RPO').handler(async ({ policies }): Promise<PolicyAges[]> => {
  const sets = new Sets();
  for await (const page of pagesOfOurs(client)) for (const snapshot of page) sets.add(snapshot);
  const now = systemClock.now();
  const ages = agesOf(policies, await instances(), sets, now);
  for (const { policy, stale, never, oldestSetHours, snapshots } of ages) {
    const values = {
      [METRICS.stale]: stale.length,
      [METRICS.neverBackedUp]: never.length,
      [METRICS.oldestSetHours]: oldestSetHours,
      [METRICS.snapshots]: snapshots,
    };
    writeMetrics(policy, values, now, { stale: stale.slice(0, MOST_NAMED), never: never.slice(0, MOST_NAMED) });
  }
  return ages;
});
