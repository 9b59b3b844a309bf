/** *Inspect host* says what a mode can earn, *Grade* what it has earned: when all goes well they must say the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { grade } from '../../lambdas/grade/grade.ts';
import { chooseMode } from '../../lambdas/inspect-host/choose-mode.ts';
import type { InspectAnswer, QuietMode, Receipt } from '../../lambdas/shared/contracts.ts';
import { dataFs, gradeInput, logFs, mariadb, postgres, receipt, rootFs, topology } from './builders.ts';

const filesystems: Record<string, InspectAnswer['filesystems']> = {
  'an LV': [dataFs, rootFs],
  'two LVs': [dataFs, logFs, rootFs],
  'an LV and none': [dataFs, { ...logFs, lv: '' }, rootFs],
  'an array': [{ ...dataFs, lv: '' }, rootFs],
  'a single disk': [{ ...dataFs, lv: '', disks: ['nvme1n1'] }, rootFs],
  'only the root': [rootFs],
};

const onData = (app: typeof mariadb, ...mounts: string[]) => ({ ...app, mounts });
const apps: Record<string, InspectAnswer['apps']> = {
  'no application': [],
  MariaDB: [mariadb],
  'MariaDB on the root': [onData(mariadb, '/')],
  'MariaDB on both': [onData(mariadb, '/data', '/')],
  PostgreSQL: [postgres],
  'MariaDB and one that is not ready': [mariadb, { ...postgres, ready: false, problem: 'x' }],
};

/** What a host reports that did all it was told. */
const faultless = (seen: InspectAnswer, mode: QuietMode, drivers: readonly string[]): Receipt => {
  const freezable = seen.filesystems.filter((fs) => fs.freezable);
  const whole = receipt();
  const isLvm = mode === 'lvm-snapshot';
  return receipt({
    mode,
    apps: seen.apps
      .filter(({ driver }) => drivers.includes(driver))
      .map(({ driver, name, dataDir }) => ({
        driver,
        name,
        dataDir,
        lockedAt: 1010.3,
        releasedAt: isLvm ? 1010.9 : whole.releasedAt,
        held: true,
        position: '',
      })),
    filesystems:
      mode === 'fs-freeze'
        ? freezable.map((fs) => ({
            ...whole.filesystems[0],
            mount: fs.mount,
            device: fs.device,
            frozenAt: 1010.8,
            thawedAt: 1014.1,
            foundFrozen: true,
          }))
        : [],
    writes: mode === 'fs-freeze' ? freezable.map((fs) => ({ device: fs.device, atFreeze: 1, atThaw: 1 })) : [],
    lvmSnapshots: isLvm
      ? freezable.map((fs, index) => ({
          origin: fs.lv,
          snapshot: `vg/ff_${index}`,
          takenAt: 1010.5 + index / 10,
          valid: true,
          usedPercent: 1,
          removed: true,
        }))
      : [],
  });
};

describe('the grade that is expected is the grade that is earned', () => {
  for (const [where, disks] of Object.entries(filesystems)) {
    for (const [what, found] of Object.entries(apps)) {
      for (const mode of ['lvm-snapshot', 'fs-freeze', 'app-only'] as const) {
        if (found.some((app) => app.mounts.some((mount) => !disks.some((fs) => fs.mount === mount)))) continue;
        test(`${mode} with ${what} on ${where}`, () => {
          const seen = topology({ filesystems: disks, apps: found });
          const choice = chooseMode(seen, { wanted: 'application', mode, apps: 'auto' });
          const input = gradeInput({ topology: seen, apps: choice.apps }, faultless(seen, mode, choice.apps));
          const verdict = grade(input, input.snapshots);
          assert.equal(verdict.grade, choice.expected, `${choice.why} / ${verdict.reasons.join('; ')}`);
        });
      }
    }
  }
});
