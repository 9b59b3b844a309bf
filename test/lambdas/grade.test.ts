import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorOf, grade } from '../../lambdas/grade/grade.ts';
import { gradeRun as gradeRunAt } from '../../lambdas/grade/grade-run.ts';
import type { Catalogue } from '../../lambdas/grade/label-set.ts';
import { hashOf } from '../../lambdas/shared/canonical.ts';
import type { GradeInput, Receipt } from '../../lambdas/shared/contracts.ts';
import type { SeenSnapshot } from '../../lambdas/shared/found-set.ts';
import {
  atFreeze,
  DATA_2,
  dataFs,
  gradeInput,
  INSTANCE,
  logFs,
  mariadb,
  postgres,
  ROOT,
  RUN,
  receipt,
  rootFs,
  run,
  takenSet,
  thawed,
  topology,
} from './builders.ts';
import { FakeClock } from './fakes.ts';

type Row = [rule: string, input: GradeInput, earned: string | null, reason?: RegExp];

const [lock] = receipt().apps as [Receipt['apps'][number]];
const [frozenFs] = receipt().filesystems as [Receipt['filesystems'][number]];
const withApps = (...apps: Receipt['apps']) => gradeInput({}, receipt({ apps }));
const withTopology = (changes: Parameters<typeof topology>[0], whole = receipt(), mode = whole.mode) =>
  gradeInput({ topology: topology(changes), mode }, whole);

const lvm = (changes: Partial<Receipt> = {}): Receipt =>
  receipt({
    mode: 'lvm-snapshot',
    filesystems: [],
    writes: [],
    frozenAt: 1011,
    releasedAt: 1010.95,
    apps: [{ ...lock, lockedAt: 1010.3, releasedAt: 1010.95 }],
    lvmSnapshots: [snapshot('data', 1010.6)],
    ...changes,
  });
const snapshot = (name: string, takenAt: number | null, changes: Partial<Receipt['lvmSnapshots'][number]> = {}) => ({
  origin: `vg/${name}`,
  snapshot: `vg/ff_${name}`,
  takenAt,
  valid: true,
  usedPercent: 3,
  removed: true,
  ...changes,
});
const twoLvs = { filesystems: [dataFs, logFs, rootFs], apps: [{ ...mariadb, mounts: ['/data', '/log'] }] };
const bothTaken = { lvmSnapshots: [snapshot('data', 1010.5), snapshot('log', 1010.8)] };

const onRoot = { filesystems: [rootFs], apps: [{ ...mariadb, dataDir: '/data/mysql', mounts: ['/'] }], groups: [] };
const appOnly = (changes: Partial<Receipt> = {}) =>
  receipt({ mode: 'app-only', filesystems: [], writes: [], ...changes });

const rows: Record<string, Row[]> = {
  'the set': [
    ['without a set there is no grade', gradeInput({ snapshots: undefined }), null, /no snapshots were taken/],
    [
      'a volume missing in the set leaves nothing to grade',
      gradeInput({ snapshots: takenSet({ snapshots: takenSet().snapshots.filter((s) => s.volumeId !== DATA_2) }) }),
      null,
      new RegExp(`${DATA_2} \\(/dev/sdg\\) is missing`),
    ],
    [
      'a whole set of a run in mode crash is crash-consistent',
      gradeInput({ mode: 'crash' }),
      'crash',
      /mode was crash/,
    ],
  ],
  'that the freeze held': [
    ['no answer of Freeze proves nothing', gradeInput({ frozen: undefined }), 'crash', /Freeze did not answer/],
    ['no answer of Thaw proves nothing', gradeInput({ thawed: undefined }), 'crash', /Thaw did not answer/],
    [
      'a host without a receipt never froze, or lost it',
      gradeInput({ thawed: thawed({ receipt: null }) }),
      'crash',
      /has no receipt/,
    ],
    [
      'a set taken unfrozen proves nothing, whatever the receipt says',
      gradeInput({ snapshots: takenSet({ whileFrozen: false }) }),
      'crash',
      /not taken while/,
    ],
    [
      'a thaw by the rescue may have come before the set',
      gradeInput({}, receipt({ thawedBy: 'rescue' })),
      'crash',
      /without a set, by the run itself or by its rescue/,
    ],
    ['a thaw by hand may have come before the set', gradeInput({}, receipt({ thawedBy: 'hand' })), 'crash', /by hand/],
    ["another run's receipt proves nothing", gradeInput({}, receipt({ run: 'other' })), 'crash', /another run/],
    ["another mode's receipt proves nothing", gradeInput({ mode: 'app-only' }), 'crash', /another mode/],
    ['a reboot between Inspect and Freeze', gradeInput({}, receipt({ bootId: 'b2' })), 'crash', /rebooted/],
    ['a reboot between Freeze and Thaw', gradeInput({ thawed: thawed({ bootId: 'b2' }) }), 'crash', /rebooted/],
    [
      'a thaw of a second freeze says nothing of the first',
      gradeInput({ thawed: thawed({ receipt: receipt({ frozenAt: 1012.5 }) }) }),
      'crash',
      /another freeze/,
    ],
    ['a host never quiet', gradeInput({}, receipt({ frozenAt: null })), 'crash', /does not say when/],
    ['a lease that ran out', gradeInput({}, receipt({ thawedBy: 'lease' })), 'crash', /lease of 30 s was over/],
    ['a watchdog that had to thaw', gradeInput({}, receipt({ thawedBy: 'watchdog' })), 'crash', /watchdog/],
    ['a freeze that was given up', gradeInput({}, receipt({ thawedBy: 'error' })), 'crash', /gave the freeze up/],
    ['a thaw by nobody', gradeInput({}, receipt({ thawedBy: null })), 'crash', /gave the freeze up/],
    [
      'a thaw asked for before all was quiet',
      gradeInput({}, receipt({ thawAskedAt: 1010.9 })),
      'crash',
      /before it was quiet/,
    ],
    ['a thaw that nobody asked for', gradeInput({}, receipt({ thawAskedAt: null })), 'crash', /before it was quiet/],
  ],
  'fs-freeze': [
    ['everything held earns application', gradeInput(), 'application'],
    [
      'a file system that was not frozen',
      gradeInput({}, receipt({ filesystems: [] })),
      'crash',
      /\/data was not frozen/,
    ],
    [
      'a file system whose freeze did not come',
      gradeInput({}, receipt({ filesystems: [{ ...frozenFs, frozenAt: null }] })),
      'crash',
      /\/data was not frozen/,
    ],
    [
      'a file system that somebody else thawed',
      gradeInput({}, receipt({ filesystems: [{ ...frozenFs, foundFrozen: false }] })),
      'crash',
      /no longer frozen/,
    ],
    [
      'a file system of which it is not known how it was found',
      gradeInput({}, receipt({ filesystems: [{ ...frozenFs, foundFrozen: null }] })),
      'crash',
      /no longer frozen/,
    ],
    ['one file system of two', withTopology({ filesystems: [dataFs, logFs, rootFs] }), 'crash', /\/log was not frozen/],
    ['no file system that may be frozen', withTopology(onRoot), 'crash', /no file system that may be frozen/],
    [
      'a write that reached a frozen device',
      gradeInput({}, receipt({ writes: [{ device: 'dm-0', atFreeze: 10, atThaw: 12 }] })),
      'crash',
      /2 sectors of dm-0 were written/,
    ],
    [
      'a device that was gone at the thaw',
      gradeInput({}, receipt({ writes: [{ device: 'dm-0', atFreeze: 10, atThaw: null }] })),
      'crash',
      /not counted/,
    ],
    ['writes that nobody counted', gradeInput({}, receipt({ writes: [] })), 'crash', /counted no writes/],
    [
      'an array that did not settle to clean lowers nothing by itself',
      gradeInput({}, receipt({ arrays: [{ name: 'md0', clean: false }] })),
      'application',
    ],
    [
      'an array that did not settle is named beside the writes',
      gradeInput(
        {},
        receipt({ arrays: [{ name: 'md0', clean: false }], writes: [{ device: 'md0', atFreeze: 1, atThaw: 2 }] }),
      ),
      'crash',
      /not clean while frozen: md0/,
    ],
    ['without an application it is the file systems', withTopology({ apps: [] }), 'filesystem', /no application/],
    [
      'an application that was found but not quieted',
      withApps(),
      'filesystem',
      /MariaDB 10.11 \(\/data\/mysql\) was not/,
    ],
    [
      'one application of two',
      withTopology({ apps: [mariadb, { ...postgres, ready: false, problem: 'no peer login' }] }),
      'filesystem',
      /PostgreSQL 15 .* not quieted: no peer login/,
    ],
    [
      'two servers of one driver, one of them quieted',
      withTopology({ apps: [mariadb, { ...mariadb, dataDir: '/data/b' }] }),
      'filesystem',
      /\/data\/b/,
    ],
    ['a lock that was lost', withApps({ ...lock, held: false }), 'filesystem', /lost its lock/],
    ['a lock that nobody looked at', withApps({ ...lock, held: null }), 'filesystem', /lost its lock/],
    ['a lock that never came', withApps({ ...lock, lockedAt: null }), 'filesystem', /was not quieted/],
    ['a lock that came after all was frozen', withApps({ ...lock, lockedAt: 1011.5 }), 'filesystem', /too late/],
    [
      'a lock released before the thaw was asked for',
      withApps({ ...lock, releasedAt: 1013 }),
      'filesystem',
      /too early/,
    ],
    ['a lock never released', withApps({ ...lock, releasedAt: null }), 'filesystem', /not at all/],
  ],
  'lvm-snapshot': [
    ['one LV and a lock across its snapshot earn application', gradeInput({}, lvm()), 'application'],
    ['two LVs and a write lock across both earn application', withTopology(twoLvs, lvm(bothTaken)), 'application'],
    [
      'one LV without an application is its file system',
      withTopology({ apps: [] }, lvm({ apps: [] })),
      'filesystem',
      /no application/,
    ],
    [
      'two LVs without an application are two instants',
      withTopology({ ...twoLvs, apps: [] }, lvm({ ...bothTaken, apps: [] })),
      'crash',
      /no application/,
    ],
    [
      'a lock released between two LVs',
      withTopology(twoLvs, lvm({ ...bothTaken, apps: [{ ...lock, releasedAt: 1010.7 }] })),
      'crash',
      /too early/,
    ],
    [
      'a lock that came after the first of two LVs',
      withTopology(twoLvs, lvm({ ...bothTaken, apps: [{ ...lock, lockedAt: 1010.6 }] })),
      'crash',
      /too late/,
    ],
    [
      'a lock lost on one LV',
      gradeInput({}, lvm({ apps: [{ ...lock, held: false, releasedAt: 1010.95 }] })),
      'filesystem',
      /lost its lock/,
    ],
    [
      'a backup mode that lets writes go on does not span two LVs',
      withTopology(
        { ...twoLvs, apps: [{ ...postgres, mounts: ['/data', '/log'] }] },
        lvm({ ...bothTaken, apps: [{ ...lock, driver: 'postgresql', dataDir: '/data/pg' }] }),
      ),
      'crash',
      /no lock of PostgreSQL 15 .* spans vg\/data and vg\/log/,
    ],
    [
      'an LVM snapshot that overflowed',
      gradeInput({}, lvm({ lvmSnapshots: [snapshot('data', 1010.6, { valid: false })] })),
      'crash',
      /overflowed/,
    ],
    [
      'an LVM snapshot that nobody checked',
      gradeInput({}, lvm({ lvmSnapshots: [snapshot('data', 1010.6, { valid: null })] })),
      'crash',
      /overflowed/,
    ],
    [
      'an LVM snapshot that was not taken',
      gradeInput({}, lvm({ lvmSnapshots: [snapshot('data', null)] })),
      'crash',
      /no whole LVM snapshot/,
    ],
    [
      'a file system without an LVM snapshot',
      withTopology({ filesystems: [dataFs, logFs, rootFs] }, lvm()),
      'crash',
      /\/log has no whole/,
    ],
    [
      'a file system on no LV',
      withTopology({ filesystems: [{ ...dataFs, lv: '' }, rootFs] }, lvm()),
      'crash',
      /\/data has no whole/,
    ],
    [
      'an application beside the LVM snapshots',
      withTopology({ apps: [{ ...mariadb, mounts: ['/data', '/'] }] }, lvm()),
      'filesystem',
      /outside the LVM snapshots/,
    ],
    ['a thaw by the lease', gradeInput({}, lvm({ thawedBy: 'lease' })), 'crash', /lease/],
  ],
  'app-only': [
    ['an application held on the root file system', withTopology(onRoot, appOnly()), 'application'],
    [
      'an application held on one disk',
      withTopology({ filesystems: [{ ...dataFs, disks: ['nvme1n1'] }, rootFs] }, appOnly()),
      'application',
    ],
    ['an application on an array', withTopology({}, appOnly()), 'crash', /lies on an array/],
    [
      'a lost lock leaves nothing',
      withTopology(onRoot, appOnly({ apps: [{ ...lock, held: false }] })),
      'crash',
      /lost its lock/,
    ],
    ['no application at all', withTopology({ ...onRoot, apps: [] }, appOnly({ apps: [] })), 'crash', /no application/],
    [
      'files on a mount that the topology does not know',
      withTopology({ ...onRoot, apps: [{ ...mariadb, mounts: ['/mnt/else'] }] }, appOnly()),
      'crash',
      /lies on an array/,
    ],
  ],
};

for (const [topic, cases] of Object.entries(rows)) {
  describe(`grade: ${topic}`, () => {
    for (const [rule, input, earned, reason] of cases) {
      test(`${rule}: ${earned ?? 'none'}`, () => {
        const verdict = grade(input, input.snapshots);
        assert.equal(verdict.grade, earned, verdict.reasons.join('; '));
        if (reason) assert.match(verdict.reasons.join('; '), reason);
        else assert.deepEqual(verdict.reasons, []);
      });
    }
  });
}

describe('the verdict', () => {
  const policy = (wanted: 'application' | 'filesystem' | 'crash', onDowngrade: 'keep' | 'discard') => ({
    policy: { ...run().policy, grade: wanted, onDowngrade },
  });
  const lost = (changes: Partial<GradeInput>) => gradeInput(changes, receipt({ thawedBy: 'lease' }));

  for (const [rule, input, reached, keep] of [
    ['the grade wanted is reached and kept', gradeInput(), true, true],
    ['more than was wanted is reached too', gradeInput(policy('filesystem', 'discard')), true, true],
    ['a lower grade is kept when the policy says keep', lost(policy('application', 'keep')), false, true],
    ['a lower grade is not kept when the policy says discard', lost(policy('application', 'discard')), false, false],
    ['what is no whole set is never kept', gradeInput({ snapshots: undefined }), false, false],
  ] as const) {
    test(rule, () => {
      const verdict = grade(input, input.snapshots);
      assert.deepEqual([verdict.reached, verdict.keep], [reached, keep]);
      assert.equal(errorOf(input, verdict) === undefined, reached);
    });
  }

  test('the frozen window is what writers felt, in milliseconds of the host', () => {
    assert.equal(grade(gradeInput(), takenSet()).windowMs, 4_050);
    assert.equal(grade(gradeInput({ thawed: undefined }), takenSet()).windowMs, null);
  });
});

describe('the error that a run ends with', () => {
  const ended = (changes: Partial<GradeInput>) => {
    const input = gradeInput(changes);
    return errorOf(input, grade(input, input.snapshots));
  };
  const freezeFailed = {
    Error: 'LockTimeoutError',
    Cause: JSON.stringify({ errorType: 'LockTimeoutError', errorMessage: 'query 7 is in the way', trace: [] }),
  };

  test('is the first one, in its own words, with what became of the set', () => {
    const error = ended({
      error: freezeFailed,
      thawError: { Error: 'HostSilentError', Cause: 'x' },
      frozen: undefined,
      snapshots: takenSet({ whileFrozen: false }),
    });
    assert.deepEqual(error, {
      Error: 'LockTimeoutError',
      Cause: 'query 7 is in the way. The set has grade crash (wanted: application) and is kept.',
    });
  });

  test('is there even when the grade was reached: a thaw that failed is never green', () => {
    assert.equal(ended({ thawError: { Error: 'ThawFailedError', Cause: 'no JSON' } })?.Error, 'ThawFailedError');
  });

  test('of a state that ran out of time says so, since Step Functions gives no cause', () => {
    assert.match(
      ended({ error: { Error: 'States.Timeout' } })?.Cause ?? '',
      /^States.Timeout: the state gave no answer/,
    );
  });

  test('is the missed grade with its reasons when nothing failed by itself', () => {
    const error = ended({ snapshots: takenSet({ whileFrozen: false }) });
    assert.equal(error?.Error, 'GradeMissedError');
    assert.match(error?.Cause ?? '', /grade crash \(wanted: application\) and is kept: the set was not taken while/);
  });
});

const gradeRun = (input: GradeInput, catalogue: Catalogue) => gradeRunAt(input, catalogue, new FakeClock());

/** The snapshots of the Region with their tags. */
class FakeCatalogue {
  readonly tags = new Map<string, Record<string, string>>();
  readonly seen: SeenSnapshot[] = [];
  gradeTaggedAt = new Map<string, number>();
  calls = 0;

  add(startTime: string, prefix: string): this {
    for (const { volumeId } of run().volumes) {
      this.seen.push({ snapshotId: `${prefix}-${volumeId}`, volumeId, startTime, state: 'pending', tags: {} });
    }
    return this;
  }
  ofRun = async () => this.seen;
  tag = async (ids: readonly string[], tags: Record<string, string>) => {
    this.calls += 1;
    for (const id of ids) {
      this.tags.set(id, { ...this.tags.get(id), ...tags });
      if (tags['freezeframe:grade']) this.gradeTaggedAt.set(id, this.calls);
    }
  };
}

describe('Grade', () => {
  test('a set whose answer was lost is waited for, since EC2 shows it late', async () => {
    const catalogue = new FakeCatalogue();
    let looks = 0;
    catalogue.ofRun = async () => {
      looks += 1;
      return looks < 4 ? [] : catalogue.add('2026-11-22T03:00:12.000Z', `late${looks}`).seen;
    };
    const graded = await gradeRun(
      gradeInput({
        snapshots: undefined,
        frozen: undefined,
        thawed: undefined,
        unfrozenError: { Error: 'Lambda.Unknown' },
      }),
      catalogue,
    );
    assert.equal(graded.verdict.grade, 'crash');
    assert.equal(graded.snapshotIds.length, 3);
  });

  test('a set that is to be discarded is listed whole, strays and all, and the run has an error', async () => {
    const catalogue = new FakeCatalogue().add('2026-11-22T03:00:12.000Z', 'lost');
    const input = gradeInput({
      snapshots: takenSet({ whileFrozen: false }),
      policy: { ...run().policy, onDowngrade: 'discard' },
    });
    const graded = await gradeRun(input, catalogue);
    assert.equal(graded.verdict.keep, false);
    assert.equal(graded.snapshotIds.length, 6);
    assert.equal(graded.error?.Error, 'GradeMissedError');
  });

  test('a set whose answer was lost is found by its tag, graded crash, and not leaked', async () => {
    const catalogue = new FakeCatalogue().add('2026-11-22T03:00:12.000Z', 'lost');
    const graded = await gradeRun(
      gradeInput({ snapshots: undefined, error: { Error: 'SnapshotAnswerLostError' } }),
      catalogue,
    );
    assert.equal(graded.verdict.grade, 'crash');
    assert.equal(graded.snapshotIds.length, 3);
    assert.equal(catalogue.tags.get(`lost-${ROOT}`)?.['freezeframe:grade'], 'crash');
  });

  test('a second set of the run is taken out of the set, so that nobody restores from two at once', async () => {
    const catalogue = new FakeCatalogue().add('2026-11-22T03:00:10.000Z', 'a').add('2026-11-22T03:00:40.000Z', 'b');
    const graded = await gradeRun(gradeInput({ snapshots: undefined, error: { Error: 'X' } }), catalogue);
    assert.deepEqual(
      graded.snapshotIds,
      run().volumes.map(({ volumeId }) => `a-${volumeId}`),
    );
    assert.deepEqual(catalogue.tags.get(`b-${ROOT}`), {
      'freezeframe:set': `${RUN}-stray`,
      'freezeframe:grade': 'unproven',
    });
  });

  test('labels each snapshot with its volume and device, and the grade comes last', async () => {
    const catalogue = new FakeCatalogue();
    const graded = await gradeRun(gradeInput(), catalogue);
    assert.deepEqual(catalogue.tags.get('snap-00000000'), {
      'freezeframe:volume': ROOT,
      'freezeframe:device': '/dev/xvda',
      'freezeframe:devices': run()
        .volumes.map(({ device, volumeId }) => `${device}=${volumeId}`)
        .join(' '),
      'freezeframe:grade': 'application',
      'freezeframe:receipt': hashOf(graded.evidence),
      'freezeframe:window-ms': '4050',
    });
    assert.equal(catalogue.gradeTaggedAt.get('snap-00000000'), catalogue.calls);
    assert.equal(graded.error, undefined);
    assert.deepEqual(graded.progress, { checks: 0, waitSeconds: 15, completed: false, percent: 0 });
  });

  test('the evidence holds what the grade follows from', async () => {
    const { evidence } = await gradeRun(gradeInput(), new FakeCatalogue());
    const { instance, topology: seen, receipt: proof, snapshots } = evidence as Record<string, unknown>;
    assert.deepEqual([instance, seen, proof, snapshots], [INSTANCE, topology(), receipt(), takenSet().snapshots]);
  });

  test('with no thaw the receipt of Freeze is the evidence', async () => {
    const { evidence } = await gradeRun(gradeInput({ thawed: undefined }), new FakeCatalogue());
    assert.deepEqual((evidence as Record<string, unknown>).receipt, atFreeze(receipt()));
  });
});
