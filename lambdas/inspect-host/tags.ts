import type { InspectHostInput, Run } from '../shared/contracts.ts';
import { BadTagError, NotTaggedError, UnknownPolicyError } from '../shared/errors.ts';
import { type GradeName, LINUX_MODES, type Mode, USER_TAGS, WINDOWS_MODES } from '../shared/names.ts';
import { policiesOf, wordsIn } from '../shared/policy-tag.ts';

type Tags = Record<string, string>;

/** The one policy that this run follows. The instance's tag decides; the input may pick where the tag names several. */
export const policyOf = (
  instanceId: string,
  tags: Tags,
  asked: string | undefined,
  policies: InspectHostInput['policies'],
): Run['policy'] => {
  const tagged = policiesOf(tags);
  const known = Object.keys(policies).join(', ');
  if (tagged.length === 0) {
    throw new NotTaggedError(`${instanceId} has no tag ${USER_TAGS.policy}; set it to a policy of the plan: ${known}`);
  }
  if (asked !== undefined && !tagged.includes(asked)) {
    throw new UnknownPolicyError(
      `the input asks for policy ${asked}, but ${instanceId} is tagged ${USER_TAGS.policy} = ${tagged.join(' ')}; ask for one of these, or add it to the tag`,
    );
  }
  const unknown = (asked === undefined ? tagged : [asked]).filter((name) => !Object.hasOwn(policies, name));
  if (unknown.length) {
    throw new UnknownPolicyError(
      `${instanceId} is tagged with policy ${unknown.join(' ')}, which the plan does not have; it has: ${known}`,
    );
  }
  const name = asked ?? tagged[0] ?? '';
  const policy = policies[name];
  if (!policy || (asked === undefined && tagged.length > 1)) {
    throw new UnknownPolicyError(
      `${instanceId} is tagged with several policies (${tagged.join(' ')}); give the one to follow in the input: {"instanceId":"${instanceId}","policy":"${name}"}`,
    );
  }
  return { ...policy, name };
};

export const modeWanted = (instanceId: string, tags: Tags, windows: boolean): Mode | 'auto' => {
  const value = tags[USER_TAGS.mode]?.trim() || 'auto';
  const allowed = ['auto', ...(windows ? WINDOWS_MODES : LINUX_MODES)] as const;
  const mode = allowed.find((each) => each === value);
  if (mode) return mode;
  throw new BadTagError(
    `${instanceId} is tagged ${USER_TAGS.mode} = ${value}; on ${windows ? 'Windows' : 'Linux'} it may be ${allowed.join(', ')}`,
  );
};

/**
 * The `Apps` parameter of Inspect. Applications are quieted only for grade `application`: for less, their clients would
 * be stalled for nothing. `none` in the tag means that none is to be quieted, not that none needs it: no application was
 * proven quiet then, and such a run can earn `filesystem`.
 */
export const appsWanted = (instanceId: string, tags: Tags, wanted: GradeName): string => {
  const names = wordsIn(tags[USER_TAGS.apps] ?? 'auto');
  const valid =
    names.every((name) => /^[a-z0-9]{2,20}$/.test(name)) &&
    names.length <= 20 &&
    (names.length === 1 || !names.some((name) => ['auto', 'none'].includes(name)));
  if (names.length === 0 || !valid) {
    throw new BadTagError(
      `${instanceId} is tagged ${USER_TAGS.apps} = ${tags[USER_TAGS.apps]}; it may be auto, none, or drivers separated by blanks: mysql postgresql`,
    );
  }
  return wanted === 'application' ? names.join(',') : 'none';
};

/**
 * The document of the user's own that is to be one more hook; undefined: none. A name that the plan does not list is never
 * asked for: who may tag an instance would choose what runs there as root.
 */
export const hookDocumentWanted = (
  instanceId: string,
  tags: Tags,
  { windows, apps, listed }: { windows: boolean; apps: string; listed: readonly string[] },
): string | undefined => {
  const name = tags[USER_TAGS.hookDocument]?.trim();
  if (name === undefined) return undefined;
  const refuse = (why: string) =>
    new BadTagError(`${instanceId} is tagged ${USER_TAGS.hookDocument} = ${name}; ${why}`);
  if (windows) throw refuse('Windows has no hooks: take the tag off');
  if (!listed.includes(name)) {
    const known = listed.length > 0 ? `has ${listed.join(', ')}` : 'lists none';
    throw refuse(`it may be a document that the plan lists under hookDocuments, which ${known}`);
  }
  const drivers = wordsIn(tags[USER_TAGS.apps] ?? 'auto');
  if (!drivers.some((driver) => driver === 'auto' || driver === 'hooks')) {
    throw refuse(
      `${USER_TAGS.apps} = ${drivers.join(' ')} leaves hooks out: add hooks to it, or take one of the two off`,
    );
  }
  // Where nothing is quieted, no hook is.
  return apps === 'none' ? undefined : name;
};
