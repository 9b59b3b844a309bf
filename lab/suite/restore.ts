import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DetachVolumeCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { GetCommandInvocationCommand, SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { QuietMode } from '../../lambdas/shared/contracts.ts';
import { DOCUMENTS, RESTORE, RESTORE_STATES, RESTORE_TAGS, SWAP_TAGS, USER_TAGS } from '../../lambdas/shared/names.ts';
import type { RestoreAnswer } from '../../lambdas/shared/restore-contracts.ts';
import type { Account, Instance } from '../account.ts';
import type { Volume } from '../aws/ec2-volumes.ts';
import type { Execution } from '../aws/execution.ts';
import { promisesBroken } from '../promise.ts';
import { LAUNCH } from '../synthesise.ts';
import * as workload from '../workload.ts';
import { expectationOf } from './cells.ts';
import { type Column, drop, type Taken, take } from './column.ts';
import { mountsOf } from './leftovers.ts';
import type { Choice } from './matrix.ts';
import { type Report, refute } from './report.ts';

const MODES: readonly QuietMode[] = ['lvm-snapshot', 'fs-freeze', 'app-only'];

/** Every topology and mode restored beside the running original, on another machine and in its place; two databases at once. */
export async function restore(account: Account, report: Report, choice: Choice): Promise<void> {
  report.title('Sets restored by the workflow, beside the original, elsewhere and in its place');
  const all = Object.keys(workload.TOPOLOGIES) as workload.Topology[];
  for (const topology of all.filter((each) => !choice.topology || each === choice.topology)) {
    const modes = MODES.filter(
      (mode) => (!choice.mode || mode === choice.mode) && !expectationOf(mode, topology).error,
    );
    const engines: readonly workload.Engine[] = topology === 'data-and-log' ? ['mariadb', 'postgresql'] : ['mariadb'];
    if (modes.length === 0) continue;
    await report.try('restore', `${topology} stands`, async () => {
      await column(account, report, { part: 'restore', topology, engines, modes });
      return `${modes.join(', ')} tried`;
    });
  }
}

async function column(account: Account, report: Report, of: Column): Promise<void> {
  const { topology, engines, modes } = of;
  const source = await account.launch({
    tags: { [USER_TAGS.policy]: 'lab' },
    dataVolumes: workload.TOPOLOGIES[topology],
  });
  try {
    await workload.provision(source.machine, topology, source.data, engines);
    // As after a boot: every device with the links that are its own, and the database that starts with the host.
    await source.host.exec(`mkdir -p /etc/systemd/system/mariadb.service.d
      printf '[Unit]\nRequiresMountsFor=%s\n' ${mountsOf(topology).join(' ')} >/etc/systemd/system/mariadb.service.d/data.conf
      systemctl daemon-reload; systemctl -q enable mariadb
      udevadm trigger --subsystem-match=block --action=change; udevadm settle`);
    for (const mode of modes) {
      const name = `${topology} ${mode}`;
      let taken: Taken | undefined;
      await report.try('restore', `${name} taken`, async () => {
        await workload.startWriters(source.machine, topology, [...engines, 'files']);
        account.world.ec2.instances.get(source.id)?.tags.set(USER_TAGS.mode, mode);
        taken = await take(account, source, of);
        // From here on the original has to stay as it is, to the byte.
        await workload.stopWriters(source.machine, [...engines, 'files']);
        return `grade ${taken.grade}`;
      });
      const set = taken;
      if (!set) continue;
      for (const access of ['rw', 'ro'] as const) {
        await report.try('restore', `${name} beside the original, ${access}`, () =>
          beside(account, source, of, set, access),
        );
      }
      for (const access of topology === 'root' ? [] : (['rw', 'ro'] as const)) {
        const when = access === 'rw' ? 'in the middle and later' : 'later';
        await report.try('restore', `${name} beside the original, ${access}, which restarts ${when}`, () =>
          restarted(account, source, of, set, access),
        );
      }
      await report.try('restore', `${name} on another machine`, () => elsewhere(account, source, of, set));
      if (topology !== 'luks-lvm-xfs') {
        await report.try('restore', `${name} on a machine that is launched for it`, () =>
          launched(account, source, of, set, 'template'),
        );
      }
      await report.try('restore', `${name} as a machine that boots from it`, () =>
        launched(account, source, of, set, 'set'),
      );
      if (topology !== 'root') {
        await report.try('restore', `${name} swapped, and back since the database does not start`, () =>
          swappedBack(account, source, of, set),
        );
        await report.try('restore', `${name} swapped`, () => swapped(account, source, of, set));
      }
      await drop(account, set.run);
    }
  } finally {
    await account.terminate(source);
  }
}

/** Restored on the very machine that has the original: nothing clashes, nothing of the original changes, nothing is left. */
async function beside(
  account: Account,
  source: Instance,
  of: Column,
  set: Taken,
  access: 'ro' | 'rw',
): Promise<string> {
  const before = await stateOf(source, of);
  const run = await restored(account, source, of, set, { access });
  const twins = access === 'rw' ? await twinsOn(source) : [];
  const seen = await verified(source, of, set, run.mounts, access);
  const during = await stateOf(source, of);
  await takeAway(account, source, run.name);
  const after = await stateOf(source, of);
  refute([
    ...twins.map((uuid) => `the uuid ${uuid} is on the original and on the copy`),
    during !== before && `beside its copy the original has become ${during} from ${before}`,
    after !== before && `after the release the original has become ${after} from ${before}`,
    ...(await leftOn(source)),
  ]);
  return seen;
}

/** Within the three minutes that an attachment may take, and longer than a guest boots. */
const BOOT_MS = 170_000;

/** The host is reset when the copy is mounted, rw also in the middle of the restore: its boot takes the copy for nothing. */
async function restarted(
  account: Account,
  source: Instance,
  of: Column,
  set: Taken,
  access: 'ro' | 'rw',
): Promise<string> {
  await stopPostgresql(source, of);
  const alike = { ...of, engines: ['mariadb'] } satisfies Column;
  const before = await stateOf(source, alike);
  const start = () => startRestore(account, source, of, set, { access });
  const execution = access === 'rw' ? await resetInTheMiddle(account, source, start) : await start().ended;
  refute([execution.status !== 'SUCCEEDED' && `the restore ended ${execution.error}: ${execution.cause}`]);
  const { mounted } = execution.output as { mounted: Pick<RestoreAnswer, 'mounts'> };
  const seen = await verified(source, alike, set, mounted.mounts, access);
  await source.machine.reboot({ hard: true });
  await cameUp(source);
  const later = await stateOf(source, alike);
  await takeAway(account, source, execution.name);
  const after = await stateOf(source, alike);
  refute([
    later !== before && `booted beside its copy the original has become ${later} from ${before}`,
    after !== before && `after the release the original has become ${after} from ${before}`,
    ...madeBy(account, execution.name).map(({ id }) => `${id} is left`),
    ...(await leftOn(source)),
  ]);
  return `the original came up as it was; ${seen}`;
}

/** When the volumes are attached and nothing on them has a name of its own yet. */
async function resetInTheMiddle(account: Account, source: Instance, start: () => Execution): Promise<Execution> {
  const { stepFunctions } = account.deployment;
  const { latency } = account.world;
  const { volumeMs } = latency;
  const restart = Promise.withResolvers<void>();
  stepFunctions.onEnter = ({ machine, name }, state) => {
    if (machine.name !== RESTORE || state !== RESTORE_STATES.attachVolumes) return;
    stepFunctions.onEnter = undefined;
    // The guest has its disks at once, EC2 says so when the guest has booted with them.
    latency.volumeMs = BOOT_MS;
    const areThere = () => madeBy(account, name).every(({ id }) => account.volumes.attachedTo(id) === source.id);
    void (async () => {
      while (!areThere()) await sleep(100);
      await source.machine.reboot({ hard: true });
    })().then(restart.resolve, restart.reject);
  };
  const execution = await start().ended;
  latency.volumeMs = volumeMs;
  await restart.promise;
  await cameUp(source);
  return execution;
}

/** The host has started all that starts at a boot, the database among it. */
async function cameUp({ host }: Instance): Promise<void> {
  await host.exec('systemctl is-system-running --wait || true', { timeoutMs: 300_000 });
}

async function elsewhere(account: Account, source: Instance, of: Column, set: Taken): Promise<string> {
  await source.machine.pause();
  const other = await account.launch({ tags: { [USER_TAGS.policy]: 'lab' } });
  try {
    if (of.topology === 'luks-lvm-xfs') await keyed(account, source, of, set, other);
    const run = await restored(account, source, of, set, { access: 'rw', target: other.id });
    const seen = await verified(other, of, set, run.mounts, 'rw');
    await takeAway(account, other, run.name);
    refute(await leftOn(other));
    return seen;
  } finally {
    await account.terminate(other);
    await source.machine.resume();
  }
}

/** Without the key nothing is left; the error says where it is to be put, and there it is put. */
async function keyed(account: Account, source: Instance, of: Column, set: Taken, other: Instance): Promise<void> {
  const execution = await startRestore(account, source, of, set, { target: other.id }).ended;
  const [, place = ''] =
    /put the key file at (\/etc\/freezeframe\/keys\/[-0-9a-f]{36}) /.exec(execution.cause ?? '') ?? [];
  refute([
    execution.error !== 'KeyMissingError' && `the restore ended ${execution.error}: ${execution.cause}`,
    !place && `nothing says where the key belongs: ${execution.cause}`,
    ...madeBy(account, execution.name).map(({ id }) => `${id} is left`),
    ...(await leftOn(other)),
  ]);
  await other.host.exec(`install -D -m 0400 /etc/lab.key ${place}`);
}

/** A swap whose database does not start on the set: the host is as if nothing had happened, the database running. */
async function swappedBack(account: Account, source: Instance, of: Column, set: Taken): Promise<string> {
  await stopPostgresql(source, of);
  const before = await stateOf(source, { ...of, engines: ['mariadb'] });
  const devices = JSON.stringify([...(account.world.ec2.instances.get(source.id)?.devices ?? [])]);
  await source.host.exec(`mkdir -p /run/systemd/system/mariadb.service.d
    printf '[Service]\nExecStartPre=+/bin/sh -c "test ! -e /run/lab/refuse || { rm /run/lab/refuse; exit 1; }"\n' \
      >/run/systemd/system/mariadb.service.d/refuse.conf
    systemctl daemon-reload; mkdir -p /run/lab; touch /run/lab/refuse`);
  const execution = await startRestore(account, source, of, set, { swap: true }).ended;
  await source.host.exec('rm /run/systemd/system/mariadb.service.d/refuse.conf; systemctl daemon-reload');
  const after = await stateOf(source, { ...of, engines: ['mariadb'] });
  refute([
    execution.error !== 'ServiceFailedError' && `the restore ended ${execution.error}: ${execution.cause}`,
    after !== before && `the original has become ${after} from ${before}`,
    JSON.stringify([...(account.world.ec2.instances.get(source.id)?.devices ?? [])]) !== devices &&
      'other volumes are attached than before',
    ...madeBy(account, execution.name).map(({ id }) => `${id} is left`),
  ]);
  return `${execution.error}, and the original is as before, its database running`;
}

/** On an instance of the template's own image, or on one that boots from the set's root volume as the original would. */
async function launched(
  account: Account,
  source: Instance,
  of: Column,
  set: Taken,
  root: 'template' | 'set',
): Promise<string> {
  await source.machine.pause();
  try {
    const { template } = LAUNCH;
    const execution = await startRestore(account, source, of, set, { access: 'rw', launch: { template, root } }).ended;
    refute([execution.status !== 'SUCCEEDED' && `the restore ended ${execution.error}: ${execution.cause}`]);
    const { instanceId, mounted } = execution.output as { instanceId: string; mounted: Pick<RestoreAnswer, 'mounts'> };
    const instance = account.instances.find(({ id }) => id === instanceId);
    if (!instance) throw new Error(`${instanceId} is not there`);
    try {
      if (root === 'template') return await verified(instance, of, set, mounted.mounts, 'rw');
      await cameUp(instance);
      return await runsInPlace(instance, of, set);
    } finally {
      await endInstance(account, instanceId, execution.name);
    }
  } finally {
    await source.machine.resume();
  }
}

/** As docs/restore.md has it for a person. */
async function endInstance(account: Account, instanceId: string, restoreName: string): Promise<void> {
  const { ec2, world } = account;
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
  for (const { id, tags } of [...world.ec2.launches.images.all.values()]) {
    if (tags.get(RESTORE_TAGS.restore) === restoreName) await ec2.send(new DeregisterImageCommand({ ImageId: id }));
  }
  while (world.ec2.instances.get(instanceId)?.state === 'shutting-down') await sleep(100);
  for (const { id } of madeBy(account, restoreName)) await ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
}

/** A swap that holds: the database's own service runs on the set, in its place, also after a boot, and the originals are kept. */
async function swapped(account: Account, source: Instance, of: Column, set: Taken): Promise<string> {
  await stopPostgresql(source, of);
  const { devices } = account.world.ec2.instances.get(source.id) ?? { devices: new Map() };
  const before = new Map(devices);
  const run = await restored(account, source, of, set, { swap: true });
  await runsInPlace(source, of, set);
  await source.machine.reboot({ hard: true });
  await cameUp(source);
  const seen = await runsInPlace(source, of, set);
  const originals = [...before].filter(([device]) => device !== '/dev/xvda').map(([, id]) => id);
  const kept = originals.map((id) => account.world.ec2.volumes.find(id));
  refute([
    ...kept.map(
      ({ id, state, tags }) =>
        !(state === 'available' && tags.get(SWAP_TAGS.swappedOut) === run.name) &&
        `${id} is ${state} and not put aside`,
    ),
    JSON.stringify([...devices.keys()].sort()) !== JSON.stringify([...before.keys()].sort()) &&
      `attached are ${[...devices.keys()]}, before it were ${[...before.keys()]}`,
    ...(await leftOn(source)),
  ]);
  for (const { id } of kept) await account.ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
  return seen;
}

/** The database's own service runs on the set, which lies where the original lay. */
async function runsInPlace(at: Instance, { topology, engines }: Column, { promised }: Taken): Promise<string> {
  const places = mountsOf(topology).map((mount) => ({ mount, at: mount }));
  const started = engines.filter((engine) => engine !== 'mariadb');
  const verdict = await workload.verifyMounted(at.machine, topology, places, started);
  const { stdout } = await at.host.exec(
    "mariadb -N -B lab -e 'SELECT MAX(id), (SELECT SUM(balance) FROM accounts) FROM entries'",
  );
  const [maxId = Number.NaN, balance] = stdout.trim().split(/\s+/).map(Number);
  refute([
    ...verdict.problems,
    balance !== 1_000_000 && `the sum of the accounts is ${balance}`,
    ...promisesBroken(promised, (engine) =>
      engine === 'mariadb' ? maxId : (verdict.databases[engine]?.maxId ?? Number.NaN),
    ),
  ]);
  return `the database runs in its place, ${maxId} transactions, the last one acknowledged among them; ${verdict.files?.ok} files right`;
}

/** The lab's PostgreSQL belongs to no service that could be started again. */
async function stopPostgresql({ host }: Instance, { engines }: Column): Promise<void> {
  if (engines.includes('postgresql')) await host.exec('systemctl stop lab-postgresql 2>/dev/null || true');
}

let restores = 0;

async function restored(
  account: Account,
  source: Instance,
  of: Column,
  set: Taken,
  wish: object,
): Promise<{ name: string; mounts: RestoreAnswer['mounts'] }> {
  const execution = await startRestore(account, source, of, set, wish).ended;
  refute([execution.status !== 'SUCCEEDED' && `the restore ended ${execution.error}: ${execution.cause}`]);
  const { mounted } = execution.output as { mounted: Pick<RestoreAnswer, 'mounts'> };
  return { name: execution.name, mounts: mounted.mounts };
}

function startRestore(
  { deployment }: Account,
  source: Instance,
  { topology }: Column,
  { run: set }: Taken,
  wish: object,
): Execution {
  restores += 1;
  const input = { instanceId: source.id, set, ...(topology === 'root' && { mounts: ['/'] }), ...wish };
  return deployment.stepFunctions.start(RESTORE, input, `restore-${restores}`);
}

const madeBy = ({ world }: Account, restoreName: string): Volume[] =>
  [...world.ec2.volumes.all.values()].filter(({ tags }) => tags.get(RESTORE_TAGS.restore) === restoreName);

/** Files whole, and each database started from its restored data with the last transaction that was acknowledged. */
async function verified(
  at: Instance,
  { topology, engines }: Column,
  { promised }: Taken,
  mounts: RestoreAnswer['mounts'],
  access: 'ro' | 'rw',
): Promise<string> {
  const started = access === 'rw' ? engines : [];
  const verdict = await workload.verifyMounted(at.machine, topology, mounts, started);
  const last = (engine: workload.Engine) => verdict.databases[engine]?.maxId ?? Number.NaN;
  refute([
    ...verdict.problems,
    (verdict.files?.ok ?? 0) < 10 && `only ${verdict.files?.ok} files were there to check`,
    ...promisesBroken(
      promised.filter(([engine]) => started.includes(engine)),
      last,
    ),
  ]);
  const databases = started.map((engine) => `${engine} started, ${last(engine)} transactions, `);
  return `${databases.join('')}${verdict.files?.ok} files right`;
}

/** As docs/restore.md has it for a person: released on the host, then detached and deleted. */
async function takeAway(account: Account, target: Instance, restoreName: string): Promise<void> {
  const { world, deployment } = account;
  const volumes = madeBy(account, restoreName);
  const plan = volumes.map(({ id }) => `volume ${id}\n`).join('');
  const ssm = new SSMClient({
    endpoint: deployment.server.endpoint,
    region: world.region,
    credentials: { accessKeyId: world.accessKeyFor('operator'), secretAccessKey: 'lab' },
  });
  const { Command } = await ssm.send(
    new SendCommandCommand({
      DocumentName: DOCUMENTS.restore,
      InstanceIds: [target.id],
      Parameters: {
        Restore: [restoreName],
        Act: ['release'],
        Access: ['ro'],
        Under: ['/mnt/freezeframe'],
        Plan: [Buffer.from(plan).toString('base64')],
      },
    }),
  );
  for (let status = ''; status !== 'Success'; ) {
    await sleep(300);
    const answer = await ssm.send(
      new GetCommandInvocationCommand({ CommandId: Command?.CommandId, InstanceId: target.id }),
    );
    status = answer.Status ?? '';
    refute([
      !['Pending', 'InProgress', 'Success'].includes(status) &&
        `the release ended ${status}: ${answer.StandardOutputContent}`,
    ]);
  }
  ssm.destroy();
  for (const { id } of volumes) await account.ec2.send(new DetachVolumeCommand({ VolumeId: id }));
  for (const { id } of volumes) {
    for (let tries = 0; world.ec2.volumes.find(id).attachment && tries < 200; tries += 1) await sleep(100);
    await account.ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
  }
}

/** All that a restore must not change: files, labels, groups, array, mounts, and what the databases say. */
async function stateOf({ host }: Instance, { topology, engines }: Column): Promise<string> {
  const folder = topology === 'root' ? '/var/lib/lab-files' : '/data/files';
  const { stdout } = await host.exec(
    `find ${folder} -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
    blkid -c /dev/null -o export $(readlink -f /dev/vg0/* /dev/md0 2>/dev/null | sort) | grep -E '^(UUID|LABEL)=' | tr '\\n' ' '
    lvs --noheadings -o vg_uuid,lv_uuid,vg_name,lv_name vg0 2>/dev/null
    cat /sys/block/md0/md/uuid 2>/dev/null
    dmsetup deps -o blkdevname secret 2>/dev/null
    grep -E ' (/|/data|/log) ' /proc/mounts | sort
    lsblk -no NAME,UUID "$(readlink -f /dev/disk/by-label/data)" 2>/dev/null
    mariadb -N -B lab -e 'SELECT MAX(id) FROM entries; SELECT SUM(balance) FROM accounts'
    ${engines.includes('postgresql') ? "psql -X -A -t lab -c 'SELECT MAX(id) FROM entries'" : ''}
    true`,
    { timeoutMs: 120_000 },
  );
  return stdout.replace(/\s+/g, ' ').trim();
}

/**
 * Uuids of file systems, physical volumes and arrays that two devices bear. Members of one array share the array's; what is
 * encrypted keeps its own, by which its key is found.
 */
async function twinsOn({ host }: Instance): Promise<string[]> {
  const { stdout } = await host.exec(
    `for uuid in $(blkid -c /dev/null -o export /dev/dm-* /dev/md* /dev/nvme*n1 /dev/vda 2>/dev/null | sed -n 's/^UUID=//p' | sort -u); do
      devices=$(blkid -c /dev/null -o device -t UUID=$uuid)
      tops=$(for device in $devices; do
        case $(blkid -c /dev/null -p -o value -s TYPE $device) in linux_raid_member | crypto_LUKS) continue ;; esac
        readlink -f $device
      done | sort -u)
      if [ "$(wc -w <<<"$tops")" -gt 1 ]; then echo "$uuid ("$tops")"; fi
    done
    for md in /sys/block/md*; do mdadm --detail --export /dev/\${md##*/} | sed -n 's/^MD_UUID=//p'; done | sort | uniq -d
    vgs --noheadings -o vg_uuid | sort | uniq -d`,
    { timeoutMs: 120_000 },
  );
  return stdout.split('\n').filter(Boolean);
}

async function leftOn({ host }: Instance): Promise<string[]> {
  const { stdout } = await host.exec(
    `grep -F /mnt/freezeframe /proc/mounts
    find /mnt/freezeframe -mindepth 1 2>/dev/null
    dmsetup ls 2>/dev/null | grep -i restored
    ls -d /sys/block/md9* 2>/dev/null
    ls /etc/udev/rules.d/*-freezeframe-* 2>/dev/null
    true`,
  );
  return stdout.split('\n').filter(Boolean);
}
