/** The steps of a drill by themselves: which set, what is launched, how long is waited, and what the evidence shows. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../lab/aws/clock.ts';
import { checkVerify } from '../../lambdas/check-verify/check-verify.ts';
import { chooseSet } from '../../lambdas/choose-set/choose-set.ts';
import { judge } from '../../lambdas/judge/judge.ts';
import { launchRequest } from '../../lambdas/launch-scratch/launch-scratch.ts';
import { planDrill } from '../../lambdas/plan-drill/plan-drill.ts';
import { AGENT_MS, TEAR_DOWN_MS } from '../../lambdas/shared/budget.ts';
import type { Check, Drill, JudgeInput } from '../../lambdas/shared/drill-contracts.ts';
import type { FoundSnapshot } from '../../lambdas/shared/ec2.ts';
import { DRILL_TAG, SCRATCH_POLICY, SET_TAGS } from '../../lambdas/shared/names.ts';
import { type DrillThings, tearDown } from '../../lambdas/shared/tear-down.ts';
import { sweepDrills } from '../../lambdas/sweep-drills/sweep-drills.ts';
import { planFor } from '../../lambdas/verify/verify.ts';
import { waitForAgent } from '../../lambdas/wait-for-agent/wait-for-agent.ts';
import { modelTopology } from '../support/model-topology.ts';

const [ONE, TWO] = ['i-0000000000000000a', 'i-0000000000000000b'];
const NOW = Date.UTC(2026, 10, 24);
const SCRATCH = {
  subnetId: 'subnet-1',
  securityGroupId: 'sg-1',
  imageId: 'ami-1',
  instanceType: 't3.large',
  instanceProfileArn: 'arn:aws:iam::111122223333:instance-profile/drill',
};
const POLICIES = {
  nightly: { grade: 'application' as const, verifyMinutes: 60, copies: false, scratch: SCRATCH },
};

/** Two snapshots of a set that was taken so many days ago. */
const set = (instance: string, days: number, more: Record<string, string> = {}, state = 'completed'): FoundSnapshot[] =>
  [1, 2].map((member) => ({
    snapshotId: `snap-${instance}-${days}-${member}`,
    volumeId: `vol-${member}`,
    startTime: new Date(NOW - days * 86_400_000).toISOString(),
    state,
    percent: 100,
    sizeGiB: 1,
    tier: 'standard',
    stateMessage: '',
    tags: {
      [SET_TAGS.set]: `${instance}-${days}`,
      [SET_TAGS.run]: `${instance}-${days}`,
      [SET_TAGS.instance]: instance,
      [SET_TAGS.policy]: 'nightly',
      [SET_TAGS.grade]: 'application',
      [SET_TAGS.members]: '2',
      ...more,
    },
  }));

/** As if another deployment had copied them here a minute ago. */
const copied = (snapshots: FoundSnapshot[]): FoundSnapshot[] =>
  snapshots.map((snapshot) => ({
    ...snapshot,
    snapshotId: `${snapshot.snapshotId}-copy`,
    volumeId: 'vol-ffffffff',
    startTime: new Date(NOW - 60_000).toISOString(),
    tags: {
      ...snapshot.tags,
      [SET_TAGS.started]: snapshot.startTime,
      [SET_TAGS.origin]: '111122223333/us-east-1',
      [SET_TAGS.source]: snapshot.snapshotId,
    },
  }));

const choose = (input: object, snapshots: FoundSnapshot[], { copies = false } = {}) => {
  const all = {
    ofPolicy: async () => snapshots,
    ofInstance: async (id: string) => snapshots.filter(({ tags }) => tags[SET_TAGS.instance] === id),
  };
  const policies = { nightly: { ...POLICIES.nightly, copies } };
  return chooseSet({ input: input as { policy: string }, drill: 'd-1', policies }, all, NOW);
};

describe('Choose set', () => {
  it('of a policy takes the newest whole set of its grade, of the instance that was never drilled, or longest ago', async () => {
    const verified = (at: string) => ({ [SET_TAGS.verified]: at });
    const sets = [
      ...set(ONE, 3, verified('2026-11-20T00:00:00Z')),
      ...set(ONE, 2),
      ...set(ONE, 1, { [SET_TAGS.grade]: 'crash' }),
      ...set(TWO, 2),
      ...set(TWO, 1, {}, 'pending'),
    ];
    assert.equal((await choose({ policy: 'nightly' }, sets)).set.id, `${TWO}-2`);
    const turned = [...sets, ...set(TWO, 4, verified('failed 2026-11-21T00:00:00Z'))];
    assert.equal((await choose({ policy: 'nightly' }, turned)).set.id, `${ONE}-2`);
  });

  it('leaves out a set that is archived', async () => {
    const archived = set(ONE, 1).map((snapshot) => ({ ...snapshot, tier: 'archive' }));
    await assert.rejects(choose({ policy: 'nightly' }, archived), { name: 'NoSuchSetError' });
  });

  it('of a policy takes copies only where the plan says so, and otherwise tells how to', async () => {
    const sets = [...set(ONE, 2), ...copied(set(TWO, 1))];
    const turns = [...set(ONE, 3, { [SET_TAGS.verified]: '2026-11-20T00:00:00Z' }), ...sets];
    assert.equal((await choose({ policy: 'nightly' }, turns)).from, ONE);
    assert.equal((await choose({ policy: 'nightly' }, turns, { copies: true })).from, TWO);
    await assert.rejects(choose({ policy: 'nightly' }, copied(set(TWO, 1))), {
      name: 'NoSuchSetError',
      message: /"copies": true/,
    });
  });

  it('tells the time of a copy by its set, which is older than itself, and what was shown of it by its own tag', async () => {
    const verified = { [SET_TAGS.verified]: '2026-11-21T00:00:00Z' };
    const sets = [...copied(set(ONE, 3)), ...copied(set(ONE, 2)), ...copied(set(TWO, 5, verified))];
    const chosen = await choose({ policy: 'nightly' }, sets, { copies: true });
    const at = new Date(NOW - 2 * 86_400_000).toISOString();
    assert.deepEqual([chosen.set.id, chosen.set.startTime], [`${ONE}-2`, at]);
    assert.equal((await choose({ instanceId: ONE, before: at }, sets)).set.id, `${ONE}-2`);
  });

  it('of an instance takes a copy like any other set, once the whole of it is there', async () => {
    const sets = copied(set(ONE, 1));
    assert.deepEqual((await choose({ instanceId: ONE }, sets)).set.snapshotIds, [
      `snap-${ONE}-1-1-copy`,
      `snap-${ONE}-1-2-copy`,
    ]);
    await assert.rejects(choose({ instanceId: ONE }, sets.slice(1)), { name: 'NoSuchSetError' });
    const ungraded = sets.map((each) => ({ ...each, tags: { ...each.tags, [SET_TAGS.grade]: 'unproven' } }));
    await assert.rejects(choose({ instanceId: ONE }, ungraded), { name: 'NoSuchSetError' });
  });

  it('leaves out a set that lacks a member, or is being deleted', async () => {
    const sets = [...set(ONE, 3), ...set(ONE, 2).slice(1), ...set(ONE, 1, { [SET_TAGS.deleting]: 'x' })];
    assert.equal((await choose({ policy: 'nightly' }, sets)).set.id, `${ONE}-3`);
    await assert.rejects(choose({ policy: 'nightly' }, sets.slice(2)), { name: 'NoSuchSetError' });
  });

  it('of an instance takes what was asked for, and says so when it can’t be had', async () => {
    const sets = [...set(ONE, 3, { [SET_TAGS.grade]: 'crash' }), ...set(ONE, 2), ...set(ONE, 1)];
    const chosen = async (wish: object) => (await choose({ instanceId: ONE, ...wish }, sets)).set.id;
    assert.equal(await chosen({}), `${ONE}-1`);
    assert.equal(await chosen({ set: `${ONE}-3` }), `${ONE}-3`);
    assert.equal(await chosen({ before: new Date(NOW - 2 * 86_400_000).toISOString() }), `${ONE}-2`);
    await assert.rejects(chosen({ set: 'other' }), { name: 'NoSuchSetError' });
    const pending = set(TWO, 1, {}, 'pending');
    await assert.rejects(choose({ instanceId: TWO, set: `${TWO}-1` }, pending), /is pending/);
  });

  it('needs to know where to: a place in the plan, or a target', async () => {
    const foreign = set(ONE, 1, { [SET_TAGS.policy]: 'gone' });
    await assert.rejects(choose({ instanceId: ONE }, foreign), { name: 'NoScratchError' });
    const { target, scratch } = await choose({ instanceId: ONE, target: TWO }, foreign);
    assert.deepEqual([target, scratch], [TWO, undefined]);
  });
});

const drill = async (): Promise<Drill> => choose({ policy: 'nightly' }, set(ONE, 1));

describe('Plan drill', () => {
  const topology = modelTopology({ rootVolume: 'vol-0', dataVolumes: ['vol-1', 'vol-2'], database: true });
  const plan = async (change: (copy: typeof topology) => void = () => {}) => {
    const copy = structuredClone(topology);
    change(copy);
    const evidence = { run: `${ONE}-1`, instance: ONE, topology: copy };
    const input = { ...(await drill()), object: { text: JSON.stringify(evidence) } };
    return await planDrill(input, { pin: async () => ({ version: '1', hash: 'x' }) });
  };

  it('restores read-write what Restore would by itself, and names the applications', async () => {
    const { wish, apps } = await plan();
    assert.deepEqual(wish, { instanceId: ONE, set: `${ONE}-1`, access: 'rw', drill: 'd-1' });
    assert.deepEqual(
      apps.map(({ driver }) => driver),
      ['mysql'],
    );
  });

  it('restores the root file system, too, when an application lies on it or nothing else is there', async () => {
    const onRoot = await plan(({ apps }) => {
      for (const app of apps) app.mounts = ['/'];
    });
    assert.deepEqual(onRoot.wish.mounts, ['/', '/srv/data']);
    const alone = await plan((copy) => {
      copy.filesystems = copy.filesystems.filter(({ mount }) => mount === '/');
      copy.apps = [];
    });
    assert.deepEqual(alone.wish.mounts, ['/']);
  });

  it('refuses evidence that it can’t read', async () => {
    for (const text of ['no json', '{}']) {
      const input = { ...(await drill()), object: { text } };
      await assert.rejects(planDrill(input, { pin: async () => ({ version: '1', hash: 'x' }) }), {
        name: 'BadEvidenceError',
      });
    }
  });
});

describe('Launch scratch', () => {
  const request = launchRequest({ drill: 'd-1', verifyMinutes: 60 }, SCRATCH);

  it('asks for an instance that bears its drill from its first moment, and is in no policy', () => {
    const tags = request.TagSpecifications?.find(({ ResourceType }) => ResourceType === 'instance')?.Tags;
    assert.deepEqual(
      tags?.map(({ Key, Value }) => [Key, Value]),
      [
        [DRILL_TAG, 'd-1'],
        ['freezeframe:policy', SCRATCH_POLICY],
        ['Name', 'Freezeframe drill'],
      ],
    );
  });

  it('asks for one that ends by itself, and goes when it does', () => {
    const script = Buffer.from(request.UserData ?? '', 'base64').toString();
    assert.equal(script, '#!/bin/bash\nshutdown -h +300\n');
    assert.equal(request.InstanceInitiatedShutdownBehavior, 'terminate');
    assert.equal(request.MetadataOptions?.HttpTokens, 'required');
  });

  it('asks with the same token for the same drill alone', () => {
    assert.equal(launchRequest({ drill: 'd-1', verifyMinutes: 60 }, SCRATCH).ClientToken, request.ClientToken);
    assert.notEqual(launchRequest({ drill: 'd-2', verifyMinutes: 60 }, SCRATCH).ClientToken, request.ClientToken);
  });
});

/** Time goes on as soon as everybody sleeps. */
class Sleeper extends ManualClock {
  chance = () => 0.5;

  override async sleep(ms: number): Promise<void> {
    await this.advance(ms);
  }
}

describe('Wait for agent', () => {
  const input = { launched: { instanceId: ONE, at: 0 }, wish: { set: 's' } };

  it('goes on as soon as SSM calls it online, with the instance as the target of the restore', async () => {
    const clock = new Sleeper();
    const from = clock.now();
    const agent = async () => (clock.now() - from > 60_000 ? { ping: 'Online' } : undefined);
    const ready = await waitForAgent(input, { instance: async () => ({ state: 'running' }), agent }, clock);
    assert.deepEqual(ready.wish, { set: 's', target: ONE });
  });

  it('gives up on one that never shows, and says what its subnet needs', async () => {
    const clock = new Sleeper();
    const from = clock.now();
    const world = { instance: async () => ({ state: 'running' }), agent: async () => undefined };
    await assert.rejects(waitForAgent(input, world, clock), { name: 'ScratchSilentError', message: /ssmmessages/ });
    assert.ok(clock.now() - from < AGENT_MS + 30_000);
  });

  it('is told at once of one that has ended', async () => {
    const world = { instance: async () => ({ state: 'terminated' }), agent: async () => undefined };
    await assert.rejects(waitForAgent(input, world, new Sleeper()), { name: 'LaunchFailedError' });
  });
});

describe('Verify', () => {
  it('tells the document grade, applications and their paths, whatever these hold', () => {
    const apps = [{ driver: 'mysql', name: 'MariaDB 10', dataDir: '/my data', mounts: ['/my data', '/log#1'] }];
    const text = Buffer.from(planFor({ drill: 'd-1', set: { grade: 'crash' } as Drill['set'], apps }), 'base64');
    assert.equal(text.toString(), 'grade crash\napp mysql MariaDB\\04010 /my\\040data /my\\040data /log\\0431\n');
  });
});

describe('Check verify', () => {
  const sent = { commandId: 'c', sentAt: 0, done: false, waitSeconds: 5, endedAt: null, checks: [] };
  const input = {
    verification: sent,
    verifyMinutes: 60,
    restored: { startedAt: 0, stoppedAt: 0, output: { restore: 'r', under: '/u', instanceId: ONE } },
  };
  const at = (now: number) => Object.assign(new ManualClock(now), { chance: () => 0.5 });
  const look = (details: string, stdout = '') => ({ look: async () => ({ details, code: 0, stdout, stderr: '' }) });

  it('looks again later and later, while it goes on', async () => {
    const next = await checkVerify(input, look('InProgress'), at(60_000));
    assert.deepEqual([next.done, next.waitSeconds], [false, 10]);
    const late = { ...input, verification: { ...sent, waitSeconds: 50 } };
    assert.equal((await checkVerify(late, look('InProgress'), at(60_000))).waitSeconds, 60);
  });

  it('gives up some minutes after the time that it may take', async () => {
    await assert.rejects(checkVerify(input, look('InProgress'), at(66 * 60_000)), { name: 'HostSilentError' });
  });

  it('brings back what was found, or the error that the host names', async () => {
    const checks = [{ kind: 'filesystem', name: '/data', verdict: 'ok', said: '', seconds: 1 }];
    const answer = JSON.stringify({ contract: 1, restore: 'r', checks });
    const done = await checkVerify(input, look('Success', answer), at(90_000));
    assert.deepEqual([done.done, done.endedAt, done.checks], [true, 90_000, checks]);
    const fault = JSON.stringify({ contract: 1, error: { code: 'FilesystemMissing', message: 'nothing is mounted' } });
    await assert.rejects(checkVerify(input, look('Failed', fault), at(90_000)), { name: 'FilesystemMissingError' });
  });
});

describe('Judge', () => {
  const check = (verdict: Check['verdict'], name = '/data'): Check => ({
    kind: 'filesystem',
    name,
    verdict,
    said: 'as it was',
    seconds: 1,
  });
  const restored = { startedAt: 1_000, stoppedAt: 61_000, output: { restore: 'r', under: '/u', instanceId: ONE } };
  const verification = (...checks: Check[]) => ({
    commandId: 'c',
    sentAt: 61_000,
    done: true,
    waitSeconds: 5,
    endedAt: 71_500,
    checks,
  });
  const judged = async (more: Partial<JudgeInput>) => judge({ ...(await drill()), ...more });

  it('calls a set verified when everything was checked and found well, and tells how long it took', async () => {
    const { verdict, seconds, error } = await judged({
      restored,
      verification: verification(check('ok'), check('ok')),
    });
    assert.deepEqual([verdict, error], ['verified', undefined]);
    assert.deepEqual(seconds, { launch: null, restore: 60, verify: 10.5 });
  });

  it('calls it damaged when one check says so, whatever could not be checked', async () => {
    const checks = [check('ok'), check('unchecked', '/x'), check('damaged', '/log')];
    const { verdict, error } = await judged({ restored, verification: verification(...checks) });
    assert.equal(verdict, 'damaged');
    assert.match(error?.Cause ?? '', /\/log: as it was$/);
  });

  it('calls nothing verified of which a part is not known, or where there was nothing to check', async () => {
    for (const checks of [[check('ok'), check('unchecked', '/x')], []]) {
      const { verdict, error } = await judged({ restored, verification: verification(...checks) });
      assert.deepEqual([verdict, error?.Error], ['unverified', 'NotVerifiedError']);
    }
  });

  it('blames the set for a restore that failed only where it is to blame, and tells the restore’s own error', async () => {
    const failed = (name: string) => ({
      Error: 'States.TaskFailed',
      Cause: JSON.stringify({ Error: name, Cause: 'why' }),
    });
    for (const [name, verdict] of [
      ['GroupIncompleteError', 'damaged'],
      ['AttachTimeoutError', 'unverified'],
      ['SetDeletedError', 'unverified'],
    ] as const) {
      const found = await judged({ error: failed(name) });
      assert.deepEqual([found.verdict, found.error?.Error], [verdict, 'NotRestoredError']);
      assert.match(found.error?.Cause ?? '', new RegExp(`${name}: why`));
    }
    const late = await judged({ error: { Error: 'States.Timeout' } });
    assert.equal(late.verdict, 'unverified');
  });

  it('never calls a set verified whose verification had an error', async () => {
    const { verdict, error } = await judged({ restored, error: { Error: 'HostSilentError', Cause: 'x' } });
    assert.deepEqual([verdict, error?.Error], ['unverified', 'HostSilentError']);
  });
});

describe('Tear down', () => {
  /** An instance with a volume that goes free when it is terminated, and one that is still being made. */
  const things = (clock: Sleeper, { stuck = false } = {}) => {
    const from = clock.now();
    const acts: string[] = [];
    const gone = () => acts.includes('terminate') && clock.now() - from > 30_000 && !stuck;
    const ec2: DrillThings = {
      instances: async () => [
        { instanceId: ONE, state: gone() ? 'terminated' : acts.includes('terminate') ? 'shutting-down' : 'running' },
      ],
      volumes: async () => [
        {
          volumeId: 'vol-1',
          state: gone() ? 'available' : 'in-use',
          attachment: gone() ? undefined : { instanceId: ONE, state: 'attached' },
        },
        { volumeId: 'vol-2', state: clock.now() - from > 10_000 ? 'available' : 'creating', attachment: undefined },
      ],
      terminate: async () => void acts.push('terminate'),
      detach: async (id) => void acts.push(`detach ${id}`),
      delete: async (id) => void acts.push(`delete ${id}`),
    };
    return { ec2, acts };
  };

  it('terminates once, and deletes each volume as soon as it is free', async () => {
    const clock = new Sleeper();
    const { ec2, acts } = things(clock);
    await tearDown({ drill: 'd-1' }, ec2, clock);
    assert.deepEqual(acts, ['terminate', 'delete vol-2', 'delete vol-1']);
  });

  it('gives up on what does not go, and names it', async () => {
    const clock = new Sleeper();
    const from = clock.now();
    const { ec2 } = things(clock, { stuck: true });
    await assert.rejects(tearDown({ drill: 'd-1' }, ec2, clock), { name: 'TearDownError', message: new RegExp(ONE) });
    assert.ok(clock.now() - from < TEAR_DOWN_MS + 30_000);
  });
});

describe('The sweep of drills', () => {
  it('leaves a drill alone that runs, and is not kept from the others by one that can’t be torn down', async () => {
    const swept: string[] = [];
    const sweep = sweepDrills(
      { executions: 'arn:' },
      {
        drillsWithThings: async () => ['stuck', 'runs', 'ended', 'forgotten'],
        status: async (arn) => ({ 'arn:runs': 'RUNNING', 'arn:stuck': 'FAILED', 'arn:ended': 'ABORTED' })[arn],
        tearDown: async (drill) => {
          if (drill === 'stuck') throw new Error('it does not go');
          swept.push(drill);
        },
      },
    );
    await assert.rejects(sweep, { name: 'TearDownError', message: /does not go/ });
    assert.deepEqual(swept, ['ended', 'forgotten']);
  });
});
