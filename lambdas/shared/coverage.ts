/** What of a host lies where: the questions that *Inspect host* asks to choose a mode, and *Grade* to prove one. */
import type { InspectAnswer } from './contracts.ts';

export type Filesystem = InspectAnswer['filesystems'][number];
export type App = InspectAnswer['apps'][number];

export const freezable = (topology: InspectAnswer): Filesystem[] => topology.filesystems.filter((fs) => fs.freezable);

/** The LVs that hold these file systems, each once. File systems that lie on none are left out. */
export const lvsOf = (filesystems: readonly Filesystem[]): string[] => [
  ...new Set(filesystems.map((fs) => fs.lv).filter((lv) => lv !== '')),
];

/** File systems that an application's files lie on; undefined for a mount that the topology does not have. */
export const homesOf = (topology: InspectAnswer, app: App): (Filesystem | undefined)[] =>
  app.mounts.map((mount) => topology.filesystems.find((fs) => fs.mount === mount));

/**
 * Quieting the application alone is enough where nothing else can be done (file systems that are never frozen) and where
 * there is no array to tear (all of its files on one disk).
 */
export const quietAloneSuffices = (topology: InspectAnswer, app: App): boolean => {
  const homes = homesOf(topology, app);
  if (homes.length === 0 || homes.includes(undefined)) return false;
  const disks = new Set(homes.flatMap((home) => home?.disks ?? []));
  return homes.every((home) => home?.freezable === false) || disks.size === 1;
};

/** For messages: "MariaDB 10.11 (/var/lib/mysql)". */
export const appName = (app: Pick<App, 'name' | 'dataDir'>): string => `${app.name} (${app.dataDir})`;
