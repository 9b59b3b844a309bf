import type { Snapshot } from '../../lab/aws/ec2-snapshots.ts';
import type { World } from '../../lab/aws/world.ts';
import { SET_TAGS } from '../../lambdas/shared/names.ts';

export interface StoredSet {
  readonly instance: string;
  /** ms since 1970. */
  readonly at: number;
  /** @default nightly */
  readonly policy?: string;
  /** @default application */
  readonly grade?: string;
  /** @default 3 */
  readonly members?: number;
  readonly run?: string;
  readonly tags?: Record<string, string>;
  readonly snapshot?: Partial<Snapshot>;
}

/** Puts a set there as a run of that time would have left it. */
export function putSet(world: World, { instance, at, members = 3, ...more }: StoredSet): Snapshot[] {
  const run = more.run ?? `${instance}-${new Date(at).toISOString().replaceAll(/[:.]/g, '')}`;
  return Array.from({ length: members }, (_, index) =>
    world.ec2.snapshots.put({
      volumeId: `vol-${index}${instance.slice(3)}`,
      startedAt: at,
      visibleAt: at,
      completedAt: at + 60_000,
      tags: new Map(
        Object.entries({
          [SET_TAGS.set]: run,
          [SET_TAGS.run]: run,
          [SET_TAGS.policy]: more.policy ?? 'nightly',
          [SET_TAGS.instance]: instance,
          [SET_TAGS.grade]: more.grade ?? 'application',
          [SET_TAGS.members]: String(members),
          ...more.tags,
        }),
      ),
      ...more.snapshot,
    }),
  );
}

/** What is there, by set: how many of its members. */
export function setsIn(world: World): Map<string, number> {
  const sets = new Map<string, number>();
  for (const { deleted, tags } of world.ec2.snapshots.all.values()) {
    const set = tags.get(SET_TAGS.set);
    if (!deleted && set) sets.set(set, (sets.get(set) ?? 0) + 1);
  }
  return sets;
}
