/** The set of a run, told from all that bears its tag: more than one request of a run may have been carried out. */
import { VSS_TAGS } from './names.ts';

export interface SeenSnapshot {
  snapshotId: string;
  volumeId: string;
  startTime: string;
  state: string;
  tags: Record<string, string>;
}

/** One request's snapshots share their start time; in the order of their start. */
export const requestsOf = <Seen extends { startTime: string }>(seen: readonly Seen[]): Seen[][] =>
  Object.entries(Object.groupBy(seen, ({ startTime }) => startTime))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([, members]) => members ?? []);

/** Every volume of the run is in it, and none that has failed. */
export const isWhole = (
  members: readonly { volumeId: string; state: string }[],
  volumes: readonly { volumeId: string }[],
): boolean =>
  volumes.every(({ volumeId }) => members.some((each) => each.volumeId === volumeId && each.state !== 'error'));

/** VSS has vouched for it: its writers were quiet, and their files on disk. AWS's pages write `true` and `True`. */
export const isConsistent = ({ tags }: { tags: Record<string, string> }): boolean =>
  tags[VSS_TAGS.consistent]?.toLowerCase() === 'true';
