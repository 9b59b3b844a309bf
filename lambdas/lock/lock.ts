import { isPassing } from '../shared/aws-errors.ts';
import type { LockInput } from '../shared/contracts.ts';
import { LockRefusedError } from '../shared/errors.ts';

export interface Locks {
  lock(snapshotId: string, lock: LockInput['lock']): Promise<void>;
  /** Those of them that nobody can delete now. */
  locked(snapshotIds: readonly string[]): Promise<{ snapshotId: string }[]>;
}

/** Locks every member of the set. EC2 takes a lock while a snapshot is pending, and counts its days from the completion. */
export const lockSet = async ({ run, snapshotIds, lock }: LockInput, locks: Locks): Promise<{ locked: string[] }> => {
  for (const snapshotId of snapshotIds) {
    try {
      await locks.lock(snapshotId, lock);
    } catch (error) {
      if (isPassing(error)) throw error;
      // An earlier try of this state may have locked it; a lock in compliance mode takes no second one.
      const held = await locks.locked([snapshotId]).catch(() => []);
      if (held.length > 0) continue;
      throw new LockRefusedError(
        `${snapshotId} of run ${run} could not be locked in ${lock.mode} mode for ${lock.days} days, so its set is kept but not locked as its policy wants: ${(error as Error).name}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  return { locked: snapshotIds };
};
