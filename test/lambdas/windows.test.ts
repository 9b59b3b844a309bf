/** Windows: what is made of a host's facts, what is decided on them, what is asked of VSS, what becomes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkVss, decide, type SeenCommand } from '../../lambdas/check-vss/check-vss.ts';
import { vssFailure } from '../../lambdas/check-vss/vss-failure.ts';
import { errorOf, grade } from '../../lambdas/grade/grade.ts';
import { findSet } from '../../lambdas/grade/label-set.ts';
import { chooseVss } from '../../lambdas/inspect-host/choose-vss.ts';
import { windowsTopology } from '../../lambdas/inspect-host/windows-topology.ts';
import {
  CheckVssInput,
  type GradeInput,
  InspectAnswer,
  type Run,
  type VssCommand,
  type WindowsAnswer,
} from '../../lambdas/shared/contracts.ts';
import type { SeenSnapshot } from '../../lambdas/shared/found-set.ts';
import { SET_TAGS, VSS_DOCUMENTS, VSS_TAGS } from '../../lambdas/shared/names.ts';
import { snapshotWithVss, vssParameters } from '../../lambdas/snapshot-with-vss/snapshot-with-vss.ts';
import { windowsAnswer } from '../support/model-windows.ts';
import { DATA_1, DATA_2, NOW, ROOT, RUN, run } from './builders.ts';
import { awsError, FakeClock, FakeSsm, failure } from './fakes.ts';

const VOLUMES = [ROOT, DATA_1, DATA_2];
const answer = (changes: Partial<WindowsAnswer> = {}) => windowsAnswer(VOLUMES, changes);
const seenAs = (changes: Partial<WindowsAnswer> = {}, wanted = 'auto') => windowsTopology(answer(changes), wanted);

describe('a Windows host as every other one', () => {
  test('is a topology of the contract', () => assert.ok(InspectAnswer.safeParse(seenAs()).success));

  test('EBS volumes are told by their serial, as Windows writes it', () =>
    assert.deepEqual(
      seenAs().disks.map(({ kind, volumeId }) => [kind, volumeId]),
      VOLUMES.map((volumeId) => ['ebs', volumeId]),
    ));

  const disk = answer().disks[0] as WindowsAnswer['disks'][number];
  const disks: readonly (readonly [WindowsAnswer['disks'][number], kind: string, name: string])[] = [
    [{ ...disk, serial: 'AWS1A2B3C4D5E6F_00000001.' }, 'instance-store', 'disk0'],
    [{ ...disk, serial: '', model: 'Amazon EC2 NVMe Instance Storage' }, 'instance-store', 'disk0'],
    [{ ...disk, serial: '', model: 'AWS PVDISK SCSI Disk Device', target: 0 }, 'unknown', 'xvda'],
    [{ ...disk, serial: '', model: 'AWS PVDISK SCSI Disk Device', target: 5 }, 'unknown', 'xvdf'],
    [{ ...disk, serial: '', model: 'AWS PVDISK SCSI Disk Device', target: 25 }, 'unknown', 'xvdz'],
    [{ ...disk, serial: '', model: 'AWS PVDISK SCSI Disk Device', target: 28 }, 'unknown', 'xvdac'],
    [{ ...disk, serial: '', model: 'AWS PVDISK SCSI Disk Device', target: 53 }, 'unknown', 'xvdbb'],
    [{ ...disk, serial: '', model: 'Msft Virtual Disk', target: -1 }, 'unknown', 'disk0'],
  ];
  for (const [each, kind, name] of disks) {
    test(`${each.model} ${each.serial} of target ${each.target} is ${kind} ${name}`, () => {
      const [found] = seenAs({ disks: [each] }).disks;
      assert.deepEqual([found?.kind, found?.name], [kind, name]);
    });
  }

  test('Dynamic Disks are one array, and a volume that names no disk lies on all of them', () => {
    const { arrays, filesystems } = seenAs();
    assert.deepEqual(
      arrays.map(({ level, disks: members }) => [level, members]),
      [['dynamic', ['disk1', 'disk2']]],
    );
    assert.deepEqual(filesystems.find(({ mount }) => mount === 'D:\\')?.disks, ['disk1', 'disk2']);
  });

  test('a virtual disk stands for the members of its pool', () => {
    const { arrays, filesystems } = seenAs({
      disks: answer().disks.map((each) => ({ ...each, dynamic: false })),
      volumes: [{ mount: 'E:\\', guid: 'g', type: 'ReFS', disks: [7] }],
      pools: [{ name: 'Pool', id: 'p', health: 'Healthy', disks: [1, 2], spaces: [7] }],
    });
    assert.deepEqual(
      arrays.map(({ name, disks: members }) => [name, members]),
      [['Pool', ['disk1', 'disk2']]],
    );
    assert.deepEqual(filesystems[0]?.disks, ['disk1', 'disk2']);
  });

  test('what VSS does not cover is named', () => {
    const { windows } = seenAs({
      volumes: [...answer().volumes, { mount: 'F:\\', guid: 'f', type: 'FAT32', disks: [1] }],
      services: [...answer().services, { name: 'postgresql-x64-16', path: 'D:\\pg\\bin\\pg_ctl.exe' }],
    });
    assert.equal(windows?.uncovered.length, 2);
    assert.match(windows?.uncovered.join(), /F:\\: VSS does not quiet FAT32.*PostgreSQL .*no VSS writer/);
  });

  const apps: readonly (readonly [what: string, changes: Partial<WindowsAnswer>, driver: string, ready: boolean])[] = [
    ['SQL Server with its writer', {}, 'sqlserver', true],
    ['SQL Server without its writer', { writers: [] }, 'sqlserver', false],
    [
      'a named instance of SQL Server',
      {
        services: [{ name: 'MSSQL$PAY', path: '' }],
        sqlServers: [{ name: 'PAY', version: '15', dataDir: 'D:\\x' }],
      },
      'sqlserver',
      true,
    ],
    [
      'Exchange with its writer',
      {
        services: [{ name: 'MSExchangeIS', path: '' }],
        writers: [{ name: 'Microsoft Exchange Writer', state: 1, error: '' }],
      },
      'exchange',
      true,
    ],
    ['Exchange without', { services: [{ name: 'MSExchangeIS', path: '' }] }, 'exchange', false],
    [
      'SharePoint with its writer',
      {
        services: [{ name: 'SPTimerV4', path: '' }],
        writers: [{ name: 'SharePoint Services Writer', state: 1, error: '' }],
      },
      'sharepoint',
      true,
    ],
    [
      'a domain controller',
      { services: [{ name: 'NTDS', path: '' }], writers: [{ name: 'NTDS', state: 1, error: '' }] },
      'ntds',
      true,
    ],
    ['MongoDB, which has no writer', { services: [{ name: 'MongoDB', path: 'D:\\m.exe' }] }, 'mongodb', false],
  ];
  for (const [what, changes, driver, ready] of apps) {
    test(`${what} is found, and is ${ready ? '' : 'not '}ready`, () =>
      assert.deepEqual(
        seenAs(changes).apps.map((app) => [app.driver, app.ready]),
        [[driver, ready]],
      ));
  }

  test('SQL Server lies where its data directory does', () => assert.deepEqual(seenAs().apps[0]?.mounts, ['D:\\']));
  test('an instance of SQL Server that does not run is not spoken of', () =>
    assert.deepEqual(seenAs({ services: [] }).apps, []));
  test('applications that are not wanted are left out', () => {
    assert.deepEqual(seenAs({}, 'none').apps, []);
    assert.equal(seenAs({}, 'exchange,sqlserver').apps.length, 1);
  });
});

describe('what Windows can earn', () => {
  const facts = (changes: Partial<WindowsAnswer> = {}, instanceType = 'm7i.large') => ({
    ...answer(changes),
    instanceType,
  });
  type Row = [
    rule: string,
    changes: Partial<WindowsAnswer>,
    wish: { mode?: 'auto' | 'vss' | 'crash'; wanted?: 'application' | 'filesystem' | 'crash'; type?: string },
    is: [mode: string, expected: string, fault?: string],
  ];
  const rows: Row[] = [
    ['SQL Server with its writer', {}, {}, ['vss', 'application']],
    ['as tagged', {}, { mode: 'vss' }, ['vss', 'application']],
    ['VSS as tagged, though the policy wants less', {}, { mode: 'vss', wanted: 'crash' }, ['vss', 'application']],
    ['crash as tagged', {}, { mode: 'crash' }, ['crash', 'crash']],
    ['a policy that wants no more than crash', {}, { wanted: 'crash' }, ['crash', 'crash']],
    ['no application', { services: [], sqlServers: [] }, {}, ['vss', 'filesystem']],
    ['an application without a writer', { writers: [] }, {}, ['vss', 'filesystem']],
    ['a type too small', {}, { type: 't2.nano' }, ['vss', 'crash', 'InstanceTooSmall']],
    ['another type too small', {}, { type: 't3a.micro' }, ['vss', 'crash', 'InstanceTooSmall']],
    ['a small type that is large enough', {}, { type: 't3.small' }, ['vss', 'application']],
    ['Windows Server 2012 R2', { build: 9600 }, {}, ['vss', 'crash', 'WindowsTooOld']],
    ['Windows Server 2016', { build: 14_393 }, {}, ['vss', 'application']],
    [
      'a language mode of less',
      { languageMode: 'ConstrainedLanguage' },
      {},
      ['vss', 'crash', 'LanguageModeRestricted'],
    ],
    ['.NET 4.5.2', { dotNetRelease: 379_893 }, {}, ['vss', 'crash', 'DotNetTooOld']],
    ['no .NET 4 at all', { dotNetRelease: 0 }, {}, ['vss', 'crash', 'DotNetTooOld']],
  ];
  for (const [rule, changes, { mode = 'auto', wanted = 'application', type }, expected] of rows) {
    test(`${rule}: ${expected.join(' ')}`, () => {
      const choice = chooseVss(seenAs(changes), facts(changes, type), { wanted, mode, apps: 'auto' });
      assert.deepEqual([choice.mode, choice.expected, choice.vss?.fault?.code].slice(0, expected.length), expected);
      if (expected[2] === undefined) assert.equal(choice.vss?.fault ?? null, null);
    });
  }

  test('a writer that has failed before is named, with its state, and one that is at work is not', () => {
    const writers = [
      { name: 'SqlServerWriter', state: 8, error: 'Non-retryable error' },
      { name: 'System Writer', state: 5, error: 'No error' },
    ];
    const { why, expected } = chooseVss(seenAs({ writers }), facts(), {
      wanted: 'application',
      mode: 'auto',
      apps: 'auto',
    });
    assert.match(why, /SqlServerWriter has failed before \(state 8: Non-retryable error\)/);
    assert.doesNotMatch(why, /System Writer/);
    // It often recovers when VSS asks it anew.
    assert.equal(expected, 'application');
  });

  const components: readonly (readonly [version: string, install: boolean, saveMetadata: boolean])[] = [
    ['', true, false],
    ['2.1.0', true, false],
    ['2.3.0', true, false],
    ['2.3.1', false, false],
    ['2.4.0', false, true],
    ['2.10.0', false, true],
    ['nonsense', true, false],
  ];
  for (const [version, install, saveMetadata] of components) {
    test(`components ${version || 'missing'}: ${install ? 'installed first' : 'used as they are'}`, () => {
      const { vss } = chooseVss(seenAs(), facts({ components: version }), {
        wanted: 'application',
        mode: 'auto',
        apps: 'auto',
      });
      assert.deepEqual([vss?.install, vss?.saveMetadata], [install, saveMetadata]);
    });
  }
});

const windowsRun = (changes: Partial<Run> = {}): Run =>
  run({
    mode: 'vss',
    apps: ['sqlserver'],
    topology: seenAs(),
    vss: { install: false, saveMetadata: false, fault: null },
    ...changes,
  });

describe('Snapshot with VSS', () => {
  const world = () => {
    const clock = new FakeClock();
    return { clock, ssm: new FakeSsm(clock) };
  };

  test('asks with the tags of the run, as unproven, and leaves the chains of other backups alone', () => {
    const parameters = vssParameters(windowsRun({ excludeBoot: true }));
    assert.deepEqual([parameters.CopyOnly, parameters.ExcludeBootVolume], ['True', 'True']);
    assert.match(parameters.tags ?? '', new RegExp(`Key=${SET_TAGS.run},Value=${RUN}(;|$)`));
    assert.match(parameters.tags ?? '', /Key=freezeframe:grade,Value=unproven/);
  });

  test('asks with no reserved tag and no character that AWS refuses', () => {
    const { tags = '', description = '' } = vssParameters(windowsRun());
    for (const reserved of Object.values(VSS_TAGS)) assert.ok(!tags.includes(`Key=${reserved},`), reserved);
    for (const tag of tags.split(';')) assert.match(tag, /^Key=[\w() ./\\\-"'@+:={}]+,Value=[\w() ./\\\-"'@+:={}]+$/);
    assert.match(description, /^[\w -]+$/);
  });

  test('comes back as soon as it is sent', async () => {
    const { clock, ssm } = world();
    const sent = await snapshotWithVss(windowsRun(), ssm.next({}), clock);
    assert.deepEqual([sent.outcome, sent.tries, sent.sentAt], ['underway', 1, NOW]);
    assert.equal(ssm.first.document, VSS_DOCUMENTS.create);
    assert.equal(ssm.first.pinned, undefined);
  });

  test('installs the components where they are missing', async () => {
    const { clock, ssm } = world();
    await snapshotWithVss(
      windowsRun({ vss: { install: true, saveMetadata: false, fault: null } }),
      ssm.next({}),
      clock,
    );
    assert.equal(ssm.first.document, VSS_DOCUMENTS.install);
  });

  test('sends nothing where VSS is known not to work, and ends with the name of it', async () => {
    const { clock, ssm } = world();
    const fault = { code: 'DotNetTooOld', message: 'install 4.8' };
    const error = await failure(
      snapshotWithVss(windowsRun({ vss: { install: false, saveMetadata: false, fault } }), ssm, clock),
    );
    assert.deepEqual([error.name, error.message], ['DotNetTooOldError', 'install 4.8']);
    assert.deepEqual(ssm.sent, []);
  });

  test('waits before its second try until EC2 takes snapshots again, and knows no third', async () => {
    const { clock, ssm } = world();
    const first = await snapshotWithVss(windowsRun(), ssm.next({}), clock);
    const second = await snapshotWithVss({ ...windowsRun(), vssCommand: first }, ssm.next({}), clock);
    assert.equal(second.tries, 2);
    assert.ok(second.sentAt - first.sentAt >= 15_000);
    const third = await failure(snapshotWithVss({ ...windowsRun(), vssCommand: second }, ssm.next({}), clock));
    assert.match(third.message, /2 times already/);
  });

  test('an answer that was lost is not sent again: the set is looked for', async () => {
    const { clock, ssm } = world();
    const sent = await snapshotWithVss(windowsRun(), ssm.next(awsError('TimeoutError', null)), clock);
    assert.deepEqual([sent.commandId, sent.outcome, ssm.sent.length], ['', 'underway', 1]);
  });

  test('a request that was refused is no command', async () => {
    const { clock, ssm } = world();
    const error = await failure(snapshotWithVss(windowsRun(), ssm.next(awsError('InvalidInstanceId')), clock));
    assert.equal(error.name, 'AgentOfflineError');
  });
});

const START = '2026-11-22T03:00:12.000Z';
const LATER = '2026-11-22T03:00:52.000Z';
/** One request's snapshots; those of `marked` bear the mark of VSS. */
const taken = (volumes: readonly string[], marked: readonly string[], startTime = START): SeenSnapshot[] =>
  volumes.map((volumeId) => ({
    snapshotId: `snap-${startTime.slice(17, 19)}-${volumeId}`,
    volumeId,
    startTime,
    state: 'pending',
    tags: marked.includes(volumeId) ? { [VSS_TAGS.consistent]: 'True' } : {},
  }));

describe('Check VSS', () => {
  const sent = (changes: Partial<VssCommand> = {}): VssCommand => ({
    document: VSS_DOCUMENTS.create,
    commandId: 'command-1',
    sentAt: NOW,
    tries: 1,
    waitSeconds: 20,
    outcome: 'underway',
    looks: 3,
    ...changes,
  });
  const underway: SeenCommand = { details: 'InProgress', output: '' };
  const success: SeenCommand = { details: 'Success', output: 'fine' };
  const failed = (output: string): SeenCommand => ({ details: 'Failed', output });
  const at = (seconds: number) => NOW + seconds * 1_000;

  type Row = [
    rule: string,
    command: SeenCommand | undefined,
    seen: SeenSnapshot[],
    seconds: number,
    is: string,
    changes?: Partial<VssCommand>,
  ];
  const all = taken(VOLUMES, VOLUMES);
  const none = taken(VOLUMES, []);
  const rows: Row[] = [
    ['the command is on its way', underway, [], 20, 'underway'],
    ['SSM does not know the command yet', undefined, [], 20, 'underway'],
    ['the set is there and its marks are not, yet', underway, none, 20, 'underway'],
    ['all is marked, while the command still runs', underway, all, 20, 'taken'],
    ['all is marked, and the command failed', failed('0x800423f4'), all, 20, 'taken'],
    ['all is marked, and the command was never heard of', undefined, all, 20, 'taken', { commandId: '' }],
    ['the command ended well and its set does not show yet', success, [], 20, 'underway', { looks: 0 }],
    ['the command ended well and a mark is missing', success, taken(VOLUMES, [ROOT, DATA_1]), 20, 'taken'],
    ['the command ended well and no mark is there', success, none, 20, 'taken'],
    ['the command ended well and took nothing', success, [], 20, 'VssFailedError'],
    ['a partial set', success, taken([ROOT, DATA_1], [ROOT, DATA_1]), 20, 'VssSetPartialError'],
    [
      'two halves of two requests make no set',
      success,
      [...taken([ROOT], [ROOT]), ...taken([DATA_1, DATA_2], [DATA_1, DATA_2], LATER)],
      20,
      'VssSetPartialError',
    ],
    ['a writer that may recover', failed('0x800423f3'), [], 20, 'again'],
    ['a writer that failed again', failed('0x800423f3'), [], 20, 'VssWriterFailedError', { tries: 2 }],
    ['a writer that failed for good', failed('0x800423F4'), [], 20, 'VssWriterFailedError'],
    ['writes held too long', failed('Thaw pipe connection timed out'), none, 20, 'again'],
    ['writes held too long again', failed('error 0x80042314'), none, 20, 'VssTimeoutError', { tries: 2 }],
    ['another shadow copy', failed('0x80042316'), [], 20, 'again'],
    ['no permission', failed('You are not authorized to perform this operation'), [], 20, 'VssNotPermittedError'],
    ['no components', failed("'ec2-vss-agent.exe' is not recognized"), [], 20, 'VssComponentsMissingError'],
    ['an unknown end', failed('what?'), [], 20, 'VssFailedError'],
    ['a failed command whose set may still show', failed('what?'), [], 20, 'underway', { looks: 2 }],
    ['patience is over', underway, none, 391, 'HostSilentError'],
    ['patience is not yet over', underway, none, 389, 'underway'],
    ['an installation takes longer', underway, [], 900, 'underway', { document: VSS_DOCUMENTS.install }],
    ['but not for ever', underway, [], 991, 'HostSilentError', { document: VSS_DOCUMENTS.install }],
    ['a command without an id is not waited for longer', undefined, [], 391, 'HostSilentError', { commandId: '' }],
    ['killed by the agent', { details: 'ExecutionTimedOut', output: '' }, [], 320, 'CommandTimeoutError'],
    ['never delivered', { details: 'DeliveryTimedOut', output: '' }, [], 60, 'AgentOfflineError'],
    ['cancelled', { details: 'Cancelled', output: '' }, [], 60, 'CommandCancelledError'],
  ];
  for (const [rule, command, seen, seconds, expected, changes] of rows) {
    test(`${rule}: ${expected}`, () => {
      const outcome = () => decide({ ...windowsRun(), vssCommand: sent(changes) }, command, seen, at(seconds));
      if (expected.endsWith('Error')) assert.throws(outcome, { name: expected });
      else assert.equal(outcome().outcome, expected);
    });
  }

  test('a set of which a snapshot has failed is not whole', () => {
    const broken = all.map((each, index) => (index ? each : { ...each, state: 'error' }));
    assert.equal(decide({ ...windowsRun(), vssCommand: sent() }, underway, broken, at(20)).outcome, 'underway');
  });

  test('looks are further and further apart, up to a minute', () => {
    const command = decide({ ...windowsRun(), vssCommand: sent({ waitSeconds: 50 }) }, underway, [], at(20));
    assert.equal(command.waitSeconds, 60);
  });

  test('a command without an id is not asked for', async () => {
    const outlook = {
      command: async () => assert.fail('asked for no command'),
      ofRun: async () => all,
    };
    const input = { ...windowsRun(), vssCommand: sent({ commandId: '' }) };
    assert.equal((await checkVss(input, outlook, new FakeClock())).outcome, 'taken');
  });

  test('its input is one of the contract', () =>
    assert.ok(CheckVssInput.safeParse({ ...windowsRun(), vssCommand: sent() }).success));

  test('an error says what AWS’s document said', () =>
    assert.match(vssFailure('x', 'Failed', 'first\nlast words').message, /last words/));
});

describe('the grade of a set of VSS', () => {
  const input = (changes: Partial<GradeInput> = {}): GradeInput => ({ ...windowsRun(), ...changes });
  const judged = async (given: GradeInput, seen: SeenSnapshot[]) => {
    const found = await findSet(given, { ofRun: async () => seen }, new FakeClock());
    return { ...found, verdict: grade(given, found.set, found.consistent) };
  };
  const late = { Error: 'VssTimeoutError', Cause: '{"errorMessage":"too slow"}' };
  type Row = [rule: string, given: GradeInput, seen: SeenSnapshot[], earned: string | null, reason?: RegExp];
  const rows: Row[] = [
    ['each snapshot is marked', input(), taken(VOLUMES, VOLUMES), 'application'],
    [
      'one of three is not marked',
      input(),
      taken(VOLUMES, [ROOT, DATA_2]),
      'crash',
      new RegExp(`${DATA_1}.*AppConsistent`),
    ],
    ['none is marked', input(), taken(VOLUMES, []), 'crash', /no snapshot bears the tag AppConsistent/],
    ['VSS timed out and left its set', input({ error: late }), taken(VOLUMES, []), 'crash', /VSS did not take the set/],
    ['one volume is missing', input(), taken([ROOT, DATA_1], [ROOT, DATA_1]), null, new RegExp(`${DATA_2}.*missing`)],
    ['nothing was taken', input({ error: late }), [], null, /no snapshots/],
    [
      'a set that was taken in place of VSS',
      input({ error: late, snapshots: { ...setOf(taken(VOLUMES, [])), whileFrozen: false } }),
      taken(VOLUMES, []),
      'crash',
    ],
    [
      'no application',
      input({ topology: seenAs({ services: [], sqlServers: [] }) }),
      taken(VOLUMES, VOLUMES),
      'filesystem',
      /no application was found/,
    ],
    [
      'an application without a writer',
      input({ topology: seenAs({ writers: [] }) }),
      taken(VOLUMES, VOLUMES),
      'filesystem',
      /SqlServerWriter/,
    ],
  ];
  for (const [rule, given, seen, earned, reason] of rows) {
    test(`${rule}: ${earned ?? 'no set'}`, async () => {
      const { verdict } = await judged(given, seen);
      assert.equal(verdict.grade, earned, verdict.reasons.join('; '));
      if (reason) assert.match(verdict.reasons.join('; '), reason);
    });
  }

  test('the mark is told in any case of letters', async () => {
    const seen = taken(VOLUMES, []).map((each) => ({ ...each, tags: { [VSS_TAGS.consistent]: 'true' } }));
    assert.equal((await judged(input(), seen)).verdict.grade, 'application');
  });

  test('of two requests the one that VSS vouches for is the set, and the other a stray', async () => {
    const [first, second] = [taken(VOLUMES, []), taken(VOLUMES, VOLUMES, LATER)];
    const { set, strays, verdict } = await judged(input(), [...first, ...second]);
    assert.deepEqual(set?.snapshots.map(({ snapshotId }) => snapshotId).sort(), second.map((s) => s.snapshotId).sort());
    assert.deepEqual(strays.sort(), first.map(({ snapshotId }) => snapshotId).sort());
    assert.equal(verdict.grade, 'application');
  });

  test('marks of a Linux run prove nothing', async () => {
    const given = { ...input(), mode: 'crash' } as const;
    assert.equal((await judged(given, taken(VOLUMES, VOLUMES))).verdict.grade, 'crash');
  });

  test('a set that bears all marks is kept as what it is, in a run that is red for another reason', async () => {
    const given = input({ error: { Error: 'HostSilentError', Cause: '{"errorMessage":"silent"}' } });
    const { verdict } = await judged(given, taken(VOLUMES, VOLUMES));
    assert.equal(verdict.grade, 'application');
    assert.equal(errorOf(given, verdict)?.Error, 'HostSilentError');
  });
});

function setOf(seen: readonly SeenSnapshot[]) {
  return {
    startTime: START,
    snapshots: seen.map(({ snapshotId, volumeId }) => ({ snapshotId, volumeId })),
    requestedAt: NOW,
    answeredAt: NOW,
  };
}
