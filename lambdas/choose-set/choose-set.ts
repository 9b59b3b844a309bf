import type { ChooseSetInput, Drill, DrillPolicy, DrillWish } from '../shared/drill-contracts.ts';
import type { FoundSnapshot } from '../shared/ec2.ts';
import { NoScratchError, NoSuchSetError, UnknownPolicyError } from '../shared/errors.ts';
import { GRADES, type GradeName, reaches, SET_TAGS } from '../shared/names.ts';
import { type LiveSet, setsOf } from '../shared/sets.ts';

export interface Snapshots {
  ofInstance(instanceId: string): Promise<FoundSnapshot[]>;
  ofPolicy(policy: string): Promise<FoundSnapshot[]>;
}

/** The set that is drilled. Of a policy, that of the instance whose last drill is the longest ago. No effects. */
export const chooseSet = async (
  { input, drill, policies }: ChooseSetInput,
  from: Snapshots,
  now: number,
): Promise<Drill> => {
  const found = 'policy' in input ? await from.ofPolicy(input.policy) : await from.ofInstance(input.instanceId);
  const isMeant = 'policy' in input && !policies[input.policy]?.copies ? isOwn : () => true;
  const snapshots = found.filter((each) => each.tier === 'standard' && isMeant(each));
  const all = setsOf(snapshots, now).sets.filter(isOfRun);
  const set =
    'policy' in input ? longestUndrilled(input.policy, policies, all, snapshots) : asked(input, policies, all);
  const policy = policies[set.policy];
  const target = 'policy' in input ? undefined : input.target;
  return {
    drill,
    policy: set.policy,
    from: set.instance,
    set: {
      id: set.set,
      grade: set.grade,
      startTime: new Date(set.startedAt).toISOString(),
      snapshotIds: set.snapshotIds,
    },
    key: `sets/${set.instance}/${set.set}.json`,
    verifyMinutes: policy?.verifyMinutes ?? DEFAULT_MINUTES,
    ...(target === undefined ? { scratch: scratchOf(set.policy, policy) } : { target }),
  };
};

/** Not the copy of another deployment's set, whose evidence has to be brought here. */
const isOwn = ({ tags }: FoundSnapshot): boolean => tags[SET_TAGS.origin] === undefined;

/** Of a set whose policy is no longer in the plan. */
const DEFAULT_MINUTES = 240;

/** What turned up beside a set, of a request that was carried out twice, is never restored. */
const isOfRun = ({ set }: LiveSet): boolean => /^[A-Za-z0-9_-]+$/.test(set);

const isReady = ({ state, deleting }: LiveSet): boolean => state === 'whole' && !deleting;

const promises = ({ grade }: LiveSet, wanted: GradeName): boolean => isGrade(grade) && reaches(grade, wanted);

const isGrade = (grade: string): grade is GradeName => GRADES.some((known) => known === grade);

const longestUndrilled = (
  name: string,
  policies: Record<string, DrillPolicy>,
  all: readonly LiveSet[],
  snapshots: readonly FoundSnapshot[],
): LiveSet => {
  const policy = policies[name];
  if (!policy) {
    throw new UnknownPolicyError(`the plan has no policy ${name}; it has: ${Object.keys(policies).join(', ')}`);
  }
  const fitting = all.filter((set) => set.policy === name && isReady(set) && promises(set, policy.grade));
  const newest = [...Map.groupBy(fitting, ({ instance }) => instance).values()].map(
    (sets) => sets.toSorted((a, b) => b.startedAt - a.startedAt)[0] as LiveSet,
  );
  const drilled = drilledAt(snapshots);
  const [first] = newest.toSorted(
    (a, b) => drilled(a.instance) - drilled(b.instance) || a.instance.localeCompare(b.instance),
  );
  if (first) return first;
  throw new NoSuchSetError(
    `policy ${name} has no completed set of grade ${policy.grade} or better in this account and Region; back up an instance of it first${policy.copies ? '' : ', or let its "drill" say "copies": true where the sets here are copies'}`,
  );
};

/** When a drill of this instance last came to a verdict; 0: never. */
const drilledAt = (snapshots: readonly FoundSnapshot[]): ((instance: string) => number) => {
  const last = new Map<string, number>();
  for (const { tags } of snapshots) {
    const at = Date.parse((tags[SET_TAGS.verified] ?? '').replace(/^failed /, ''));
    const instance = tags[SET_TAGS.instance] ?? '';
    if (at > (last.get(instance) ?? 0)) last.set(instance, at);
  }
  return (instance) => last.get(instance) ?? 0;
};

type Asked = Exclude<DrillWish, { policy: string }>;

const asked = (
  { instanceId, set, before, grade }: Asked,
  policies: Record<string, DrillPolicy>,
  all: readonly LiveSet[],
): LiveSet => {
  const fits = (each: LiveSet): boolean => {
    if (set !== undefined) return each.set === set;
    if (before !== undefined && each.startedAt > Date.parse(before)) return false;
    return isReady(each) && promises(each, grade ?? policies[each.policy]?.grade ?? 'crash');
  };
  const [found] = all.filter(fits).toSorted((a, b) => b.startedAt - a.startedAt);
  if (!found) {
    throw new NoSuchSetError(
      `${instanceId} has no ${set === undefined ? `completed set${grade ? ` of grade ${grade} or better` : " of its policy's grade"}${before ? ` of ${before} or before` : ''}` : `set ${set}`} in this account and Region`,
    );
  }
  if (!isReady(found)) {
    throw new NoSuchSetError(
      `set ${found.set} is ${found.deleting ? 'being deleted' : found.state}, and can't be drilled; name another one`,
    );
  }
  return found;
};

const scratchOf = (name: string, policy: DrillPolicy | undefined) => {
  if (policy?.scratch) return policy.scratch;
  throw new NoScratchError(
    `policy ${name} has no "drill" in the plan that says where to launch a scratch instance; add it, or give a running instance as "target"`,
  );
};
