/**
 * The Backup workflow end to end: the synthesised definition, the Lambdas as they ship, hosts that keep the contract, and
 * every call judged by the synthesised policies. Each test says what the world must be like afterwards.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import { hashOf } from '../../lambdas/shared/canonical.ts';
import { SET_TAGS, STATES, USER_TAGS } from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import type { LaunchOptions, Server } from '../support/model-account.ts';

const { account, world, refused, judged } = await judgedAccount();

const grades = (run: Execution): string[] => [
  ...new Set(account.snapshotsOf(run.name).map(({ tags }) => tags.get(SET_TAGS.grade) ?? 'none')),
];

/** Nothing of a run is on its host: neither frozen file systems nor locks nor LVM snapshots. */
function assertReleased({ host }: Server): void {
  const { filesystems, apps, lvmSnapshots } = host.held;
  assert.deepEqual({ filesystems, apps, lvmSnapshots }, { filesystems: [], apps: [], lvmSnapshots: [] });
  assert.equal(host.frozen, false);
}

/** The run ended red in the state, with the error by this name, which tells a person what to do. */
function assertRed(run: Execution, state: string, error: string, says: RegExp): void {
  assert.deepEqual([run.status, run.error], ['FAILED', error], run.cause);
  assert.equal(run.history.find(({ type }) => type === 'StateFailed')?.state, state);
  assert.match(run.cause ?? '', says);
}

// Runs spend their time waiting, so many go on side by side, each on a server of its own.
describe('Backup', { concurrency: 5, timeout: 180_000 }, () => {
  describe('a backup that goes well', { concurrency: 2 }, () => {
    const MODES = [
      { mode: 'lvm-snapshot', policy: 'nightly', grade: 'application' },
      { mode: 'fs-freeze', policy: 'strict', grade: 'application' },
      { mode: 'app-only', policy: 'nightly', grade: 'application' },
      { mode: 'auto', policy: 'strict', grade: 'application' },
      { mode: 'fs-freeze', policy: 'files', grade: 'filesystem' },
      { mode: 'lvm-snapshot', policy: 'files', grade: 'filesystem' },
      { mode: 'crash', policy: 'loose', grade: 'crash' },
      { mode: 'auto', policy: 'loose', grade: 'crash' },
    ];
    for (const { mode, policy, grade } of MODES) {
      it(`in mode ${mode} for policy ${policy} earns grade ${grade}, tagged on a whole set and stored`, async () => {
        const server = account.launch({ mode, policy });
        const run = await account.backup(server);
        assert.deepEqual([run.status, run.error], ['SUCCEEDED', undefined], run.cause);

        const set = account.snapshotsOf(run.name);
        assert.deepEqual(set.map(({ volumeId }) => volumeId).sort(), [...server.volumes].sort());
        assert.deepEqual(grades(run), [grade]);
        for (const { tags, volumeId, state } of set) {
          assert.equal(state, 'completed');
          assert.deepEqual(
            [SET_TAGS.set, SET_TAGS.policy, SET_TAGS.instance, SET_TAGS.volume].map((key) => tags.get(key)),
            [run.name, policy, server.id, volumeId],
          );
          assert.match(tags.get(SET_TAGS.device) ?? '', /^\/dev\//);
        }
        const evidence = account.evidenceOf(server, run.name);
        assert.deepEqual([evidence?.grade, evidence?.error], [grade, null]);
        assert.deepEqual(
          evidence?.snapshots.map(({ snapshotId }) => snapshotId).sort(),
          set.map(({ id }) => id).sort(),
        );
        assert.equal(evidence?.receipt?.run, grade === 'crash' ? undefined : run.name);
        assertReleased(server);
      });
    }

    it('freezes a host only for as long as the set takes', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const run = await account.backup(server);
      const windowMs = Number(account.snapshotsOf(run.name)[0]?.tags.get(SET_TAGS.windowMs));
      assert.ok(windowMs > 0 && windowMs < 15_000, `${windowMs} ms`);
      assert.ok(server.host.witnessed.every(({ filesystems }) => filesystems.length > 0));
      assert.deepEqual(server.host.catalogue, [{ run: run.name, successful: true }]);
    });
  });

  describe('a run that misses its grade ends red', { concurrency: 2 }, () => {
    const TROUBLES: readonly { title: string; mode: string; trouble: Server['host']['trouble']; grade: string }[] = [
      { title: 'a lock was lost', mode: 'fs-freeze', trouble: { lostLocks: ['mysql'] }, grade: 'filesystem' },
      {
        title: 'a file system was thawed by somebody else',
        mode: 'fs-freeze',
        trouble: { meltedMounts: ['/srv/data'] },
        grade: 'crash',
      },
      { title: 'an LVM snapshot overflowed', mode: 'lvm-snapshot', trouble: { lvmOverflow: true }, grade: 'crash' },
      { title: 'a lock was lost', mode: 'app-only', trouble: { lostLocks: ['mysql'] }, grade: 'crash' },
    ];
    for (const { title, mode, trouble, grade } of TROUBLES) {
      it(`and keeps the set as ${grade} when ${title} in mode ${mode} and the policy keeps`, async () => {
        const server = account.launch({ mode, policy: 'nightly' });
        Object.assign(server.host.trouble, trouble);
        const run = await account.backup(server);
        assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError'], run.cause);
        assert.deepEqual(grades(run), [grade]);
        assert.equal(account.snapshotsOf(run.name).length, server.volumes.length);
        assert.equal(account.evidenceOf(server, run.name)?.grade, grade);
        assertReleased(server);
      });
      it(`and leaves no snapshot when ${title} in mode ${mode} and the policy discards`, async () => {
        const server = account.launch({ mode, policy: 'strict' });
        Object.assign(server.host.trouble, trouble);
        const run = await account.backup(server);
        assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError'], run.cause);
        assert.deepEqual(account.snapshotsOn(server), []);
        assertReleased(server);
      });
    }

    it('when the holder of the freeze died while the set was taken', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const before = server.disks.onSnapshot;
      server.disks.onSnapshot = async (...taken) => {
        await before(...taken);
        server.host.killHolder();
      };
      const run = await account.backup(server);
      assert.equal(run.error, 'GradeMissedError');
      assert.match(run.cause ?? '', /watchdog/);
      assert.deepEqual(grades(run), ['crash']);
      assertReleased(server);
    });

    it('when a write came through while the host was frozen', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const before = server.disks.onSnapshot;
      server.disks.onSnapshot = async (...taken) => {
        await before(...taken);
        server.host.writeWhileFrozen();
      };
      const run = await account.backup(server);
      assert.equal(run.error, 'GradeMissedError');
      assert.match(run.cause ?? '', /sectors of .* were written/);
      assert.deepEqual(grades(run), ['crash']);
    });

    it('when the host rebooted while it was frozen', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const before = server.disks.onSnapshot;
      server.disks.onSnapshot = async (...taken) => {
        await before(...taken);
        server.host.reboot();
      };
      const run = await account.backup(server);
      assert.equal(run.error, 'GradeMissedError');
      assert.deepEqual(grades(run), ['crash']);
      assertReleased(server);
    });
  });

  it('a stopped instance is taken without a freeze, and its set is worth a crash', async () => {
    const server = account.launch({ policy: 'loose' });
    setState(server.id, 'stopped');
    const run = await account.backup(server);
    assert.deepEqual([run.status, run.path.includes(STATES.freeze)], ['SUCCEEDED', false]);
    assert.equal(account.evidenceOf(server, run.name)?.grade, 'crash');
    assert.equal(account.snapshotsOf(run.name).length, server.volumes.length);
    assert.deepEqual(server.host.steps, []);
  });

  describe('what cannot be backed up is refused by name, before anything is frozen', { concurrency: 2 }, () => {
    interface Refusal extends LaunchOptions {
      readonly title: string;
      readonly state: string;
      readonly error: string;
      readonly says: RegExp;
      readonly input?: object;
      readonly make?: (server: Server) => void;
    }
    const { inspect, rehearse } = STATES;
    const REFUSALS: readonly Refusal[] = [
      {
        title: 'an instance that SSM does not know',
        state: inspect,
        error: 'AgentMissingError',
        says: /install amazon-ssm-agent/,
        make: ({ id }) => setAgent(id, undefined),
      },
      {
        title: 'an agent that has lost its connection',
        state: inspect,
        error: 'AgentOfflineError',
        says: /restart amazon-ssm-agent/,
        make: ({ host }) => {
          host.online = false;
        },
      },
      {
        title: 'an agent that is too old',
        state: inspect,
        error: 'AgentTooOldError',
        says: /AWS-UpdateSSMAgent/,
        make: ({ host }) => {
          host.version = '3.0.1479.0';
        },
      },
      {
        title: 'an instance without a policy',
        tags: { [USER_TAGS.policy]: '' },
        state: inspect,
        error: 'NotTaggedError',
        says: /freezeframe:policy/,
      },
      {
        title: 'a policy that the plan does not have',
        policy: 'hourly',
        state: inspect,
        error: 'UnknownPolicyError',
        says: /hourly/,
      },
      {
        title: 'a choice of policies without a word which',
        policy: 'nightly strict',
        state: inspect,
        error: 'UnknownPolicyError',
        says: /give the one to follow/,
      },
      {
        title: 'an unknown mode',
        mode: 'magic',
        state: inspect,
        error: 'BadTagError',
        says: /freezeframe:mode = magic/,
      },
      {
        title: 'an unknown application tag',
        tags: { [USER_TAGS.apps]: 'My SQL!' },
        state: inspect,
        error: 'BadTagError',
        says: /freezeframe:apps/,
      },
      {
        title: 'a member of the array that is left out',
        state: inspect,
        error: 'MemberExcludedError',
        says: /take the tag off/,
        make: ({ volumes }) => exclude(volumes[1] as string),
      },
      {
        title: 'a degraded array',
        state: inspect,
        error: 'ArrayDegradedError',
        says: /md0/,
        make: ({ host }) =>
          host.topology.faults.push({ code: 'ArrayDegraded', message: 'md0 lacks a member; mdadm --detail /dev/md0' }),
      },
      {
        title: 'an array on instance store',
        state: inspect,
        error: 'InstanceStoreMemberError',
        says: /nvme1n1/,
        make: ({ host }) =>
          host.topology.faults.push({ code: 'InstanceStoreMember', message: 'nvme1n1 is instance store' }),
      },
      {
        title: 'a volume group without room for a snapshot, when that is the mode asked for',
        mode: 'lvm-snapshot',
        state: inspect,
        error: 'ModeNotPossibleError',
        says: /no free extents/,
        make: ({ host }) => {
          host.topology.modes['lvm-snapshot'] = { possible: false, why: 'data has no free extents' };
        },
      },
      {
        title: 'a grade that the host cannot earn, when nothing less is wanted',
        mode: 'crash',
        policy: 'strict',
        state: inspect,
        error: 'GradeOutOfReachError',
        says: /can earn crash/,
      },
      {
        title: 'a host whose answer is of another contract',
        state: inspect,
        error: 'UnexpectedAnswerError',
        says: /deploy Freezeframe again/,
        make: ({ host }) => {
          host.trouble.garble = () => '{"contract":7}';
        },
      },
      {
        title: 'a host whose answer is no JSON',
        state: inspect,
        error: 'UnexpectedAnswerError',
        says: /no answer that can be read/,
        make: ({ host }) => {
          host.trouble.garble = () => 'bash: line 1: syntax error';
        },
      },
      {
        title: 'a volume with too many snapshots in flight',
        state: rehearse,
        error: 'SnapshotLimitError',
        says: /EC2 allows 5/,
        make: ({ volumes }) => crowd(volumes[1] as string),
      },
    ];
    for (const { title, state, error, says, make, ...launch } of REFUSALS) {
      it(title, async () => {
        const server = account.launch(launch);
        make?.(server);
        const before = account.snapshotsOn(server).length;
        const run = await account.backup(server);
        assertRed(run, state, error, says);
        assert.equal(account.snapshotsOn(server).length, before);
        assert.deepEqual(
          server.host.steps.filter(({ document }) => !document.endsWith('-Inspect')),
          [],
        );
        assertReleased(server);
      });
    }

    it('an id that is no instance', async () => {
      const run = await account.backup('i-0ffffffffffffffff');
      assertRed(run, inspect, 'NotAnInstanceError', /there is no instance/);
    });

    it('an input that names none', async () => {
      const run = account.stepFunctions.start('Freezeframe-Backup', { instance: 'i-1' }, 'by-hand-1');
      await run.ended;
      assertRed(run, inspect, 'BadInputError', /instanceId/);
    });

    it('a role that may not take snapshots, before anything is frozen', async () => {
      const server = account.launch();
      world.faults.add({
        service: 'ec2',
        action: 'CreateSnapshots',
        when: isFor(server),
        fault: { kind: 'error', code: 'UnauthorizedOperation', status: 403 },
      });
      const run = await account.backup(server);
      assertRed(run, rehearse, 'NotPermittedError', /ec2:CreateSnapshots/);
      assertReleased(server);
    });
  });

  describe('bad luck in the frozen window', { concurrency: 2 }, () => {
    for (const [error, says] of [
      ['ApplicationRefused', /planned/],
      ['LockTimeout', /planned/],
      ['FreezeFailed', /planned/],
      ['AlreadyFrozen', /planned/],
      ['Rebooted', /planned/],
      ['TopologyChanged', /planned/],
    ] as const) {
      it(`a freeze that fails with ${error} leaves a crash-consistent set in a red run when the policy keeps`, async () => {
        const server = account.launch({ mode: 'fs-freeze' });
        server.host.trouble.fail = (document) => (document === 'freeze' ? error : undefined);
        const run = await account.backup(server);
        assertRed(run, STATES.freeze, `${error}Error`, says);
        assert.deepEqual(grades(run), ['crash']);
        assertReleased(server);
      });
    }

    it('a freeze that fails leaves no snapshot when the policy discards', async () => {
      const server = account.launch({ mode: 'fs-freeze', policy: 'strict' });
      server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
      const run = await account.backup(server);
      assertRed(run, STATES.freeze, 'LockTimeoutError', /discarded|no whole set/);
      assert.deepEqual(account.snapshotsOn(server), []);
      assertReleased(server);
    });

    it('a freeze that never answers is thawed, and the run says that the host was silent', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      server.host.trouble.hang = (document) => (document === 'freeze' ? 'after' : undefined);
      const run = await account.backup(server);
      assertRed(run, STATES.freeze, 'HostSilentError', /has not answered in its time/);
      assert.deepEqual(grades(run), ['crash']);
      assertReleased(server);
    });

    it('an answer that is late, but within the lease, costs nothing', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      server.host.trouble.freezeMs = 4_000;
      server.host.trouble.thawMs = 4_000;
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['application']);
    });

    it('a freeze that takes too much of its lease is not followed by snapshots of a host about to thaw', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      server.host.trouble.freezeMs = 24_000;
      const run = await account.backup(server);
      assertRed(run, STATES.freeze, 'LeaseTooShortError', /raise freeze.leaseSeconds/);
      assert.deepEqual(grades(run), ['crash']);
      assertReleased(server);
    });

    it('a set whose answer was lost is found by its tag and graded for what it is', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      world.faults.add({
        service: 'ec2',
        action: 'CreateSnapshots',
        when: isForReal(server),
        fault: { kind: 'lostAnswer' },
      });
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(grades(run), ['application']);
      assert.equal(account.snapshotsOn(server).length, server.volumes.length);
    });

    it('snapshots that EC2 refuses while the host is frozen are taken after the thaw, in a red run', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      world.faults.add({
        service: 'ec2',
        action: 'CreateSnapshots',
        when: isForReal(server),
        nth: 1,
        fault: { kind: 'error', code: 'RequestLimitExceeded', status: 503 },
      });
      const run = await account.backup(server);
      assertRed(run, STATES.createSnapshots, 'ThrottledError', /throttled/);
      assert.deepEqual(grades(run), ['crash']);
      assert.deepEqual(server.host.catalogue, [{ run: run.name, successful: false }], 'no backup was recorded');
      assertReleased(server);
    });

    it('a thaw that hangs is asked for again; the lease has thawed meanwhile, and the grade says so', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      let thaws = 0;
      server.host.trouble.hang = (document) => {
        if (document !== 'thaw') return undefined;
        thaws += 1;
        return thaws === 1 ? 'before' : undefined;
      };
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['FAILED', 'GradeMissedError'], run.cause);
      assert.match(run.cause ?? '', /lease of 30 s was over/);
      assert.deepEqual(grades(run), ['crash']);
      assertReleased(server);
    });

    it('two runs at once on one host: one is busy, the other is not disturbed', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      world.limits.snapshotIntervalMs = 0;
      server.host.trouble.freezeMs = 3_000;
      const runs = await Promise.all([account.backup(server), account.backup(server)]);
      const [good, busy] = runs.sort((a, b) => b.status.localeCompare(a.status));
      assert.deepEqual([good?.status, busy?.status, busy?.error], ['SUCCEEDED', 'FAILED', 'BusyError'], busy?.cause);
      assert.deepEqual(grades(good as Execution), ['application']);
      assertReleased(server);
    });

    it('the same run started twice is one run', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const first = account.stepFunctions.start('Freezeframe-Backup', { instanceId: server.id }, `${server.id}-twice`);
      const second = account.stepFunctions.start('Freezeframe-Backup', { instanceId: server.id }, `${server.id}-twice`);
      assert.equal(first, second);
      assert.equal((await first.ended).status, 'SUCCEEDED');
    });
  });

  describe('after the thaw', { concurrency: 2 }, () => {
    it('a snapshot that fails on its way ends the run red, and nothing is left of its set', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const run = account.start(server);
      while (run.status === 'RUNNING' && account.snapshotsOf(run.name).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 1));
      for (const snapshot of account.snapshotsOf(run.name)) snapshot.state = 'error';
      await run.ended;
      assertRed(run, STATES.checkSnapshots, 'SnapshotFailedError', /the whole set/);
      assert.deepEqual(account.snapshotsOf(run.name), []);
      assertReleased(server);
    });

    it('a policy with a lock has every member locked, and before the wait for its completion', async () => {
      const server = account.launch({ policy: 'vault' });
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['SUCCEEDED', undefined], run.cause);
      const entered = run.history.filter(({ type }) => type === 'StateEntered').map(({ state }) => state);
      assert.ok(
        entered.indexOf(STATES.lock) > 0 && entered.indexOf(STATES.lock) < entered.indexOf('Wait for snapshots'),
      );
      for (const snapshot of account.snapshotsOf(run.name)) {
        assert.deepEqual([snapshot.lock?.mode, snapshot.lock?.days], ['compliance', 7]);
        assert.ok(world.ec2.locks.holds(snapshot));
      }
    });

    it('a lock that is refused ends the run red, with its set kept and completed', async () => {
      const server = account.launch({ policy: 'vault' });
      world.faults.add({
        service: 'ec2',
        action: 'LockSnapshot',
        when: (input) => {
          const id = (input as { SnapshotId: string }).SnapshotId;
          return account.snapshotsOn(server).at(-1)?.id === id;
        },
        fault: { kind: 'error', code: 'InvalidParameterValue' },
      });
      const run = await account.backup(server);
      assertRed(run, STATES.lock, 'LockRefusedError', /kept but not locked/);
      assert.deepEqual(grades(run), ['application']);
      assert.ok(account.snapshotsOf(run.name).every(({ state }) => state === 'completed'));
    });

    it('the tags of a set hold the hash of its stored evidence, and how many members it has', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const run = await account.backup(server);
      for (const { tags } of account.snapshotsOf(run.name)) {
        assert.equal(tags.get(SET_TAGS.receipt), hashOf(account.evidenceOf(server, run.name)));
        assert.equal(tags.get(SET_TAGS.members), String(server.volumes.length));
      }
    });

    it("a receipt that can't be stored ends the run red; the set stays, with its grade", async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      world.faults.add({
        service: 's3',
        action: 'PutObject',
        when: (input) => JSON.stringify(input).includes(server.id),
        fault: { kind: 'error', code: 'AccessDenied', status: 403 },
      });
      const run = await account.backup(server);
      assert.deepEqual([run.status, run.error], ['FAILED', 'S3.AccessDeniedException'], run.cause);
      assert.deepEqual(grades(run), ['application']);
    });
  });
});

it('every call that was made is one that the synthesised policies allow', () => {
  assert.deepEqual(refused, []);
  for (const call of [
    'ec2:CreateSnapshots',
    'ec2:CreateTags',
    'ec2:DeleteSnapshot',
    'ssm:SendCommand',
    's3:PutObject',
  ]) {
    assert.ok(judged.has(call), call);
  }
});

function setState(id: string, state: 'running' | 'stopped'): void {
  const instance = world.ec2.instances.get(id);
  if (instance) instance.state = state;
}

function setAgent(id: string, agent: undefined): void {
  const instance = world.ec2.instances.get(id);
  if (instance) instance.agent = agent;
}

function exclude(volumeId: string): void {
  world.ec2.volumes.find(volumeId).tags.set(USER_TAGS.exclude, 'true');
}

function crowd(volumeId: string): void {
  for (let count = 0; count < 5; count += 1) world.ec2.snapshots.put({ volumeId, state: 'pending', startedAt: 0 });
}

function isFor({ id }: Server): (input: unknown) => boolean {
  return (input) => JSON.stringify(input).includes(id);
}

/** Not the rehearsal. */
function isForReal(server: Server): (input: unknown) => boolean {
  return (input) => isFor(server)(input) && !(input as { DryRun?: boolean }).DryRun;
}
