import type { Run } from './contracts.ts';
import { type Mode, SET_TAGS, UNPROVEN } from './names.ts';

/** Tags that travel in the request that makes the snapshots, whoever sends it, so that none exists without them. */
export const tagsAtCreation = (
  { run, instanceId, policy, volumes }: Pick<Run, 'run' | 'instanceId' | 'policy' | 'volumes'>,
  mode: Mode,
): Record<string, string> => ({
  [SET_TAGS.set]: run,
  [SET_TAGS.run]: run,
  [SET_TAGS.policy]: policy.name,
  [SET_TAGS.instance]: instanceId,
  [SET_TAGS.grade]: UNPROVEN,
  [SET_TAGS.mode]: mode,
  [SET_TAGS.members]: String(volumes.length),
});
