import type { Judged, JudgeInput } from '../shared/drill-contracts.ts';
import { SET_TAGS } from '../shared/names.ts';
import { judge } from './judge.ts';

export interface Ledger {
  tag(snapshotIds: readonly string[], tags: Record<string, string>): Promise<void>;
  metrics(policy: string, values: { RestoreSeconds: number }, now: number): void;
}

/** Judges a drill, and writes the verdict on every snapshot of its set. A drill that shows nothing leaves no word there. */
export const stamp = async (input: JudgeInput, ledger: Ledger, now: number): Promise<Judged> => {
  const judged = judge(input);
  const at = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  if (judged.verdict !== 'unverified') {
    const value = judged.verdict === 'verified' ? at : `failed ${at}`;
    await ledger.tag(input.set.snapshotIds, { [SET_TAGS.verified]: value });
  }
  if (judged.seconds.restore !== null) ledger.metrics(input.policy, { RestoreSeconds: judged.seconds.restore }, now);
  return judged;
};
