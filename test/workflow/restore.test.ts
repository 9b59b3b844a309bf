/**
 * The Restore workflow end to end: the synthesised definition, the Lambdas as they ship, hosts that keep the contract, and
 * every call judged by the synthesised policies. Whatever goes wrong, nothing that was made is left and nothing that was
 * there is touched.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Volume } from '../../lab/aws/ec2-volumes.ts';
import type { Execution } from '../../lab/aws/execution.ts';
import type { QuietMode } from '../../lambdas/shared/contracts.ts';
import {
  DOCUMENTS,
  IN_RESTORE,
  RESTORE,
  RESTORE_STATES,
  RESTORE_TAGS,
  SET_TAGS,
  SWAP_TAGS,
  USER_TAGS,
} from '../../lambdas/shared/names.ts';
import { judgedAccount } from '../support/authorize.ts';
import type { Server } from '../support/model-account.ts';
import { ModelLaunches } from '../support/model-launches.ts';

const { account, world, refused, judged } = await judgedAccount();

let restores = 0;

let sets = 0;

interface BackedUp {
  readonly server: Server;
  /** Id of the set. */
  readonly set: string;
  readonly before: string;
}

/** A server with a set, as Backup leaves it; that Backup really does is the first test's matter. */
function backedUp(mode: QuietMode = 'fs-freeze'): BackedUp {
  const server = account.launch({ mode });
  const set = takeSet(server, mode);
  return { server, set, before: stateOf(server) };
}

function takeSet(server: Server, mode: QuietMode = 'fs-freeze', startedAt = world.clock.now()): string {
  sets += 1;
  const set = `${server.id}-set-${sets}`;
  const tags = { set, run: set, instance: server.id, grade: 'application', mode };
  for (const volumeId of server.volumes) {
    const image = `image-of-${set}-${volumeId}`;
    account.keepImage(image);
    const own = { ...tags, volume: volumeId };
    const named = Object.entries(own).map(([key, value]) => [SET_TAGS[key as keyof typeof SET_TAGS], value] as const);
    world.ec2.snapshots.put({ volumeId, image, startedAt, visibleAt: startedAt, tags: new Map(named) });
  }
  const devices = [...(world.ec2.instances.get(server.id)?.devices ?? [])];
  const lvmSnapshot = { takenAt: 1, valid: true, usedPercent: 1, removed: true };
  const evidence = {
    run: set,
    instance: server.id,
    topology: server.host.topology,
    volumes: devices.map(([device, volumeId]) => ({
      volumeId,
      device,
      root: device === '/dev/xvda',
      spec: specOf(world.ec2.volumes.find(volumeId)),
    })),
    receipt: { lvmSnapshots: [{ ...lvmSnapshot, origin: 'vg0/data', snapshot: 'vg0/ff_data' }] },
  };
  const body = Buffer.from(JSON.stringify(evidence));
  const [bucket] = account.deployment.stack.buckets;
  world.s3.put(bucket?.name ?? '', `sets/${server.id}/${set}.json`, body, 'application/json');
  return set;
}

/** As Inspect host notes it. */
const specOf = ({ type, sizeGiB, iops, throughput, encrypted, tags }: Volume) => ({
  ...{ type, sizeGiB, iops: iops ?? null, throughput: throughput ?? null, encrypted, kmsKeyId: null },
  tags: Object.fromEntries(tags),
});

async function restore(input: object): Promise<Execution> {
  restores += 1;
  return await account.stepFunctions.start(RESTORE, input, `restore-${restores}`).ended;
}

const madeBy = ({ name }: Execution): Volume[] =>
  [...world.ec2.volumes.all.values()].filter(({ tags }) => tags.get(RESTORE_TAGS.restore) === name);

/** All that a restore must not change of its original. */
const stateOf = (server: Server): string =>
  JSON.stringify([
    server.volumes
      .map((id) => world.ec2.volumes.all.get(id))
      .map((volume) => ({ ...volume?.attachment, at: 0, tags: [...(volume?.tags ?? [])] })),
    account.snapshotsOn(server).map(({ id, tags }) => [id, [...tags]]),
  ]);

/** What is attached where the array was, by device. */
const attachedTo = (server: Server): [string, string][] =>
  [...(world.ec2.instances.get(server.id)?.devices ?? [])].filter(([device]) => device !== '/dev/xvda').sort();

/** Red in this state with this error, nothing made left, the original as it was. */
function assertUndone(run: Execution, { server, before }: { server: Server; before: string }, error: string): void {
  assert.deepEqual([run.status, run.error], ['FAILED', error], run.cause);
  assert.deepEqual(madeBy(run), []);
  assert.equal(server.host.restored.size, 0);
  assert.equal(stateOf(server), before);
  assert.equal(world.ec2.instances.get(server.id)?.devices.size, server.volumes.length);
}

describe('Restore', { concurrency: 4, timeout: 120_000 }, () => {
  describe('that goes well', { concurrency: 2 }, () => {
    it('mounts the newest set beside the original, its volumes as the original ones were', async () => {
      const server = account.launch({ mode: 'fs-freeze' });
      const backup = await account.backup(server);
      assert.equal(backup.status, 'SUCCEEDED', backup.cause);
      const before = stateOf(server);
      const run = await restore({ instanceId: server.id });
      assert.equal(run.status, 'SUCCEEDED', run.cause);

      const made = madeBy(run);
      assert.deepEqual(
        made.map(({ tags }) => tags.get(RESTORE_TAGS.from)).sort(),
        server.volumes.slice(1).sort(),
        'the root volume is not asked for',
      );
      for (const volume of made) {
        assert.deepEqual(
          [volume.type, volume.iops, volume.throughput, volume.tags.get('team')],
          ['gp3', 4000, 250, 'data'],
        );
        assert.equal(volume.tags.get(RESTORE_TAGS.set), backup.name);
        assert.deepEqual([volume.attachment?.instanceId, volume.attachment?.state], [server.id, 'attached']);
      }
      const { mounted } = run.output as { mounted: { mounts: { mount: string; at: string; readOnly: boolean }[] } };
      assert.deepEqual(
        mounted.mounts.map(({ mount, at, readOnly }) => [mount, at, readOnly]),
        [['/srv/data', `/mnt/freezeframe/${run.name}/srv/data`, true]],
      );
      assert.equal(stateOf(server), before);
    });

    it('mounts on another instance, read-write, under the directory that was asked for', async () => {
      const { server } = backedUp();
      const other = account.launch();
      const run = await restore({ instanceId: server.id, target: other.id, access: 'rw', under: '/restored' });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(other.host.restored.get(run.name), [`/restored/${run.name}/srv/data`]);
      assert.equal(server.host.restored.size, 0);
    });

    it('restores the whole when the root file system is named, from a set of an instance that is gone', async () => {
      const { server } = backedUp();
      const other = account.launch();
      world.ec2.instances.delete(server.id);
      const run = await restore({ instanceId: server.id, target: other.id, mounts: ['/', '/srv/data'] });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal(madeBy(run).length, server.volumes.length);
    });

    it('has the LVM snapshots merged that hold the state of the set, and only then', async () => {
      for (const [mode, merges] of [
        ['lvm-snapshot', 1],
        ['fs-freeze', 0],
      ] as const) {
        const { server } = backedUp(mode);
        const run = await restore({ instanceId: server.id });
        assert.equal(run.status, 'SUCCEEDED', run.cause);
        const plan = server.host.steps.at(-1)?.parameters.Plan ?? '';
        const lines = Buffer.from(plan, 'base64').toString().split('\n');
        assert.equal(lines.filter((line) => line.startsWith('merge ')).length, merges, mode);
      }
    });

    it('takes the set that was named, or the newest of a time', async () => {
      const server = account.launch();
      const begun = world.clock.now() - 60_000;
      const first = takeSet(server, 'fs-freeze', begun);
      const second = takeSet(server);
      for (const [wish, set] of [
        [{}, second],
        [{ set: first }, first],
        [{ before: new Date(begun).toISOString() }, first],
      ] as const) {
        const run = await restore({ instanceId: server.id, ...wish });
        assert.equal((run.output as { set: { id: string } } | undefined)?.set.id, set, run.cause);
      }
    });

    it('makes volumes of copies, whose own volume is made up and whose key is that of their place', async () => {
      const { server, set } = backedUp();
      const other = account.launch();
      const [bucket] = account.deployment.stack.buckets;
      const key = `sets/${server.id}/${set}.json`;
      const evidence = JSON.parse(world.s3.get(bucket?.name ?? '', key).body.toString());
      for (const { spec } of evidence.volumes) Object.assign(spec, { encrypted: true, kmsKeyId: 'arn:aws:kms:home' });
      world.s3.put(bucket?.name ?? '', key, Buffer.from(JSON.stringify(evidence)), 'application/json');
      for (const snapshot of account.snapshotsOf(set)) {
        Object.assign(snapshot, { volumeId: 'vol-ffffffff', encrypted: true });
        snapshot.tags.set(SET_TAGS.source, 'snap-0123456789abcdef0').set(SET_TAGS.started, '2026-11-20T03:00:00.000Z');
      }
      const run = await restore({ instanceId: server.id, target: other.id });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal((run.output as { set: { startTime: string } }).set.startTime, '2026-11-20T03:00:00.000Z');
      assert.deepEqual(
        madeBy(run).map(({ tags, encrypted, kmsKeyId }) => [tags.get(RESTORE_TAGS.from), encrypted, kmsKeyId]),
        server.volumes.slice(1).map((id) => [id, true, undefined]),
      );
    });

    it('leaves the backups of its original as they were', async () => {
      const { server } = backedUp();
      assert.equal((await restore({ instanceId: server.id })).status, 'SUCCEEDED');
      const run = await account.backup(server);
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(
        account
          .snapshotsOf(run.name)
          .map(({ volumeId }) => volumeId)
          .sort(),
        [...server.volumes].sort(),
      );
    });

    it('finds device names that are free', async () => {
      const { server } = backedUp();
      const run = await restore({ instanceId: server.id });
      assert.deepEqual(
        madeBy(run)
          .map(({ attachment }) => attachment?.device)
          .sort(),
        ['/dev/sdh', '/dev/sdi'],
      );
    });
  });

  describe('refuses before anything is made', { concurrency: 2 }, () => {
    it('what is no instance, no set, no mount of it', async () => {
      const { server, before } = backedUp();
      const untagged = account.launch({ tags: { 'freezeframe:policy': '' } });
      for (const [input, error] of [
        [{ set: 'no-such-run' }, 'NoSuchSetError'],
        [{ before: '2001-01-01T00:00:00Z' }, 'NoSuchSetError'],
        [{ mounts: ['/no/such'] }, 'NotInSetError'],
        [{ target: 'i-0dddddddddddddddd' }, 'NotAnInstanceError'],
        [{ target: untagged.id }, 'NotTaggedError'],
        [{ under: '/a;id' }, 'BadInputError'],
        [{ tarqet: server.id }, 'BadInputError'],
      ] as const) {
        const run = await restore({ instanceId: server.id, ...input });
        assertUndone(run, { server, before }, error);
      }
    });

    it('a set whose snapshots are not completed, or whose evidence lacks a volume', async () => {
      const { server, set, before } = backedUp();
      const [, data] = account.snapshotsOf(set);
      (data as { state: string }).state = 'pending';
      assertUndone(await restore({ instanceId: server.id }), { server, before }, 'SetIncompleteError');
      (data as { state: string }).state = 'completed';
      (data as { deleted: boolean }).deleted = true;
      assertUndone(await restore({ instanceId: server.id }), { server, before: stateOf(server) }, 'NotInSetError');
    });

    it('a set whose evidence is not there, and says where it should be and how to bring it', async () => {
      const { server, set, before } = backedUp();
      const [bucket] = account.deployment.stack.buckets;
      const object = `s3://${bucket?.name}/sets/${server.id}/${set}.json`;
      world.s3.buckets.get(bucket?.name ?? '')?.delete(`sets/${server.id}/${set}.json`);
      const run = await restore({ instanceId: server.id });
      assertUndone(run, { server, before }, 'NoEvidenceError');
      assert.ok(run.cause?.includes(`at ${object}: The specified key does not exist`), run.cause);
      assert.ok(
        run.cause?.includes(`aws s3 cp s3://BUCKET-AT-HOME/sets/${server.id}/${set}.json ${object}`),
        run.cause,
      );
    });

    it('a set whose evidence may not be read, in S3’s own words; a passing trouble of S3 it waits out', async () => {
      const { server, before } = backedUp();
      const fault = (code: string, status: number) => ({ kind: 'error', code, status }) as const;
      const ofServer = (input: unknown) => JSON.stringify(input).includes(server.id);
      const reading = { service: 's3', action: 'GetObject', when: ofServer } as const;
      world.faults.add({ ...reading, nth: 1, fault: { ...fault('AccessDenied', 403), message: 'Access Denied' } });
      const refusedOnce = await restore({ instanceId: server.id });
      assertUndone(refusedOnce, { server, before }, 'NoEvidenceError');
      assert.match(refusedOnce.cause ?? '', /json: Access Denied/);
      world.faults.add({ ...reading, nth: [1, 2, 3, 4], fault: fault('SlowDown', 503) });
      assert.equal((await restore({ instanceId: server.id })).status, 'SUCCEEDED');
    });

    it('a set that is being deleted, or has lost a member', async () => {
      const { server, set, before } = backedUp();
      const [first] = account.snapshotsOf(set);
      first?.tags.set(SET_TAGS.members, '4');
      assertUndone(await restore({ instanceId: server.id }), { server, before: stateOf(server) }, 'SetIncompleteError');
      first?.tags.delete(SET_TAGS.members);
      first?.tags.set(SET_TAGS.deleting, '2026-11-22T03:00:00Z');
      assertUndone(await restore({ instanceId: server.id }), { server, before: stateOf(server) }, 'SetDeletedError');
      first?.tags.delete(SET_TAGS.deleting);
      assert.equal(stateOf(server), before);
    });

    it('an unproven set, unless it is named', async () => {
      const { server, set } = backedUp();
      for (const { tags } of account.snapshotsOf(set)) tags.set(SET_TAGS.grade, 'unproven');
      const before = stateOf(server);
      assertUndone(await restore({ instanceId: server.id }), { server, before }, 'NoSuchSetError');
      assert.equal((await restore({ instanceId: server.id, set })).status, 'SUCCEEDED');
    });
  });

  describe('that swaps', { concurrency: 2 }, () => {
    it('puts the copies in the place of the originals, device for device, and keeps these aside', async () => {
      const { server, set } = backedUp('lvm-snapshot');
      const places = attachedTo(server);
      const run = await restore({ instanceId: server.id, swap: true });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.deepEqual(
        attachedTo(server).map(([device, id]) => [device, world.ec2.volumes.find(id).tags.get(RESTORE_TAGS.from)]),
        places,
      );
      for (const [device, id] of places) {
        const { state, tags } = world.ec2.volumes.find(id);
        assert.deepEqual(
          [state, tags.get(SWAP_TAGS.swappedOut), tags.get(SWAP_TAGS.device)],
          ['available', run.name, device],
        );
      }
      for (const { tags } of madeBy(run)) assert.ok(!tags.has(USER_TAGS.exclude), 'it is part of the next backups');
      assert.deepEqual(
        [...server.host.place].sort(),
        madeBy(run)
          .map(({ id }) => id)
          .sort(),
      );
      assert.ok(server.host.serving);
      const { mounted, attached } = run.output as {
        mounted: { mounts: { at: string }[] };
        attached: { kept: string[] };
      };
      assert.deepEqual(
        mounted.mounts.map(({ at }) => at),
        ['/srv/data'],
      );
      assert.deepEqual(attached.kept.sort(), places.map(([, id]) => id).sort());
      assert.equal(account.snapshotsOf(set).length, server.volumes.length);
    });

    it('once more, over what an earlier swap has put there', async () => {
      const { server } = backedUp();
      const first = await restore({ instanceId: server.id, swap: true });
      const again = await restore({ instanceId: server.id, swap: true });
      assert.equal(again.status, 'SUCCEEDED', again.cause);
      assert.deepEqual(
        attachedTo(server)
          .map(([, id]) => id)
          .sort(),
        madeBy(again)
          .map(({ id }) => id)
          .sort(),
      );
      for (const { tags } of madeBy(first)) assert.equal(tags.get(SWAP_TAGS.swappedOut), again.name);
    });

    it('nothing that is no volume of the set, nor the root volume, nor elsewhere', async () => {
      const { server, before } = backedUp();
      const other = account.launch();
      for (const [input, error] of [
        [{ mounts: ['/'] }, 'NotSwappableError'],
        [{ target: other.id }, 'BadInputError'],
      ] as const)
        assertUndone(await restore({ instanceId: server.id, swap: true, ...input }), { server, before }, error);
      const [place] = attachedTo(server);
      const [device = ''] = place ?? [];
      const [, theirs = ''] = attachedTo(other)[0] ?? [];
      world.ec2.instances.get(server.id)?.devices.set(device, theirs);
      const run = await restore({ instanceId: server.id, swap: true });
      assert.deepEqual([run.status, run.error], ['FAILED', 'NotSwappableError']);
      assert.deepEqual(madeBy(run), []);
    });

    const FAULTS: readonly [string, string, (it: BackedUp) => void][] = [
      [
        'the host does not let go of the originals',
        'RestoreInUseError',
        ({ server }) => {
          server.host.trouble.fail = (_, { Act }) => (Act === 'vacate' ? 'RestoreInUse' : undefined);
        },
      ],
      [
        'the host is silent when it is asked to',
        'UnexpectedAnswerError',
        ({ server }) => {
          const acts = server.host.steps;
          server.host.trouble.garble = () =>
            acts.at(-1)?.parameters.Act === 'vacate' ? 'Segmentation fault' : undefined;
        },
      ],
      [
        'a copy is never attached',
        'AttachTimeoutError',
        ({ server }) => {
          const hangs = world.ec2.volumes.hangs;
          world.ec2.volumes.hangs = (volume) =>
            volume.tags.get(RESTORE_TAGS.from) === server.volumes[1] || hangs(volume);
        },
      ],
      [
        'the set does not come up in its new place',
        'ArrayIncompleteError',
        ({ server }) => {
          let asked = 0;
          server.host.trouble.fail = (_, { Act }) => {
            if (Act === 'occupy') asked += 1;
            return Act === 'occupy' && asked === 1 ? 'ArrayIncomplete' : undefined;
          };
        },
      ],
      [
        'the application does not start on the set',
        'ServiceFailedError',
        ({ server }) => {
          let asked = 0;
          server.host.trouble.fail = (_, { Act }) => {
            if (Act === 'occupy') asked += 1;
            return Act === 'occupy' && asked === 1 ? 'ServiceFailed' : undefined;
          };
        },
      ],
      [
        'EC2 does not attach a copy',
        'NotPermittedError',
        ({ server }) => {
          const mine = ({ VolumeId = '' }: { VolumeId?: string }) =>
            world.ec2.volumes.all.get(VolumeId)?.tags.get(RESTORE_TAGS.from) === server.volumes[2];
          world.faults.add({
            service: 'ec2',
            action: 'AttachVolume',
            when: (input) => mine(input as { VolumeId?: string }),
            fault: { kind: 'error', code: 'UnauthorizedOperation', message: 'You are not authorized', status: 403 },
          });
        },
      ],
    ];
    for (const [title, error, trouble] of FAULTS) {
      it(`and fails, for ${title}: the originals are back in place, in use and untagged`, async () => {
        const it = backedUp();
        const places = attachedTo(it.server);
        trouble(it);
        const run = await restore({ instanceId: it.server.id, swap: true });
        assertUndone(run, it, error);
        assert.deepEqual(attachedTo(it.server), places);
        assert.deepEqual([...it.server.host.place], it.server.volumes.slice(1));
        assert.ok(it.server.host.serving);
      });
    }

    it('and can’t get back says both errors, and deletes nothing', async () => {
      const it = backedUp();
      it.server.host.trouble.fail = (_, { Act }) => (Act === 'occupy' ? 'ServiceFailed' : undefined);
      const run = await restore({ instanceId: it.server.id, swap: true });
      assert.deepEqual([run.status, run.error], ['FAILED', 'ServiceFailedError']);
      assert.match(run.cause ?? '', /the restore had failed with ServiceFailedError/);
      assert.deepEqual(
        attachedTo(it.server)
          .map(([, id]) => id)
          .sort(),
        [...it.server.volumes.slice(1)].sort(),
      );
      assert.equal(madeBy(run).length, 2);
    });
  });

  describe('that launches an instance of its own', { concurrency: 2 }, () => {
    const launches = new ModelLaunches(account);
    const { template, zone } = launches;
    const instancesOf = ({ name }: Execution) =>
      [...world.ec2.instances.values()].filter(
        ({ tags, state }) => tags.get(RESTORE_TAGS.restore) === name && state !== 'terminated',
      );
    const imagesOf = ({ name }: Execution) =>
      [...world.ec2.launches.images.all.values()].filter(({ tags }) => tags.get(RESTORE_TAGS.restore) === name);
    const assertNothingLeft = (run: Execution, { server, before }: BackedUp, error: string) => {
      assertUndone(run, { server, before }, error);
      assert.deepEqual([instancesOf(run), imagesOf(run)], [[], []]);
    };

    it('mounts on it what a template has launched, in its own Availability Zone', async () => {
      const { server } = backedUp();
      const run = await restore({ instanceId: server.id, launch: { template } });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      const [instance, ...more] = instancesOf(run);
      assert.deepEqual(more, []);
      assert.ok(!instance?.tags.has(USER_TAGS.policy), 'it is not backed up unless somebody wants that');
      const { instanceId, mounted } = run.output as { instanceId: string; mounted: { mounts: { at: string }[] } };
      assert.equal(instanceId, instance?.id);
      assert.deepEqual(
        madeBy(run).map(({ availabilityZone, attachment }) => [availabilityZone, attachment?.instanceId]),
        server.volumes.slice(1).map(() => [zone, instanceId]),
      );
      assert.deepEqual(
        mounted.mounts.map(({ at }) => at),
        [`/mnt/freezeframe/${run.name}/srv/data`],
      );
    });

    it('boots it from the root volume of the set, with the data volumes in their place', async () => {
      for (const mode of ['fs-freeze', 'lvm-snapshot'] as const) {
        const { server, before } = backedUp(mode);
        const run = await restore({ instanceId: server.id, launch: { template, root: 'set' } });
        assert.equal(run.status, 'SUCCEEDED', run.cause);
        const [instance] = instancesOf(run);
        assert.deepEqual([...(instance?.devices.keys() ?? [])].sort(), ['/dev/sdf', '/dev/sdg', '/dev/xvda']);
        for (const device of ['/dev/sdf', '/dev/sdg']) {
          const { type, iops, throughput } = world.ec2.volumes.find(instance?.devices.get(device));
          assert.deepEqual([type, iops, throughput], ['gp3', 4000, 250]);
        }
        assert.deepEqual(
          imagesOf(run).map(({ architecture }) => architecture),
          ['arm64'],
          'as the template has it',
        );
        const { mounted } = run.output as { mounted: { mounts: { at: string }[] } };
        assert.deepEqual(
          mounted.mounts.map(({ at }) => at),
          ['/srv/data'],
        );
        const plan = Buffer.from(launches.hosts.get(instance?.id ?? '')?.steps.at(-1)?.parameters.Plan ?? '', 'base64');
        assert.equal(/^merge /m.test(plan.toString()), mode === 'lvm-snapshot');
        assert.ok(!plan.includes(instance?.devices.get('/dev/xvda') ?? ''), 'the root volume is the system’s');
        assert.equal(stateOf(server), before);
      }
    });

    it('launches one, though the answer to RunInstances is lost', async () => {
      const it = backedUp();
      const mine = (input: unknown) => JSON.stringify(input).includes(it.set);
      world.faults.add({ service: 'ec2', action: 'RunInstances', nth: 1, when: mine, fault: { kind: 'lostAnswer' } });
      const run = await restore({ instanceId: it.server.id, launch: { template } });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal(instancesOf(run).length, 1);
    });

    it('refuses what contradicts itself, and templates that are not there', async () => {
      const it = backedUp();
      for (const [input, error] of [
        [{ swap: true, launch: { template } }, 'BadInputError'],
        [{ target: it.server.id, launch: { template } }, 'BadInputError'],
        [{ launch: { template: 'no-such' } }, 'BadTemplateError'],
        [{ launch: { template: 'no such;' } }, 'BadInputError'],
      ] as const)
        assertNothingLeft(await restore({ instanceId: it.server.id, ...input }), it, error);
    });

    it('and leaves nothing of it when its agent never starts, or the host refuses', async () => {
      for (const [trouble, error] of [
        [() => false, 'LaunchTimeoutError'],
        [
          (host: { trouble: { fail?: (_: unknown, asked: Record<string, string>) => 'MountFailed' | undefined } }) => {
            host.trouble.fail = (_, { Act }) => (Act === 'mount' || Act === 'occupy' ? 'MountFailed' : undefined);
            return true;
          },
          'MountFailedError',
        ],
      ] as const) {
        for (const root of ['template', 'set']) {
          const it = backedUp();
          const ours = new Set(launches.hosts.keys());
          const boots = launches.boots;
          launches.boots = (host) => trouble(host as never);
          const run = await restore({ instanceId: it.server.id, launch: { template, root } });
          launches.boots = boots;
          assertNothingLeft(run, it, error);
          assert.deepEqual(
            [...launches.hosts.keys()].filter((id) => !ours.has(id)),
            [],
          );
        }
      }
    });
  });

  it('holds its set while it works, and lets go of it whatever comes of it', async () => {
    for (const code of [undefined, 'MountFailed'] as const) {
      const { server, set } = backedUp();
      const held = () =>
        account.snapshotsOf(set).map(({ tags }) => [...tags.keys()].filter((key) => key.startsWith(IN_RESTORE)));
      const during: string[][][] = [];
      server.host.trouble.fail = (_, { Act }) => {
        during.push(held());
        return Act === 'mount' ? code : undefined;
      };
      const run = await restore({ instanceId: server.id });
      assert.equal(run.status, code ? 'FAILED' : 'SUCCEEDED', run.cause);
      assert.ok(during.length > 0);
      for (const seen of during)
        assert.deepEqual(
          seen,
          server.volumes.map(() => [`${IN_RESTORE}${run.name}`]),
        );
      assert.deepEqual(
        held(),
        server.volumes.map(() => []),
      );
    }
  });

  describe('that fails leaves nothing of its own and the original as it was', { concurrency: 2 }, () => {
    const ofRestoreOf = (server: Server) => (volume: Volume) =>
      server.volumes.includes(volume.tags.get(RESTORE_TAGS.from) ?? '');

    it('when a volume can’t be made of its snapshot', async () => {
      const it = backedUp();
      const fails = world.ec2.volumes.fails;
      world.ec2.volumes.fails = (volume) =>
        volume.tags.get(RESTORE_TAGS.from) === it.server.volumes[2] || fails(volume);
      assertUndone(await restore({ instanceId: it.server.id }), it, 'VolumeFailedError');
    });

    it('when an attachment never finishes', async () => {
      const it = backedUp();
      const hangs = world.ec2.volumes.hangs;
      world.ec2.volumes.hangs = (volume) =>
        volume.tags.get(RESTORE_TAGS.from) === it.server.volumes[1] || hangs(volume);
      assertUndone(await restore({ instanceId: it.server.id }), it, 'AttachTimeoutError');
    });

    it('when the instance has no device name left', async () => {
      const it = backedUp();
      const devices = world.ec2.instances.get(it.server.id)?.devices as Map<string, string>;
      const names = ['b', 'c'].flatMap((a) => [...'abcdefghijklmnopqrstuvwxyz'].map((b) => `/dev/xvd${a}${b}`));
      for (const name of [...[...'hijklmnop'].map((letter) => `/dev/xvd${letter}`), ...names])
        devices.set(name, 'vol-0eeeeeeeeeeeeeeee');
      const run = await restore({ instanceId: it.server.id });
      assert.deepEqual([run.status, run.error], ['FAILED', 'NoDeviceNameError'], run.cause);
      assert.deepEqual(madeBy(run), []);
    });

    for (const [act, code] of [
      ['prepare', 'HostUnfit'],
      ['mount', 'ArrayIncomplete'],
      ['mount', 'MountFailed'],
    ] as const) {
      it(`when the host answers ${code} to ${act}`, async () => {
        const it = backedUp();
        it.server.host.trouble.fail = (_, { Act: asked }) => (asked === act ? code : undefined);
        assertUndone(await restore({ instanceId: it.server.id }), it, `${code}Error`);
      });
    }

    it('when the host can’t be asked any more, to mount or to release', async () => {
      const it = backedUp();
      it.server.host.trouble.garble = (document) => (document === DOCUMENTS.restore ? 'Segmentation fault' : undefined);
      assertUndone(await restore({ instanceId: it.server.id }), it, 'UnexpectedAnswerError');
    });

    it('when the answer to a CreateVolume is lost: the volume is made once, or found and removed', async () => {
      const it = backedUp();
      const mine = (input: unknown) => JSON.stringify(input).includes(it.server.volumes[1] as string);
      world.faults.add({ service: 'ec2', action: 'CreateVolume', nth: 1, when: mine, fault: { kind: 'lostAnswer' } });
      const run = await restore({ instanceId: it.server.id });
      assert.equal(run.status, 'SUCCEEDED', run.cause);
      assert.equal(madeBy(run).filter(ofRestoreOf(it.server)).length, 2);
    });

    it('but keeps it where it is when keepOnFailure was asked for', async () => {
      const it = backedUp();
      it.server.host.trouble.fail = (_, { Act: asked }) => (asked === 'mount' ? 'MountFailed' : undefined);
      const run = await restore({ instanceId: it.server.id, keepOnFailure: true });
      assert.deepEqual([run.status, run.error], ['FAILED', 'MountFailedError']);
      assert.equal(madeBy(run).length, 2);
      assert.ok(!run.path.includes(RESTORE_STATES.removeVolumes));
      assert.equal(stateOf(it.server), it.before);
    });
  });
});

describe('all of these restores', () => {
  it('did nothing that their policies refuse, and everything was judged', () => {
    assert.deepEqual(refused, []);
    for (const action of ['CreateVolume', 'AttachVolume', 'DetachVolume', 'DeleteVolume'])
      assert.ok(judged.has(`ec2:${action}`));
    assert.ok(judged.has('s3:GetObject'));
  });
});
