import type { CopySnapshotRequest } from '@aws-sdk/client-ec2';
import type { CopyState, CopyWish } from '../shared/copy-contracts.ts';
import { type FoundSnapshot, tagList } from '../shared/ec2.ts';
import { DEVICES_TAGS, IN_COPY, SET_TAGS, UNPROVEN } from '../shared/names.ts';
import { originTag } from '../shared/places.ts';

export type CopyRequest = CopySnapshotRequest;

export interface CopyTerms extends Pick<CopyState, 'home'> {
  wish: CopyWish;
  /** Of the whole set. */
  members: number;
  /** ISO 8601: so long nobody prunes the copy as part of a broken set. */
  until: string;
}

/** Tags that a resource can bear. */
const MOST_TAGS = 50;

/** One request for one member; what tells it from a foreign copy travels in it. */
export const copyRequest = (source: FoundSnapshot, terms: CopyTerms): CopyRequest => {
  const { home, wish } = terms;
  return {
    SourceRegion: home.region,
    SourceSnapshotId: source.snapshotId,
    Description: `Copy of ${source.snapshotId} of ${originTag(home)} by Freezeframe`,
    ...(wish.kmsKeyArn !== undefined && { Encrypted: true, KmsKeyId: wish.kmsKeyArn }),
    ...(wish.completionMinutes !== undefined && { CompletionDurationMinutes: wish.completionMinutes }),
    TagSpecifications: [{ ResourceType: 'snapshot', Tags: tagList(tagsOfCopy(source, terms)) }],
  };
};

/** All that the source says of its set, and what a copy no longer knows. A user's tags come after ours, as far as there is room. */
export const tagsOfCopy = (source: FoundSnapshot, { home, members, until }: CopyTerms): Record<string, string> => {
  const volume = source.tags[SET_TAGS.volume] ?? source.volumeId;
  const device = source.tags[SET_TAGS.device] ?? deviceOf(source.tags, volume);
  const ours = {
    ...Object.fromEntries(Object.entries(source.tags).filter(([key]) => CARRIED.has(key))),
    [SET_TAGS.volume]: volume,
    ...(device === undefined ? {} : { [SET_TAGS.device]: device }),
    [SET_TAGS.members]: String(members),
    [SET_TAGS.started]: source.tags[SET_TAGS.started] ?? source.startTime,
    [SET_TAGS.origin]: originTag(home),
    [SET_TAGS.source]: source.snapshotId,
    [SET_TAGS.sourceGrade]: source.tags[SET_TAGS.grade] ?? UNPROVEN,
    // No part of a set is worth anything: the grade comes when all of it is there.
    [SET_TAGS.grade]: UNPROVEN,
    [IN_COPY]: until,
  };
  const own = Object.entries(source.tags).filter(([key]) => !RESERVED.test(key));
  const room = Math.max(0, MOST_TAGS - Object.keys(ours).length);
  return { ...Object.fromEntries(own.slice(0, room)), ...ours };
};

/** All that is true of a copy as well. That it restores, a drill has to show of the copy itself. */
const CARRIED = new Set<string>(
  [...Object.values(SET_TAGS), ...DEVICES_TAGS].filter((key) => key !== SET_TAGS.deleting && key !== SET_TAGS.verified),
);

/** Ours, and AWS's own. */
const RESERVED = /^(freezeframe|aws):/i;

/** Of the list on every snapshot of a set: `/dev/xvda=vol-… /dev/sdf=vol-…`. */
const deviceOf = (tags: Record<string, string>, volume: string): string | undefined => {
  for (const key of DEVICES_TAGS) {
    for (const entry of (tags[key] ?? '').split(' ')) {
      const at = entry.lastIndexOf('=');
      if (at > 0 && entry.slice(at + 1) === volume) return entry.slice(0, at);
    }
  }
  return undefined;
};
