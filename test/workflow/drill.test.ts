/**
 * The Drill end to end: the synthesised definition of a plan with a drill, the Lambdas as they ship, an EC2 that launches
 * hosts that keep the contract, and every call judged by the synthesised policies. Whatever goes wrong, no instance and no
 * volume of the drill is left.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Execution } from '../../lab/aws/execution.ts';
import type { Stack } from '../../lab/aws/template.ts';
import type { World } from '../../lab/aws/world.ts';
import { DRILL_PLACE } from '../../lab/synthesise.ts';
import type { Judged } from '../../lambdas/shared/drill-contracts.ts';
import {
  COPY,
  DOCUMENTS,
  DRILL,
  DRILL_STATES,
  DRILL_TAG,
  IN_RESTORE,
  RESTORE,
  SCRATCH_POLICY,
  SET_TAGS,
  USER_TAGS,
} from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import { destinationIn, type Server, stackOf } from '../support/model-account.ts';
import type { ModelHost } from '../support/model-host.ts';

const { account, world, refused, judged } = await judgedAccount();

let drills = 0;

/** A server with a set as Backup leaves it. */
async function backedUp(policy = 'drilled'): Promise<{ server: Server; set: string }> {
  const server = account.launch({ policy, mode: 'fs-freeze' });
  const run = await account.backup(server);
  assert.equal(run.status, 'SUCCEEDED', run.cause);
  return { server, set: run.name };
}

/** `prepare`: what goes wrong on the scratch instance. */
function start(input: object, prepare: (host: ModelHost) => void = () => {}): Execution {
  drills += 1;
  const name = `drill-${drills}`;
  account.onScratch.set(name, prepare);
  return account.stepFunctions.start(DRILL, input, name);
}

const drill = async (...wish: Parameters<typeof start>): Promise<Execution> => await start(...wish).ended;

/** What is there of a drill, but for what EC2 still shows as terminated. */
function leftOf({ name }: { name: string }, { ec2 }: World = world): string[] {
  const ours = ({ tags }: { tags: ReadonlyMap<string, string> }) => tags.get(DRILL_TAG) === name;
  return [
    ...[...ec2.instances.values()].filter((each) => ours(each) && each.state !== 'terminated').map(({ id }) => id),
    ...[...ec2.volumes.all.values()].filter(ours).map(({ id }) => id),
  ];
}

const verifiedOf = (set: string): (string | undefined)[] => [
  ...new Set(account.snapshotsOf(set).map(({ tags }) => tags.get(SET_TAGS.verified))),
];

const launchedBy = ({ name }: { name: string }, { ec2 }: World = world) =>
  [...ec2.instances.values()].filter(({ tags }) => tags.get(DRILL_TAG) === name);

function assertRed(run: Execution, error: string): void {
  assert.deepEqual([run.status, run.error], ['FAILED', error], run.cause);
  assert.deepEqual(leftOf(run), []);
}

describe('Drill', { concurrency: 3, timeout: 240_000 }, () => {
  it('restores the newest set on a machine of its own, verifies it there, stamps it, and leaves nothing', async () => {
    const { server, set } = await backedUp();
    const run = await drill({ instanceId: server.id });
    assert.equal(run.status, 'SUCCEEDED', run.cause);

    const [scratch] = launchedBy(run);
    assert.equal(scratch?.tags.get(USER_TAGS.policy), SCRATCH_POLICY);
    const { judged: verdict } = run.output as { judged: Judged };
    assert.equal(verdict.verdict, 'verified');
    assert.deepEqual(
      verdict.checks.map(({ name, verdict: each }) => [name, each]),
      [
        ['/srv/data', 'ok'],
        ['MariaDB 10.11.6 (/srv/data/mysql)', 'ok'],
      ],
    );
    for (const seconds of Object.values(verdict.seconds)) assert.ok((seconds ?? 0) > 0);
    assert.match(verifiedOf(set).join(), /^\d{4}-\d\d-\d\dT[\d:]+Z$/);
    assert.deepEqual(leftOf(run), []);
    assert.equal(server.host.restored.size, 0);
    const scratchHost = account.scratchHosts.get(scratch?.id ?? '');
    assert.deepEqual([...(scratchHost?.restored.keys() ?? [])].length, 1);
  });

  it('on a schedule drills the instance of the policy whose last drill is the longest ago', async () => {
    const first = await backedUp('rotated');
    const second = await backedUp('rotated');
    const drilledBy = async (): Promise<string> => {
      await account.stepFunctions.fire('Freezeframe-drill-rotated', world.clock.now());
      const run = account.stepFunctions.executions.findLast(
        ({ machine, input }) => machine.name === DRILL && (input as { policy?: string }).policy === 'rotated',
      );
      assert.ok(run);
      assert.equal((await run.ended).status, 'SUCCEEDED', run.cause);
      return (run.output as { from: string }).from;
    };
    const turns = [await drilledBy(), await drilledBy(), await drilledBy()];
    assert.deepEqual(turns, [first.server.id, second.server.id, first.server.id]);
    assert.ok(verifiedOf(first.set)[0] && verifiedOf(second.set)[0]);
  });

  it('goes to a machine of the user’s when one is offered, and lets go of it', async () => {
    const { server, set } = await backedUp('nightly');
    const target = account.launch();
    const devices = world.ec2.instances.get(target.id)?.devices.size;
    const run = await drill({ instanceId: server.id, target: target.id });
    assert.equal(run.status, 'SUCCEEDED', run.cause);
    assert.deepEqual(leftOf(run), []);
    assert.deepEqual([launchedBy(run).length, target.host.restored.size], [0, 0]);
    assert.equal(world.ec2.instances.get(target.id)?.devices.size, devices);
    assert.equal(world.ec2.instances.get(target.id)?.state, 'running');
    assert.match(verifiedOf(set).join(), /^\d{4}/);
  });

  it('that finds damage is red with what was found, and the set says that it failed', async () => {
    const { server, set } = await backedUp();
    const run = await drill({ instanceId: server.id }, (host) => {
      host.trouble.verdicts = { mysql: ['damaged', 'CHECK TABLE: shop.orders error Corrupt'] };
    });
    assertRed(run, 'DamagedSetError');
    assert.match(run.cause ?? '', /shop\.orders error Corrupt/);
    assert.match(verifiedOf(set).join(), /^failed \d{4}/);
  });

  it('that can’t tell is red, and says nothing of the set', async () => {
    const { server, set } = await backedUp();
    const run = await drill({ instanceId: server.id }, (host) => {
      host.trouble.verdicts = { mysql: ['unchecked', 'not verified: mariadbd is not installed on this host'] };
    });
    assertRed(run, 'NotVerifiedError');
    assert.match(run.cause ?? '', /mariadbd is not installed/);
    assert.deepEqual(verifiedOf(set), [undefined]);
  });

  it('whose restore fails is red with the error of the restore; only where the set is at fault does it say so', async () => {
    for (const [code, says] of [
      ['ArrayIncomplete', /^failed /],
      ['HostUnfit', /^$/],
    ] as const) {
      const { server, set } = await backedUp();
      const run = await drill({ instanceId: server.id }, (host) => {
        host.trouble.fail = (document, { Act }) => (document === 'restore' && Act === 'mount' ? code : undefined);
      });
      assertRed(run, 'NotRestoredError');
      assert.match(run.cause ?? '', new RegExp(`was not restored: ${code}Error: [^{]`), 'in words');
      assert.match(verifiedOf(set).join(), says);
    }
  });

  it('refuses before anything is launched what has no set, no place to go, or no such policy', async () => {
    const { server } = await backedUp('nightly');
    for (const [input, error] of [
      [{ instanceId: server.id }, 'NoScratchError'],
      [{ instanceId: server.id, set: 'no-such-run' }, 'NoSuchSetError'],
      [{ instanceId: 'i-0dddddddddddddddd' }, 'NoSuchSetError'],
      [{ policy: 'no-such-policy' }, 'UnknownPolicyError'],
      [{ instanceId: server.id, tarqet: 'x' }, 'BadInputError'],
    ] as const) {
      const run = await drill(input);
      assertRed(run, error);
      assert.deepEqual(launchedBy(run), []);
    }
  });

  describe('leaves nothing', () => {
    /** Requests of the next drill. */
    const ofNext = () => {
      const mine = `"drill-${drills + 1}"`;
      return (input: unknown) => JSON.stringify(input).includes(mine);
    };

    it('when EC2 has no capacity', async () => {
      const { server } = await backedUp();
      const error = { code: 'InsufficientInstanceCapacity', message: 'not now', status: 500 };
      world.faults.add({ service: 'ec2', action: 'RunInstances', when: ofNext(), fault: { kind: 'error', ...error } });
      const run = await drill({ instanceId: server.id });
      assertRed(run, 'LaunchFailedError');
      assert.match(run.cause ?? '', /InsufficientInstanceCapacity/);
    });

    it('when the agent of the scratch instance never shows', async () => {
      const { server } = await backedUp();
      const run = await drill({ instanceId: server.id }, () => {
        throw new Error('no way to the endpoints');
      });
      assertRed(run, 'ScratchSilentError');
    });

    it('when the answer of the verification can’t be read', async () => {
      const { server, set } = await backedUp();
      const run = await drill({ instanceId: server.id }, (host) => {
        host.trouble.garble = (document) => (document === DOCUMENTS.verify ? 'Segmentation fault' : undefined);
      });
      assertRed(run, 'UnexpectedAnswerError');
      assert.deepEqual(verifiedOf(set), [undefined]);
    });

    it('when a volume can’t be made', async () => {
      const { server } = await backedUp();
      const { fails } = world.ec2.volumes;
      const mine = `drill-${drills + 1}`;
      world.ec2.volumes.fails = (volume) => volume.tags.get(DRILL_TAG) === mine || fails(volume);
      assertRed(await drill({ instanceId: server.id }), 'NotRestoredError');
    });

    it('when the answer to the launch is lost, and launches no second one', async () => {
      const { server } = await backedUp();
      world.faults.add({
        service: 'ec2',
        action: 'RunInstances',
        nth: 1,
        when: ofNext(),
        fault: { kind: 'lostAnswer' },
      });
      const run = await drill({ instanceId: server.id });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal(launchedBy(run).length, 1);
      assert.deepEqual(leftOf(run), []);
    });

    it('but for the sweeper’s hour, when somebody stops it; one that still runs is left in peace', async () => {
      const stopped = await backedUp();
      const running = await backedUp();
      const at = async (run: Execution, state: string) => {
        while (!run.path.includes(state)) await account.clock.sleep(1_000);
      };
      const hang = (host: ModelHost) => {
        host.trouble.hang = (document) => (document === 'verify' ? 'before' : undefined);
      };
      const [first, second] = [stopped, running].map(({ server }) => start({ instanceId: server.id }, hang)) as [
        Execution,
        Execution,
      ];
      await Promise.all([at(first, DRILL_STATES.checkVerify), at(second, DRILL_STATES.checkVerify)]);
      first.stop();
      await first.ended;
      assert.equal(leftOf(first).length, 4, 'the instance, its root volume and two of the set');
      await account.stepFunctions.tick('rate(1 hour)');
      assert.deepEqual(leftOf(first), []);
      assert.equal(leftOf(second).length, 4);
      second.stop();
      await second.ended;
      await account.stepFunctions.tick('rate(1 hour)');
      assert.deepEqual(leftOf(second), []);
    });
  });

  it('a scratch instance is nobody’s to back up, and a restore of a person’s is nobody’s to sweep', async () => {
    const { server } = await backedUp('nightly');
    const restored = await account.stepFunctions.start(RESTORE, { instanceId: server.id }, 'drill-of-a-person').ended;
    assert.equal(restored.status, 'SUCCEEDED', restored.cause);
    await account.stepFunctions.tick('rate(1 hour)');
    const kept = [...world.ec2.volumes.all.values()].filter(
      ({ tags }) => tags.get('freezeframe:restore') === 'drill-of-a-person',
    );
    assert.equal(kept.length, 2);
  });
});

describe('Drill of copies', { timeout: 120_000 }, () => {
  /** Home copies to a vault in another account and Region, where a deployment drills what it finds. */
  const VAULT = { account: '210987654321', region: 'eu-west-1' };
  const policy = { schedule: 'rate(1 day)', retain: { last: 3 } };

  async function copiedSet() {
    const stack = await stackOf({ policies: { nightly: { ...policy, copyTo: [VAULT] } } });
    const drills = { nightly: { ...policy, drill: { ...DRILL_PLACE, copies: true } } };
    const stackThere = await stackOf({ policies: drills }, VAULT);
    const roleThere = await destinationIn(VAULT.account, stack.account);
    const latency = { snapshotCopyMs: 2_000 };
    const { account: home, refused } = await judgedAccount({ stack, latency }, roleThere, stackThere);
    const there = await home.alsoDeploy(stackThere);

    const server = home.launch({ mode: 'fs-freeze' });
    const backup = await home.backup(server);
    assert.equal(backup.status, 'SUCCEEDED', backup.cause);
    for (const round of ['begin', 'grade']) {
      const copied = await home.stepFunctions.start(COPY, VAULT, `copy-${round}`).ended;
      assert.equal(copied.status, 'SUCCEEDED', copied.cause);
      await home.clock.sleep(3_000);
    }
    const copies = [...there.world.ec2.snapshots.all.values()];
    assert.deepEqual(
      copies.map(({ tags }) => [tags.get(SET_TAGS.set), tags.get(SET_TAGS.grade)]),
      server.volumes.map(() => [backup.name, 'application']),
    );
    return { home, there, refused, server, set: backup.name, copies };
  }

  /** What a person does, or S3's replication. */
  function bringEvidence(from: { stack: Stack; world: World }, to: { stack: Stack; world: World }, key: string): void {
    const [here, there] = [from, to].map(({ stack }) => stack.buckets[0]?.name ?? '') as [string, string];
    to.world.s3.put(there, key, from.world.s3.get(here, key).body, 'application/json');
  }

  it('restores and verifies them where they lie, and stamps them and not their originals', async () => {
    const { home, there, refused, server, set, copies } = await copiedSet();
    bringEvidence(home.deployment, there, `sets/${server.id}/${set}.json`);
    await there.stepFunctions.fire('Freezeframe-drill-nightly', home.clock.now());
    const run = there.stepFunctions.executions.find(({ machine }) => machine.name === DRILL);
    assert.ok(run);
    assert.equal((await run.ended).status, 'SUCCEEDED', run.cause);

    const output = run.output as { from: string; judged: Judged; set: { id: string; startTime: string } };
    const [original] = home.snapshotsOf(set);
    assert.deepEqual([output.from, output.set.id, output.judged.verdict], [server.id, set, 'verified']);
    assert.equal(output.set.startTime, new Date(original?.startedAt ?? 0).toISOString());
    for (const { tags } of copies) {
      assert.match(tags.get(SET_TAGS.verified) ?? '', /^\d{4}/);
      assert.deepEqual(
        [...tags.keys()].filter((key) => key.startsWith(IN_RESTORE)),
        [],
        'let go of',
      );
    }
    assert.deepEqual(
      home.snapshotsOf(set).map(({ tags }) => tags.get(SET_TAGS.verified)),
      copies.map(() => undefined),
    );
    assert.deepEqual(leftOf(run, there.world), []);
    assert.equal(launchedBy(run, there.world).length, 1);
    assert.deepEqual(launchedBy(run, home.world), []);
    assert.deepEqual(refused, []);
  });

  it('whose evidence was not brought launches nothing, and says which object is missing and how to bring it', async () => {
    const { home, there, refused, server, set, copies } = await copiedSet();
    const start = (name: string) => there.stepFunctions.start(DRILL, { instanceId: server.id }, name).ended;
    const red = await start('drill-without');
    assert.deepEqual([red.status, red.error], ['FAILED', 'NoEvidenceError'], red.cause);
    const object = `s3://${there.stack.buckets[0]?.name}/sets/${server.id}/${set}.json`;
    assert.ok(red.cause?.includes(`no evidence to be read at ${object}: The specified key does not exist`), red.cause);
    assert.ok(red.cause?.includes(`aws s3 cp s3://BUCKET-AT-HOME/sets/${server.id}/${set}.json ${object}`), red.cause);
    assert.deepEqual(launchedBy(red, there.world), []);
    assert.ok(copies.every(({ tags }) => !tags.has(SET_TAGS.verified)));

    bringEvidence(home.deployment, there, `sets/${server.id}/${set}.json`);
    const green = await start('drill-with');
    assert.equal(green.status, 'SUCCEEDED', green.cause);
    assert.deepEqual(refused, []);
  });
});

describe('all of these drills', () => {
  it('did nothing that their policies refuse, and everything was judged', () => {
    assert.deepEqual(refused, []);
    for (const action of ['RunInstances', 'TerminateInstances', 'DeleteVolume', 'CreateTags', 'DescribeInstances'])
      assert.ok(judged.has(`ec2:${action}`), action);
  });
});
