import { clientErrorText, isPassing, isRefusal } from '../shared/aws-errors.ts';
import type { Clock } from '../shared/clock.ts';
import type { PruneState } from '../shared/contracts.ts';
import { decideSets, type Facts } from '../shared/decide-sets.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { isOurs } from '../shared/places.ts';
import { note } from '../shared/prune-report.ts';
import { archivable } from '../shared/retention.ts';

export interface Home extends Pick<Facts, 'living' | 'locked'> {
  snapshotsOf(instanceId: string): Promise<FoundSnapshot[]>;
  imagesOf(snapshotIds: readonly string[]): Promise<string[]>;
  /** Snapshots on their way into the archive, whoever sent them. */
  underway(): Promise<string[]>;
  archive(snapshotId: string): Promise<void>;
}

/** Snapshots that EC2 archives at once, of the whole account. */
export const ARCHIVES_IN_PROGRESS = 25;
/** ModifySnapshotTier is of the class of calls that refills at 5/s. */
const PACE_MS = 250;

/**
 * Sends whole sets into the archive tier, as many as EC2 takes. Each is decided on once more just before; a set that does
 * not fit waits for the next prune, and one that was cut short goes on there.
 */
export const archiveSets = async (state: PruneState, home: Home, clock: Clock): Promise<PruneState> => {
  const report = structuredClone(state.report);
  try {
    const underway = new Set(await home.underway());
    let free = ARCHIVES_IN_PROGRESS - underway.size;
    for (const { instance, set } of state.archive) {
      const snapshots = (await home.snapshotsOf(instance)).filter((each) => isOurs(each, state.home, state.home));
      const { decisions } = await decideSets(snapshots, { ...home, ...state }, clock.now());
      const found = archivable(decisions, { ...state, now: clock.now() }).find((each) => each.set === set);
      const members = found?.standardIds.filter((id) => !underway.has(id)) ?? [];
      // A set that is larger than what EC2 takes at once goes when nothing else does.
      if (members.length === 0 || (members.length > free && free < ARCHIVES_IN_PROGRESS)) continue;
      if ((await home.imagesOf(members)).length > 0) continue;
      for (const member of members.slice(0, free)) {
        await home.archive(member);
        free -= 1;
        await clock.sleep(PACE_MS);
      }
      note(report.archived, set);
    }
  } catch (error) {
    // Throttled, or as many as EC2 takes: the next prune goes on. A refusal is for somebody to mend.
    const isFull = (error as Error).name === 'ResourceLimitExceeded';
    if (isRefusal(error) || !(isPassing(error) || isFull)) {
      note(report.troubles, `sets can't be archived: ${clientErrorText(error)}`);
    }
  }
  return { ...state, archive: [], report, next: 'end' };
};
