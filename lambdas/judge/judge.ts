import { endedChild, sentenceOf } from '../shared/causes.ts';
import type { CaughtError } from '../shared/contracts.ts';
import type { Check, Judged, JudgeInput } from '../shared/drill-contracts.ts';
import { DAMAGED_SET, NOT_RESTORED, NOT_VERIFIED } from '../shared/errors.ts';

/** What a drill has shown of its set. Pure: the same evidence, the same verdict. */
export const judge = ({ launched, ready, restored, verification, error, set }: JudgeInput): Judged => {
  const checks = verification?.checks ?? [];
  const evidence = {
    seconds: {
      launch: between(launched?.at, ready?.at),
      restore: between(restored?.startedAt, restored?.stoppedAt),
      verify: between(verification?.sentAt, verification?.endedAt),
    },
    checks,
  };
  if (!restored && error) return { ...evidence, ...notRestored(set.id, error) };
  if (error) return { ...evidence, verdict: 'unverified', error };
  const damaged = checks.filter(({ verdict }) => verdict === 'damaged');
  if (damaged.length > 0) {
    return { ...evidence, verdict: 'damaged', error: named(DAMAGED_SET, `set ${set.id}: ${list(damaged)}`) };
  }
  const unchecked = checks.filter(({ verdict }) => verdict === 'unchecked');
  if (unchecked.length > 0 || checks.length === 0) {
    const why = list(unchecked) || 'nothing was there to check';
    return { ...evidence, verdict: 'unverified', error: named(NOT_VERIFIED, `set ${set.id} was restored: ${why}`) };
  }
  return { ...evidence, verdict: 'verified' };
};

/** Errors of Restore that the set is to blame for, and not the machine or the account. */
const FAULTS_OF_THE_SET = [
  'ArrayIncompleteError',
  'BadEvidenceError',
  'FilesystemMissingError',
  'GroupIncompleteError',
  'MergeFailedError',
  'MountFailedError',
  'NotInSetError',
  'SetIncompleteError',
];

/** A child's end is a failed task to its parent. */
const notRestored = (set: string, error: CaughtError): Pick<Judged, 'verdict' | 'error'> => {
  const child = endedChild(error.Cause ?? '');
  const { Error: name = error.Error, Cause = 'no cause was given' } = child?.Error ? child : error;
  return {
    verdict: FAULTS_OF_THE_SET.includes(name) ? 'damaged' : 'unverified',
    error: named(NOT_RESTORED, `set ${set} was not restored: ${name}: ${sentenceOf(Cause)}`),
  };
};

const named = (name: string, text: string): CaughtError => ({ Error: name, Cause: text.slice(0, 2_000) });

const list = (checks: readonly Check[]): string => checks.map(({ name, said }) => `${name}: ${said}`).join('; ');

const between = (from: number | null | undefined, to: number | null | undefined): number | null =>
  from == null || to == null ? null : Math.round((to - from) / 100) / 10;
