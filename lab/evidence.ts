import type { Receipt, Verdict } from '../lambdas/shared/contracts.ts';
import type { Account, Instance } from './account.ts';
import type { Execution } from './aws/execution.ts';
import * as workload from './workload.ts';

/** What the workflow stored of a run, as far as the lab looks into it. */
export interface Evidence {
  readonly mode: string;
  readonly why: string;
  readonly grade: Verdict['grade'];
  readonly reasons: string[];
  readonly windowMs: number | null;
  readonly receipt: Receipt | null;
  /** Milliseconds since 1970. */
  readonly times: Readonly<Record<'freezeAnswered' | 'snapshotsRequested' | 'snapshotsAnswered' | 'thawSent', number>>;
}

export function evidenceOf(account: Account, source: Pick<Instance, 'id'>, execution: Execution): Evidence | undefined {
  const bucket = account.deployment.stack.buckets[0]?.name ?? '';
  const key = `sets/${source.id}/${execution.name}.json`;
  if (!account.world.s3.list(bucket, key, '', 1).keys.includes(key)) return undefined;
  return JSON.parse(account.world.s3.get(bucket, key).body.toString()) as Evidence;
}

/** Milliseconds since 1970 at the guest's boot: its boot clock as the writers and the receipt have it. */
export const hostClock = (source: Instance): Promise<number> =>
  bootTime(() => workload.guestMonotonicMs(source.machine));

/** Milliseconds since 1970 at the boot of a host that tells the milliseconds since. */
export async function bootTime(sinceBoot: () => Promise<number>): Promise<number> {
  const sent = Date.now();
  const uptime = await sinceBoot();
  return (sent + Date.now()) / 2 - uptime;
}
