/**
 * Backups of Windows instances end to end: the synthesised definition, the Lambdas as they ship, AWS's documents by their
 * documented contract, and every call judged by the synthesised policies, those of the instance included.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import { SET_TAGS, STATES, USER_TAGS, VSS_DOCUMENTS } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import type { WindowsOptions, WindowsServer } from '../support/model-account.ts';

const { account, world, refused, judged } = await judgedAccount();

const grades = (run: Execution): string[] => [
  ...new Set(setOf(run).map(({ tags }) => tags.get(SET_TAGS.grade) ?? 'none')),
];

/** Snapshots that say that they are the run's set. */
const setOf = (run: Execution) =>
  account.snapshotsOf(run.name).filter(({ tags }) => tags.get(SET_TAGS.set) === run.name);

const vssCommands = ({ host }: WindowsServer) =>
  host.steps.filter(({ document }) => (Object.values(VSS_DOCUMENTS) as string[]).includes(document));

function assertRed(run: Execution, state: string, error: string, says: RegExp): void {
  assert.deepEqual([run.status, run.error], ['FAILED', error], run.cause);
  assert.equal(run.history.find(({ type }) => type === 'StateFailed')?.state, state);
  assert.match(run.cause ?? '', says);
}

/** One snapshot of each volume, and nothing else that claims to be of the set. */
function assertWhole(run: Execution, server: WindowsServer, volumes = server.volumes): void {
  assert.deepEqual(
    setOf(run)
      .map(({ volumeId }) => volumeId)
      .sort(),
    [...volumes].sort(),
  );
  // By which the prune tells a set from a part of one.
  for (const { tags } of setOf(run)) assert.equal(tags.get(SET_TAGS.members), String(volumes.length));
}

describe('Backup of a Windows instance', { concurrency: 3, timeout: 300_000 }, () => {
  describe('that goes well', { concurrency: 2 }, () => {
    const WELL: readonly (WindowsOptions & { title: string; grade: string; document: string })[] = [
      { title: 'with SQL Server', grade: 'application', document: VSS_DOCUMENTS.create },
      { title: 'as tagged', mode: 'vss', policy: 'strict', grade: 'application', document: VSS_DOCUMENTS.create },
      {
        title: 'without the components, which are installed first',
        facts: { components: '' },
        grade: 'application',
        document: VSS_DOCUMENTS.install,
      },
      {
        title: 'with components too old, which are replaced first',
        facts: { components: '2.1.0' },
        grade: 'application',
        document: VSS_DOCUMENTS.install,
      },
      {
        title: 'without an application',
        policy: 'files',
        facts: { sqlServers: [], services: [] },
        grade: 'filesystem',
        document: VSS_DOCUMENTS.create,
      },
    ];
    for (const { title, grade, document, ...launch } of WELL) {
      it(`${title} earns grade ${grade}: each snapshot was taken while Windows held writes, and is marked`, async () => {
        const server = account.launchWindows(launch);
        const run = await account.backup(server);
        assert.deepEqual([run.status, run.error], ['SUCCEEDED', undefined], run.cause);
        assertWhole(run, server);
        assert.deepEqual(grades(run), [grade]);
        assert.deepEqual(
          server.host.witnessed.map(({ held }) => held),
          [true],
        );
        for (const { tags, volumeId, state } of setOf(run)) {
          assert.equal(state, 'completed');
          assert.equal(tags.get('AppConsistent'), 'True');
          assert.deepEqual(
            [SET_TAGS.mode, SET_TAGS.instance, SET_TAGS.volume].map((key) => tags.get(key)),
            ['vss', server.id, volumeId],
          );
          assert.match(tags.get(SET_TAGS.device) ?? '', /xvd|sda1/);
        }
        assert.deepEqual(
          vssCommands(server).map((step) => step.document),
          [document],
        );
        assert.equal(vssCommands(server)[0]?.parameters.CopyOnly, 'True');
        assert.equal(account.evidenceOf(server, run.name)?.grade, grade);
      });
    }

    it('without the boot volume takes the others, and says so', async () => {
      const server = account.launchWindows();
      exclude(server.volumes[0] as string);
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assertWhole(run, server, server.volumes.slice(1));
      assert.deepEqual(grades(run), ['application']);
    });

    it('is judged by the marks: a command that fails after it has marked all is a set all the same', async () => {
      const server = account.launchWindows();
      server.host.trouble.failsAfterwards = 'the disk is full: no log was written';
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['application']);
    });

    it('a command whose answer was lost is found by its set', async () => {
      const server = account.launchWindows();
      world.faults.add({
        service: 'ssm',
        action: 'SendCommand',
        when: (input) => isVssFor(server)(input),
        fault: { kind: 'lostAnswer' },
      });
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['application']);
      assert.equal(vssCommands(server).length, 1);
      assertWhole(run, server);
    });

    it('a writer that recovers is given a second chance, and only the second set is the set', async () => {
      const server = account.launchWindows();
      let asked = 0;
      server.host.trouble.writerFails = () => {
        asked += 1;
        return asked === 1 ? '0x800423f3 (VSS_E_WRITERERROR_RETRYABLE)' : undefined;
      };
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal(vssCommands(server).length, 2);
      assert.deepEqual(grades(run), ['application']);
    });

    it('writes held too long at first: the unmarked set is no part of the one that is kept', async () => {
      const server = account.launchWindows();
      server.host.trouble.snapshotMs = 12_000;
      const run = account.start(server);
      await untilTries(run, server, 2);
      server.host.trouble.snapshotMs = 0;
      await run.ended;
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['application']);
      assertWhole(run, server);
      const strays = account.snapshotsOf(run.name).filter(({ tags }) => tags.get(SET_TAGS.set) !== run.name);
      assert.equal(strays.length, server.volumes.length);
      for (const { tags } of strays) assert.equal(tags.get(SET_TAGS.grade), 'unproven');
    });

    it('for a policy that wants no more than crash leaves VSS alone', async () => {
      const server = account.launchWindows({ policy: 'loose' });
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['crash']);
      assert.deepEqual(vssCommands(server), []);
    });
  });

  describe('that misses its grade ends red', { concurrency: 2 }, () => {
    interface Trouble extends WindowsOptions {
      readonly title: string;
      readonly state: string;
      readonly error: string;
      readonly says: RegExp;
      readonly make?: (server: WindowsServer) => void;
    }
    const { snapshotWithVss, checkVss } = STATES;
    const TROUBLES: readonly Trouble[] = [
      {
        title: 'a writer fails twice',
        state: checkVss,
        error: 'VssWriterFailedError',
        says: /vssadmin list writers/,
        make: ({ host }) => {
          host.trouble.writerFails = () => '0x800423f3';
        },
      },
      {
        title: 'a writer fails for good',
        state: checkVss,
        error: 'VssWriterFailedError',
        says: /0x800423f4/,
        make: ({ host }) => {
          host.trouble.writerFails = () => '0x800423f4';
        },
      },
      {
        title: 'Windows can never hold writes long enough',
        state: checkVss,
        error: 'VssTimeoutError',
        says: /less I\/O/,
        make: ({ host }) => {
          host.trouble.snapshotMs = 12_000;
        },
      },
      {
        title: 'VSS takes some volumes only',
        state: checkVss,
        error: 'VssSetPartialError',
        says: /2 of 3 volumes/,
        make: ({ host, volumes }) => {
          host.trouble.omits = [volumes[2] as string];
        },
      },
      {
        title: 'the components can not be installed',
        facts: { components: '' },
        state: checkVss,
        error: 'VssComponentsMissingError',
        says: /AWS-ConfigureAWSPackage/,
        make: ({ host }) => {
          host.trouble.installFails = true;
        },
      },
      {
        title: 'the role of the instance lacks the policy',
        role: false,
        state: checkVss,
        error: 'VssNotPermittedError',
        says: /Freezeframe-VssInstance/,
      },
      {
        title: 'the command never ends',
        state: checkVss,
        error: 'CommandTimeoutError',
        says: /took longer/,
        make: ({ host }) => {
          host.trouble.hang = () => 'before';
        },
      },
      {
        title: 'the type is too small for VSS',
        type: 't3.micro',
        state: snapshotWithVss,
        error: 'InstanceTooSmallError',
        says: /t3\.small or larger/,
      },
      {
        title: 'PowerShell is kept in a language mode of less',
        facts: { languageMode: 'ConstrainedLanguage' },
        state: snapshotWithVss,
        error: 'LanguageModeRestrictedError',
        says: /FullLanguage/,
      },
      {
        title: '.NET is too old',
        facts: { dotNetRelease: 379_893 },
        state: snapshotWithVss,
        error: 'DotNetTooOldError',
        says: /4\.6/,
      },
      {
        title: 'Windows is too old',
        facts: { build: 9_600 },
        state: snapshotWithVss,
        error: 'WindowsTooOldError',
        says: /2016/,
      },
    ];
    for (const { title, state, error, says, make, ...launch } of TROUBLES) {
      it(`with a set of grade crash, labelled so, when ${title} and the policy keeps`, async () => {
        const server = account.launchWindows({ policy: 'nightly', ...launch });
        make?.(server);
        const run = await account.backup(server);
        assertRed(run, state, error, says);
        assert.deepEqual(grades(run), ['crash']);
        assertWhole(run, server);
        assert.equal(account.evidenceOf(server, run.name)?.grade, 'crash');
        assert.equal(server.host.frozen, false);
      });
      it(`and leaves no snapshot when ${title} and the policy discards`, async () => {
        const server = account.launchWindows({ ...launch, policy: 'strict' });
        make?.(server);
        const run = await account.backup(server);
        assert.equal(run.status, 'FAILED', run.cause);
        assert.equal(run.error, error, run.cause);
        // What is known before is refused before.
        if (state === snapshotWithVss) assert.deepEqual(vssCommands(server), []);
        assert.deepEqual(account.snapshotsOn(server), []);
        assert.equal(server.host.frozen, false);
      });
    }

    it('when one of the snapshots lacks the mark, whatever the command says', async () => {
      const server = account.launchWindows();
      server.host.trouble.unmarked = [server.volumes[1] as string];
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError'], run.cause);
      assert.match(run.cause ?? '', new RegExp(`${server.volumes[1]} .*lacks the tag AppConsistent`));
      assert.deepEqual(grades(run), ['crash']);
      assertWhole(run, server);
    });

    it('when an application has no writer', async () => {
      const server = account.launchWindows({
        facts: { services: [{ name: 'MySQL80', path: 'D:\\MySQL\\mysqld.exe' }], sqlServers: [] },
      });
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError'], run.cause);
      assert.match(run.cause ?? '', /it has no VSS writer/);
      assert.deepEqual(grades(run), ['filesystem']);
    });
  });

  describe('is refused by name, before anything is taken', { concurrency: 2 }, () => {
    interface Refusal extends WindowsOptions {
      readonly title: string;
      readonly error: string;
      readonly says: RegExp;
      readonly make?: (server: WindowsServer) => void;
    }
    const REFUSALS: readonly Refusal[] = [
      {
        title: 'a mode of Linux',
        mode: 'fs-freeze',
        error: 'BadTagError',
        says: /on Windows it may be auto, vss, crash/,
      },
      {
        title: 'a Dynamic Disk that is missing',
        facts: { dynamicMissing: 1 },
        error: 'GroupPartialError',
        says: /Dynamic Disks are missing/,
      },
      {
        title: 'a storage pool that is not healthy',
        facts: { pools: [{ name: 'Pool', id: 'p', health: 'Warning', disks: [1, 2], spaces: [3] }] },
        error: 'ArrayDegradedError',
        says: /storage pool Pool is Warning/,
      },
      {
        title: 'a Dynamic Disk that is left out',
        error: 'MemberExcludedError',
        says: /take the tag off/,
        make: ({ volumes }) => exclude(volumes[1] as string),
      },
      {
        title: 'all Dynamic Disks left out, which VSS can not do',
        facts: { sqlServers: [], services: [] },
        policy: 'files',
        error: 'ExcludeNotPossibleError',
        says: /VSS takes every volume/,
        make: ({ volumes }) => volumes.slice(1).forEach(exclude),
      },
      {
        title: 'an agent too old',
        error: 'AgentTooOldError',
        says: /AWS-UpdateSSMAgent/,
        make: ({ host }) => {
          host.version = '3.0.502.0';
        },
      },
      {
        title: 'a grade that can not be earned, when nothing less is wanted',
        policy: 'strict',
        facts: { sqlServers: [], services: [] },
        error: 'GradeOutOfReachError',
        says: /no application was found/,
      },
    ];
    for (const { title, error, says, make, ...launch } of REFUSALS) {
      it(title, async () => {
        const server = account.launchWindows(launch);
        make?.(server);
        const run = await account.backup(server);
        assertRed(run, STATES.inspect, error, says);
        assert.deepEqual(account.snapshotsOn(server), []);
        assert.deepEqual(vssCommands(server), []);
      });
    }
  });
});

it('every call that was made is one that the synthesised policies allow, but for the role that was meant to lack it', () => {
  assert.deepEqual(
    refused.filter((each) => !each.includes('ec2:CreateSnapshots') || !each.startsWith('i-')),
    [],
  );
  for (const call of ['ssm:SendCommand', 'ssm:ListCommandInvocations', 'ec2:CreateSnapshots', 'ec2:CreateTags']) {
    assert.ok(judged.has(call), call);
  }
});

function exclude(volumeId: string): void {
  world.ec2.volumes.find(volumeId).tags.set(USER_TAGS.exclude, 'true');
}

function isVssFor({ id }: WindowsServer): (input: unknown) => boolean {
  return (input) => {
    const { DocumentName = '', InstanceIds = [] } = input as { DocumentName?: string; InstanceIds?: string[] };
    return DocumentName.startsWith('AWSEC2-') && InstanceIds.includes(id);
  };
}

async function untilTries(run: Execution, server: WindowsServer, tries: number): Promise<void> {
  while (run.status === 'RUNNING' && vssCommands(server).length < tries)
    await new Promise((resolve) => setTimeout(resolve, 5));
}
