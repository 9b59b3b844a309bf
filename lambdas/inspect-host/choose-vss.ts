import type { InspectAnswer, Run, WindowsAnswer } from '../shared/contracts.ts';
import { appName } from '../shared/coverage.ts';
import { type GradeName, reaches } from '../shared/names.ts';
import { isOlder } from './agent.ts';
import type { Wish } from './choose-mode.ts';

/** Beside the topology, what decides whether VSS can take the set. */
export type VssFacts = Pick<WindowsAnswer, 'build' | 'languageMode' | 'dotNetRelease' | 'components'> & {
  instanceType: string;
};

/** From here on the components take all volumes in one call and mark what they took, which our policy asks for. */
const OLDEST_COMPONENTS = '2.3.1';
/** They can save the writers' metadata, which a restore of single databases asks for. */
const SAVES_METADATA = '2.4.0';

/** VSS_WRITER_STATE: 1 is stable, 2 to 5 are the steps of a backup, and from here on a writer has failed at one of them. */
const FAILED_STATES_FROM = 6;

/**
 * On Windows: VSS, unless no more than a crash-consistent set is wanted. What is known to be in the way of it is handed
 * on as the run's fault, so that *Snapshot with VSS* ends with its name and the policy decides what is taken instead.
 */
export const chooseVss = (
  topology: InspectAnswer,
  facts: VssFacts,
  { wanted, mode }: Wish,
): Pick<Run, 'mode' | 'why' | 'expected' | 'apps' | 'vss'> => {
  if (mode === 'crash' || (mode === 'auto' && wanted === 'crash')) {
    const why =
      mode === 'crash'
        ? 'crash as tagged; nothing is quieted in it'
        : 'crash: the policy wants no more, so nothing is quieted';
    return { mode: 'crash', why, expected: 'crash', apps: [] };
  }
  const fault = faultOf(facts);
  const [expected, limit] = fault ? (['crash', fault.message] as const) : outlook(topology);
  const install = facts.components === '' || isOlder(facts.components, OLDEST_COMPONENTS);
  const { uncovered = [], writers = [] } = topology.windows ?? {};
  const beside = [
    ...(uncovered.length > 0 ? [`; not covered: ${uncovered.join(', ')}`] : []),
    // Most of them come back by themselves when they are asked anew, so it is said, and no more.
    ...writers
      .filter(({ state }) => state >= FAILED_STATES_FROM)
      .map(({ name, state, error }) => `; ${name} has failed before (state ${state}: ${error}): restart its service`),
  ].join('');
  return {
    mode: 'vss',
    why: `${mode === 'vss' ? 'vss as tagged' : 'vss'}; it can earn ${expected}${limit && !reaches(expected, wanted) ? `; not ${wanted}, since ${limit}` : ''}${beside}`,
    expected,
    apps: topology.apps.filter((app) => app.ready).map(({ driver }) => driver),
    vss: {
      install,
      saveMetadata:
        !install &&
        !isOlder(facts.components, SAVES_METADATA) &&
        topology.apps.some(({ driver }) => driver === 'sqlserver'),
      fault: fault ?? null,
    },
  };
};

const outlook = ({ apps }: InspectAnswer): [expected: GradeName, limit: string] => {
  if (apps.length === 0) {
    return ['filesystem', 'no application was found to quiet; if there is none, let the policy want grade filesystem'];
  }
  const unready = apps.filter((app) => !app.ready);
  if (unready.length === 0) return ['application', ''];
  return ['filesystem', unready.map((app) => `${appName(app)} can't be quieted: ${app.problem}`).join('; ')];
};

/** What AWS's prerequisites rule out, each with what to do. Components that are missing are installed. */
const faultOf = ({ instanceType, build, languageMode, dotNetRelease }: VssFacts) => {
  const faults: readonly (readonly [isSo: boolean, code: string, message: string])[] = [
    [
      /^t(2|3|3a)\.(nano|micro)$/.test(instanceType),
      'InstanceTooSmall',
      `AWS does not support VSS on ${instanceType}; take t3.small or larger, or tag it freezeframe:mode = crash`,
    ],
    [
      build < 14_393,
      'WindowsTooOld',
      `this is Windows build ${build}, and AWS's VSS components need Windows Server 2016 (14393) or newer; upgrade it`,
    ],
    [
      languageMode !== 'FullLanguage',
      'LanguageModeRestricted',
      `PowerShell runs in ${languageMode}, and AWS's document needs FullLanguage; let AppLocker or Device Guard trust the scripts of the SSM agent`,
    ],
    [
      dotNetRelease < 393_295,
      'DotNetTooOld',
      `.NET Framework 4.6 or newer is needed (release 393295), and this host has ${dotNetRelease || 'none'}; install 4.8`,
    ],
  ];
  const found = faults.find(([isSo]) => isSo);
  return found && { code: found[1], message: found[2] };
};
