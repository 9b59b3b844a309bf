import type { InspectAnswer, Run } from '../shared/contracts.ts';
import { appName, freezable, homesOf, lvsOf, quietAloneSuffices } from '../shared/coverage.ts';
import { HostError } from '../shared/errors.ts';
import { GRADES, type GradeName, type LinuxMode, type Mode, reaches } from '../shared/names.ts';

export interface Wish {
  wanted: GradeName;
  /** The user's tag. */
  mode: Mode | 'auto';
  /** The `Apps` parameter that Inspect was asked with. */
  apps: string;
}

/** Shortest frozen window first: nothing frozen; released before the snapshots are asked for; held until they are there. */
const BY_WINDOW: readonly LinuxMode[] = ['crash', 'lvm-snapshot', 'fs-freeze', 'app-only'];

/** On Linux: the mode with the shortest frozen window that earns the wanted grade; where none does, one that earns the most. */
export const chooseMode = (
  topology: InspectAnswer,
  { wanted, mode, apps }: Wish,
): Pick<Run, 'mode' | 'why' | 'expected' | 'apps'> => {
  const prospects = BY_WINDOW.map((each) => prospectOf(each, topology, apps));
  const chosen =
    mode === 'auto'
      ? best(prospects, wanted)
      : (prospects.find((each) => each.mode === mode) ?? best(prospects, wanted));
  if (!chosen.possible) {
    throw new HostError(
      'ModeNotPossible',
      `freezeframe:mode = ${chosen.mode} can't be had on this host: ${chosen.limit}; set it to auto, or to one of: ${prospects
        .filter((each) => each.possible)
        .map((each) => each.mode)
        .join(', ')}`,
    );
  }
  return {
    mode: chosen.mode,
    expected: chosen.expected,
    why: whyOf(chosen, prospects, wanted, mode),
    apps: chosen.mode === 'crash' ? [] : readyDrivers(topology),
  };
};

interface Prospect {
  mode: LinuxMode;
  possible: boolean;
  /** The grade it earns when all goes well. */
  expected: GradeName;
  /** What keeps it from being possible or from earning more; empty when nothing does. */
  limit: string;
}

const best = (prospects: readonly Prospect[], wanted: GradeName): Prospect => {
  const possible = prospects.filter((each) => each.possible);
  const highest = Math.max(...possible.map((each) => GRADES.indexOf(each.expected)));
  const chosen =
    possible.find((each) => reaches(each.expected, wanted)) ??
    possible.find((each) => GRADES.indexOf(each.expected) === highest);
  // `crash` is always possible.
  return chosen as Prospect;
};

const whyOf = (chosen: Prospect, prospects: readonly Prospect[], wanted: GradeName, tag: Mode | 'auto'): string => {
  const reached = reaches(chosen.expected, wanted);
  const limit = reached || !chosen.limit ? '' : `; not ${wanted}, since ${chosen.limit}`;
  if (tag !== 'auto') return `${chosen.mode} as tagged; it can earn ${chosen.expected}${limit}`;
  if (!reached) return `${chosen.mode} earns the most that can be had, ${chosen.expected}${limit}`;
  const shorter = prospects.slice(0, prospects.indexOf(chosen)).filter((each) => each.mode !== 'crash');
  const passed = shorter.map((each) => `; not ${each.mode}, since ${each.limit}`).join('');
  return `${chosen.mode} has the shortest frozen window that earns ${wanted}${passed}`;
};

const prospectOf = (mode: LinuxMode, topology: InspectAnswer, apps: string): Prospect => {
  if (mode === 'crash') return { mode, possible: true, expected: 'crash', limit: 'nothing is quieted in it' };
  const { possible, why } = topology.modes[mode];
  if (!possible) return { mode, possible, expected: 'crash', limit: why };
  const [expected, limit] = PROSPECTS[mode](topology, apps);
  return { mode, possible, expected, limit };
};

type Outlook = [expected: GradeName, limit: string];

const PROSPECTS: Record<Exclude<LinuxMode, 'crash'>, (topology: InspectAnswer, apps: string) => Outlook> = {
  'lvm-snapshot': (topology, apps) => {
    const filesystems = freezable(topology);
    if (filesystems.length === 0) return ['crash', NO_FILESYSTEM];
    const bare = filesystems.find((fs) => fs.lv === '');
    if (bare) return ['crash', `${bare.mount} does not lie on an LV that can have a snapshot`];

    const lvs = lvsOf(filesystems);
    const unquiet = unquietOf(topology, apps);
    if (lvs.length > 1 && unquiet) return ['crash', `${lvs.join(' and ')} are taken moments apart, and ${unquiet}`];
    if (unquiet) return ['filesystem', unquiet];

    const elsewhere = topology.apps.find((app) => homesOf(topology, app).some((home) => !home?.freezable || !home.lv));
    if (elsewhere) {
      return [
        lvs.length > 1 ? 'crash' : 'filesystem',
        `${appName(elsewhere)} does not lie on LVs that can have a snapshot`,
      ];
    }
    const lax = topology.apps.find((app) => !app.stopsWrites);
    if (lvs.length > 1 && lax) {
      return ['crash', `${lvs.join(' and ')} are taken moments apart, and no lock of ${appName(lax)} spans them`];
    }
    return ['application', ''];
  },

  'fs-freeze': (topology, apps) => {
    if (freezable(topology).length === 0) return ['crash', NO_FILESYSTEM];
    const unquiet = unquietOf(topology, apps);
    return unquiet ? ['filesystem', unquiet] : ['application', ''];
  },

  'app-only': (topology, apps) => {
    const unquiet = unquietOf(topology, apps);
    if (unquiet) return ['crash', unquiet];
    const spread = topology.apps.find((app) => !quietAloneSuffices(topology, app));
    return spread
      ? ['crash', `${appName(spread)} lies on an array, whose file systems would have to be frozen`]
      : ['application', ''];
  },
};

const NO_FILESYSTEM = 'no file system here may be frozen (those that the system and the SSM agent live on never are)';

/** Why the applications can't all be quiet; empty when they can. */
const unquietOf = (topology: InspectAnswer, apps: string): string => {
  if (topology.apps.length === 0) {
    return apps === 'none'
      ? 'no application is quieted'
      : 'no application was found to quiet; if there is none, let the policy want grade filesystem';
  }
  return topology.apps
    .filter((app) => !app.ready || !app.provable)
    .map((app) =>
      app.ready
        ? `${appName(app)} has no lock that could prove that it stayed quiet`
        : `${appName(app)} can't be quieted: ${app.problem}`,
    )
    .join('; ');
};

/**
 * Drivers whose servers can all be quieted: Freeze refuses one that has a server which can't. What is quieted restores
 * better, even where another application keeps the grade down.
 */
const readyDrivers = (topology: InspectAnswer): string[] => {
  const unready = new Set(topology.apps.filter((app) => !app.ready).map((app) => app.driver));
  return [...new Set(topology.apps.map((app) => app.driver))].filter((driver) => !unready.has(driver));
};
