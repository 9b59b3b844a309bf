/** The sets that are there, with what their tags tell beside what retention looks at. */
import type { EC2Client } from '@aws-sdk/client-ec2';
import { type FoundSnapshot, pagesOfOurs } from '../lambdas/shared/ec2.ts';
import { SET_TAGS } from '../lambdas/shared/names.ts';
import { type LiveSet, setsOf } from '../lambdas/shared/sets.ts';

export interface ListedSet extends LiveSet {
  mode: string;
  windowMs: number | null;
  /** Account and Region that it was taken in, of a copy. */
  copyOf: string | null;
  /** When a drill found it good, or `failed` and when. */
  drilled: string | null;
  /** Of all volumes together, as they are provisioned. */
  sizeGiB: number;
  /** Full sizes of the snapshots, where EC2 has told them all. */
  fullBytes: number | null;
  /** Of a set that EC2 still works on. */
  percent: number;
}

/** All of ours in a Region. */
export const everySnapshot = async (ec2: EC2Client): Promise<FoundSnapshot[]> => {
  const found: FoundSnapshot[] = [];
  for await (const page of pagesOfOurs(ec2)) found.push(...page);
  return found;
};

/** The newest first. */
export const catalogueOf = (
  snapshots: readonly FoundSnapshot[],
  now: number,
): { sets: ListedSet[]; orphans: string[] } => {
  const byId = new Map(snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const { sets, orphans } = setsOf(snapshots, now);
  return {
    orphans,
    sets: sets
      .map((set) =>
        listed(
          set,
          set.snapshotIds.map((id) => byId.get(id) as FoundSnapshot),
        ),
      )
      .sort((a, b) => b.startedAt - a.startedAt || a.set.localeCompare(b.set)),
  };
};

const listed = (set: LiveSet, members: readonly FoundSnapshot[]): ListedSet => {
  const tags = members[0]?.tags ?? {};
  const windowMs = tags[SET_TAGS.windowMs];
  const full = members.map(({ fullBytes }) => fullBytes);
  return {
    ...set,
    mode: tags[SET_TAGS.mode] ?? '',
    windowMs: windowMs === undefined ? null : Number(windowMs),
    copyOf: tags[SET_TAGS.origin] ?? null,
    drilled: tags[SET_TAGS.verified] ?? null,
    sizeGiB: sum(members.map(({ sizeGiB }) => sizeGiB)),
    fullBytes: full.every((bytes) => bytes !== undefined) ? sum(full) : null,
    percent: Math.floor(sum(members.map(({ percent }) => percent)) / Math.max(1, members.length)),
  };
};

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
