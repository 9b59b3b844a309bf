/** Which of the tagged instances a firing backs up, and why it does not back up the others. */
import type { Unmet } from '../shared/contracts.ts';
import { DRILL_TAG, USER_TAGS } from '../shared/names.ts';
import { policiesOf } from '../shared/policy-tag.ts';

export interface TaggedInstance {
  instanceId: string;
  state: string;
  tags: Record<string, string>;
  /** Of its EBS volumes. */
  volumes: number;
}

export interface Candidate {
  id: string;
  group?: string | undefined;
  /** It follows several policies, which may fire side by side: two of its runs must not meet. */
  several: boolean;
}

export interface Choice {
  candidates: Candidate[];
  unmet: Unmet[];
}

/** `managed`: instances whose agent SSM knows, whether or not it is online just now: *Inspect host* looks again. */
export const chooseTargets = (
  policy: string,
  policies: readonly string[],
  instances: readonly TaggedInstance[],
  managed: ReadonlySet<string>,
): Choice => {
  const choice: Choice = { candidates: [], unmet: [] };
  for (const instance of instances.toSorted((a, b) => a.instanceId.localeCompare(b.instanceId))) {
    const { instanceId, state, tags } = instance;
    if (['terminated', 'shutting-down'].includes(state)) continue;
    // A scratch instance of a drill.
    if (tags[DRILL_TAG] !== undefined) continue;
    const wanted = policiesOf(tags);
    const unmet = (error: string, why: string) => choice.unmet.push({ instanceId, error, why });

    // Whichever policy fires tells it, or else nobody would.
    const unknown = wanted.filter((name) => !policies.includes(name));
    if (unknown.length > 0) {
      unmet(
        'UnknownPolicyError',
        `tagged with policy ${unknown.join(' ')}, which the plan does not have; it has: ${policies.join(', ')}`,
      );
    }
    if (wanted.length === 0) {
      unmet(
        'NotTaggedError',
        `its tag ${USER_TAGS.policy} is empty; set it to a policy of the plan: ${policies.join(', ')}`,
      );
    }
    if (!wanted.includes(policy)) continue;

    if (state !== 'running' && state !== 'stopped') {
      unmet('InstanceNotRunningError', `it was ${state} when its policy fired: neither running nor stopped`);
    } else if (state === 'running' && !managed.has(instanceId)) {
      unmet(
        'AgentMissingError',
        'SSM does not know it: install amazon-ssm-agent, give it a role with AmazonSSMManagedInstanceCore, and a way to the SSM endpoints',
      );
    } else {
      const group = tags[USER_TAGS.group]?.trim();
      choice.candidates.push({ id: instanceId, ...(group && { group }), several: wanted.length > 1 });
    }
  }
  return choice;
};
