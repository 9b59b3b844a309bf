import type { QuietMode } from '../../lambdas/shared/contracts.ts';
import type { Topology } from '../workload.ts';

/** The one way in which a cell of the matrix may end. */
export interface Miss {
  /** Name of the error that the run ends with; undefined: it succeeds with grade application. */
  readonly error: string | undefined;
  /** What its cause must say. */
  readonly says: string;
  /** The grade of the set that is kept all the same; undefined: the run is refused before anything is frozen. */
  readonly grade?: 'crash';
}

const PROVEN: Miss = { error: undefined, says: '' };
const NO_LVM: Miss = { error: 'ModeNotPossibleError', says: 'does not lie right on a logical volume' };
const ARRAY: Miss = { error: 'GradeMissedError', says: 'lies on an array', grade: 'crash' };
const TWO_INSTANTS: Miss = { error: 'GradeMissedError', says: 'no lock of MariaDB', grade: 'crash' };

/** What is to become of each cell, and why. */
const CELLS: Record<Topology, Record<QuietMode, Miss>> = {
  // Quieting the database alone leaves the array's members at instants of the disks' own: the set is kept for what it is.
  'raid0-lvm-xfs': { 'lvm-snapshot': PROVEN, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  // Encrypted between the array and the group.
  'luks-lvm-xfs': { 'lvm-snapshot': PROVEN, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  // No LVM, nothing that could take an LVM snapshot.
  'raid1-ext4': { 'lvm-snapshot': NO_LVM, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  'lvm-striped': { 'lvm-snapshot': PROVEN, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  'lvm-thin': { 'lvm-snapshot': PROVEN, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  // Data and log on logical volumes of their own: only the frozen file systems make one instant of the two.
  'data-and-log': { 'lvm-snapshot': TWO_INSTANTS, 'fs-freeze': PROVEN, 'app-only': ARRAY },
  // One disk has no members to tear: a quiet database is enough.
  single: { 'lvm-snapshot': NO_LVM, 'fs-freeze': PROVEN, 'app-only': PROVEN },
  // The root file system is never frozen, or the SSM agent could not be told to thaw it.
  root: {
    'lvm-snapshot': { error: 'ModeNotPossibleError', says: 'lvm-snapshot' },
    'fs-freeze': { error: 'ModeNotPossibleError', says: 'no file system can be frozen' },
    'app-only': PROVEN,
  },
};

export const expectationOf = (mode: QuietMode, topology: Topology): Miss => CELLS[topology][mode];
