/** How old the newest set of each tagged instance is that keeps the policy's promise. */
import type { CheckRpoInput } from '../shared/contracts.ts';
import { GRADES, type GradeName, reaches, SET_TAGS } from '../shared/names.ts';
import { policiesOf } from '../shared/policy-tag.ts';

export interface SetSnapshot {
  state: string;
  startTime: string;
  tags: Record<string, string>;
}

export interface PolicyAges {
  policy: string;
  /** Instances whose newest completed set of the grade is too old, or who have none, with its age in hours. */
  stale: { instanceId: string; ageHours: number | null }[];
  /** Instances that have no completed set of this policy at all, of whatever grade. */
  never: string[];
  /** Hours; of those that have one. */
  oldestSetHours: number;
  /** Snapshots of this policy that there are. */
  snapshots: number;
}

interface Taken {
  instanceId: string;
  policy: string;
  grade: GradeName | undefined;
  startedAt: number;
  completed: boolean;
}

/** The sets that snapshots belong to; one is completed when all that is seen of it is. */
export class Sets {
  readonly #sets = new Map<string, Taken>();
  readonly #snapshots = new Map<string, number>();

  /** How many snapshots of a policy there are. */
  snapshotsOf(policy: string): number {
    return this.#snapshots.get(policy) ?? 0;
  }

  add({ state, startTime, tags }: SetSnapshot): void {
    const policy = tags[SET_TAGS.policy] ?? '';
    this.#snapshots.set(policy, this.snapshotsOf(policy) + 1);
    const id = tags[SET_TAGS.set] ?? '';
    const known = this.#sets.get(id);
    if (known) {
      known.completed &&= state === 'completed';
      return;
    }
    this.#sets.set(id, {
      instanceId: tags[SET_TAGS.instance] ?? '',
      policy,
      grade: GRADES.find((grade) => grade === tags[SET_TAGS.grade]),
      startedAt: Date.parse(startTime),
      completed: state === 'completed',
    });
  }

  /** When the newest completed set of an instance was taken under a policy; of at least `grade` where it is given. */
  newest(): (instanceId: string, policy: string, grade?: GradeName) => number | undefined {
    const newest = new Map<string, number>();
    for (const { instanceId, policy, grade, startedAt, completed } of this.#sets.values()) {
      if (!completed) continue;
      const kept = [undefined, ...GRADES.filter((wanted) => grade && reaches(grade, wanted))];
      for (const each of kept) {
        const key = `${instanceId} ${policy} ${each}`;
        newest.set(key, Math.max(newest.get(key) ?? 0, startedAt));
      }
    }
    return (instanceId, policy, grade) => newest.get(`${instanceId} ${policy} ${grade}`);
  }
}

export const agesOf = (
  policies: CheckRpoInput['policies'],
  instances: readonly { instanceId: string; state: string; tags: Record<string, string> }[],
  sets: Sets,
  now: number,
): PolicyAges[] => {
  const newest = sets.newest();
  return Object.entries(policies).map(([policy, { grade, rpoHours }]) => {
    const members = instances.filter(
      ({ state, tags }) => !['terminated', 'shutting-down'].includes(state) && policiesOf(tags).includes(policy),
    );
    const ages = members.map(({ instanceId }) => {
      const at = newest(instanceId, policy, grade);
      return { instanceId, ageHours: at === undefined ? null : Math.round((now - at) / 360_000) / 10 };
    });
    return {
      policy,
      stale: ages.filter(({ ageHours }) => ageHours === null || ageHours > rpoHours),
      never: members.map(({ instanceId }) => instanceId).filter((id) => newest(id, policy) === undefined),
      oldestSetHours: Math.max(0, ...ages.map(({ ageHours }) => ageHours ?? 0)),
      snapshots: sets.snapshotsOf(policy),
    };
  });
};
