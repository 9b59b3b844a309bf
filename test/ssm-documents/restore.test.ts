/**
 * The document Restore on a host made of files: whose devices it touches, and what it says when it can't. That arrays
 * and groups really come up is tried in the lab.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HOST_ERRORS } from '../../lambdas/shared/contracts.ts';
import { RestoreAnswer } from '../../lambdas/shared/restore-contracts.ts';
import { readScript, scriptsOf } from '../../lib/documents.ts';
import { FakeHost } from './fake-host.ts';

const RESTORED = ['vol-0bbbbbbbbbbbbbbb1', 'vol-0bbbbbbbbbbbbbbb2'];

/** An original, mounted, on two volumes; and the two volumes of its restored set. */
const twins = (host: FakeHost): FakeHost =>
  host
    .block('vda', { serial: 'vol0aaaaaaaaaaaaaaaa' })
    .mount('vda', '/')
    .ebs('nvme1n1', '0aaaaaaaaaaaaaaa1')
    .ebs('nvme2n1', '0aaaaaaaaaaaaaaa2')
    .md('md0', 'raid0', ['nvme1n1', 'nvme2n1'])
    .dm('dm-0', 'vg0-data', 'LVM-aaaa', ['md0'])
    .mount('dm-0', '/data', 'xfs')
    .ebs('nvme3n1', '0bbbbbbbbbbbbbbb1')
    .ebs('nvme4n1', '0bbbbbbbbbbbbbbb2');

/** Output of CODE, run with the document's functions. */
const ask = (host: FakeHost, code: string): string => {
  const files = scriptsOf('restore').filter((file) => file !== 'main.sh');
  const { status, stdout, stderr } = host.run(['set -Eeuo pipefail', ...files.map(readScript), code].join('\n'));
  assert.equal(status, 0, stderr);
  return stdout.trim();
};

/** Runs the document's act; commands that would change the host are written down, and take devices out of /sys. */
const run = (host: FakeHost, act: string, plan: readonly string[], more = '') => {
  const parameters = {
    RESTORE: 'restore-1',
    ACT: act,
    ACCESS: 'ro',
    UNDER: `${host.directory}/restored`,
    PLAN: Buffer.from(plan.join('\n')).toString('base64'),
  };
  const stubs = `
    id() { echo 0; }
    note() { echo "$*" >>${host.directory}/commands; }
    timeout() { shift; "$@"; }
    umount() {
      note umount "$@"
      grep -v " $1 " "$FF_PROC/self/mountinfo" >${host.directory}/rest || true
      cp ${host.directory}/rest "$FF_PROC/self/mountinfo"
    }
    mdadm() { case $1 in --stop) note "$@"; rm -rf "$FF_SYS/class/block/\${2#/dev/}" ;; *) return 1 ;; esac; }
    dmsetup() {
      local device
      note dmsetup "$@"
      for device in "$FF_SYS"/class/block/dm-*; do
        if [[ $(<"$device/dm/name") == "$3" ]]; then rm -rf "$device"; fi
      done
    }
    udevadm() { :; }`;
  const script = [
    'set -Eeuo pipefail',
    `FF_RUN=${host.directory}/run FF_RULES=${host.directory}/rules FF_DISKS_WITHIN=0`,
    ...scriptsOf('restore')
      .filter((file) => file !== 'main.sh')
      .map(readScript),
    ...Object.entries(parameters).map(([name, value]) => `P_${name}='${value}'`),
    stubs,
    more,
    'restore_main',
  ].join('\n');
  const { status, stdout, stderr } = host.run(script);
  const commands = () => {
    try {
      return readFileSync(join(host.directory, 'commands'), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  return { status, answer: JSON.parse(stdout || '{}'), stderr, commands: commands() };
};

const volumes = RESTORED.map((id) => `volume ${id}`);

test('before the attachment, udev is told to leave exactly the restored volumes alone', () => {
  using host = twins(new FakeHost());
  // What was there when it was put on the disk.
  const synced = join(host.directory, 'synced');
  const { status, answer, commands, stderr } = run(host, 'prepare', volumes, `sync() { cat "$1" >${synced}; }`);
  assert.equal(status, 0, stderr);
  RestoreAnswer.parse(answer);
  const rules = readFileSync(join(host.directory, 'rules/59-freezeframe-restore-1.rules'), 'utf8');
  assert.deepEqual(
    [...rules.matchAll(/ATTRS\{serial\}=="(\w+)\*"/g)].map(([, serial]) => serial),
    ['vol0bbbbbbbbbbbbbbb1', 'vol0bbbbbbbbbbbbbbb2'],
  );
  assert.deepEqual(commands, []);
  // A boot in the middle finds the same rules, until all is let go of.
  const kept = join(host.directory, 'etc/udev/rules.d/59-freezeframe-restore-1.rules');
  assert.equal(readFileSync(kept, 'utf8'), rules);
  assert.equal(readFileSync(synced, 'utf8'), rules);
  assert.equal(run(host, 'release', volumes).status, 0);
  assert.ok(!existsSync(kept));
});

test('release takes apart what lies on restored volumes, from the top down, and nothing of the original', () => {
  using host = twins(new FakeHost());
  host
    .md('md99', 'raid0', ['nvme3n1', 'nvme4n1'])
    .dm('dm-1', 'vg0_restored1-data', 'LVM-bbbb', ['md99'])
    .mount('dm-1', '/mnt/freezeframe/restore-1/data', 'xfs');
  const { status, commands, stderr } = run(host, 'release', volumes);
  assert.equal(status, 0, stderr);
  assert.deepEqual(commands, [
    'umount /mnt/freezeframe/restore-1/data',
    'dmsetup remove --retry vg0_restored1-data',
    '--stop /dev/md99',
  ]);
});

test('the release leaves no empty array behind, which udev makes by looking for one that has just gone', () => {
  using host = twins(new FakeHost());
  host.md('md99', 'raid0', ['nvme3n1', 'nvme4n1']);
  const looked = join(host.directory, 'looked');
  const { status, commands, stderr } = run(
    host,
    'release',
    volumes,
    `udevadm() {
      if [[ $1 == settle && ! -e "$FF_SYS/class/block/md99" && ! -e ${looked} ]]; then
        mkdir -p "$FF_SYS/class/block/md99/md"
        echo clear >"$FF_SYS/class/block/md99/md/array_state"
        : >${looked}
      fi
    }`,
  );
  assert.equal(status, 0, stderr);
  assert.deepEqual(commands, ['--stop /dev/md99', '--stop /dev/md99']);
  assert.ok(!existsSync(join(host.directory, 'sys/class/block/md99')));
});

test('after the release no rule is left for a name of a group or an array, which another may bear by then', () => {
  using host = twins(new FakeHost());
  const script = run(
    host,
    'prepare',
    volumes,
    `restore_main() { rules_begin restore-1; rules_add 'ENV{DM_VG_NAME}=="vg0"'; }`,
  );
  assert.equal(script.status, 0, script.stderr);
  const rules = join(host.directory, 'rules');
  assert.equal(readdirSync(rules).length, 4);
  assert.equal(run(host, 'release', volumes).status, 0);
  assert.deepEqual(readdirSync(rules), ['59-freezeframe-restore-1.rules']);
  assert.doesNotMatch(readFileSync(join(rules, '59-freezeframe-restore-1.rules'), 'utf8'), /vg0/);
});

test('release asked again, or with nothing there, changes nothing', () => {
  using host = twins(new FakeHost());
  const { status, commands } = run(host, 'release', volumes);
  assert.deepEqual([status, commands], [0, []]);
});

test('a restored volume that got into the array of the original is left where it is, and the host says so', () => {
  using host = twins(new FakeHost());
  host.md('md5', 'raid1', ['nvme2n1', 'nvme3n1']).dm('dm-1', 'vg1-data', 'LVM-cccc', ['md5']).mount('dm-1', '/srv');
  const { status, answer, commands } = run(host, 'release', volumes);
  assert.equal(status, HOST_ERRORS.ForeignDevice);
  assert.match(answer.error.message, /nvme2n1/);
  assert.deepEqual(commands, []);
});

test('what the host runs off is never unmounted, whatever the plan says', () => {
  using host = twins(new FakeHost());
  const { status, commands } = run(host, 'release', ['volume vol-0aaaaaaaaaaaaaaaa']);
  assert.equal(status, HOST_ERRORS.ForeignDevice);
  assert.deepEqual(commands, []);
});

test('a volume that never shows is named', () => {
  using host = twins(new FakeHost());
  const { status, answer } = run(host, 'mount', [...volumes, 'volume vol-0bbbbbbbbbbbbbbb3']);
  assert.equal(status, HOST_ERRORS.DeviceMissing);
  assert.match(answer.error.message, /vol-0bbbbbbbbbbbbbbb3/);
});

test('a file system that is on none of the restored devices is named by its mount point', () => {
  using host = twins(new FakeHost());
  const { status, answer } = run(host, 'mount', [...volumes, 'mount xfs 7d3c-9a52 rw,noatime - /my\\040data']);
  assert.equal(status, HOST_ERRORS.FilesystemMissing, JSON.stringify(answer));
  assert.match(answer.error.message, /\/my data/);
});

test('a plan without a volume is refused, for it would be nobody’s', () => {
  using host = twins(new FakeHost());
  assert.equal(run(host, 'release', []).status, HOST_ERRORS.Internal);
});

test('LVM is shown either the restored devices or the others, each let in by name and none kept out by it', () => {
  using host = twins(new FakeHost());
  host.md('md99', 'raid0', ['nvme3n1', 'nvme4n1']);
  const [ours, others] = ask(
    host,
    `P_RESTORE=restore-1
    PLAN_VOLUME=(${RESTORED.join(' ')}) PVS=(/dev/md99)
    blkid() { printf '%s\\n' /dev/md0 /dev/md99; }
    ours_read
    lvm_config
    printf '%s\\n' "$LVM_OURS" "$LVM_OTHERS"`,
  ).split('\n');
  const filters = (config = '') => [...config.matchAll(/filter=\[(.*?)\]/g)].map(([, patterns]) => patterns);
  const alone = (device: string) => Array.from({ length: 2 }, () => `"a|^/dev/${device}$|","r|.*|"`);
  assert.deepEqual(filters(ours), alone('md99'));
  assert.deepEqual(filters(others), alone('md0'));
});

const LUKS = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9';

/** Opens LUKS on a restored disk of a host whose files these are; the original, with the same uuid, is here or is not. */
const unlock = (files: Record<string, string>, { inPlace = '', original = false } = {}) => {
  using host = twins(new FakeHost());
  for (const [path, text] of Object.entries(files)) host.file(`etc/${path}`, text);
  const open = `
    need() { :; }
    node_wait() { :; }
    cryptsetup() { note "$@"; }
    blkid() { echo /dev/nvme3n1; if [[ '${original}' == true ]]; then echo /dev/nvme1n1; fi; }
    disks_wait() { blocks_read; }
    layers_build() { ours_read; IN_PLACE='${inPlace}'; luks_open nvme3n1 ${LUKS}; }`;
  const { status, answer, commands } = run(host, 'mount', volumes, open);
  const [, key, name] = /--key-file \S+\/etc\/(\S+) \/dev\/nvme3n1 (\S+)$/.exec(commands.join('\n')) ?? [];
  const kept = existsSync(join(host.directory, 'etc/udev/rules.d/59-freezeframe-restore-1.rules'));
  return { status, message: answer.error?.message, key, name, kept };
};

test('the key of LUKS is the one in the keys of Freezeframe, else the one that crypttab has for its uuid', () => {
  const own = { [`freezeframe/keys/${LUKS}`]: 'own' };
  const foreign = 'other UUID=11111111-2222-4333-8444-555555555555 /nowhere luks\n';
  assert.equal(unlock(own).key, `freezeframe/keys/${LUKS}`);
  assert.equal(unlock({ ...own, crypttab: `secret UUID=${LUKS} none luks` }).key, `freezeframe/keys/${LUKS}`);
  for (const source of [`UUID=${LUKS}`, `UUID="${LUKS}"`, `/dev/disk/by-uuid/${LUKS}`]) {
    using other = new FakeHost();
    const at = join(other.directory, 'etc/cryptsetup/key');
    other.file('etc/cryptsetup/key', 'key');
    assert.equal(unlock({ crypttab: `# name\n${foreign}secret ${source} ${at}` }).key, 'cryptsetup/key', source);
  }
});

test('opened beside its original or elsewhere, LUKS has a name of its own; in its place the one of crypttab', () => {
  const files = { [`freezeframe/keys/${LUKS}`]: 'own', crypttab: `secret UUID=${LUKS} none luks` };
  assert.equal(unlock(files).name, 'freezeframe-nvme3n1-0f1e2d3c');
  assert.equal(unlock(files, { inPlace: '1' }).name, 'secret');
});

test('without a key nothing is opened, and the error says where to put it', () => {
  const crypttab = `secret UUID=${LUKS} none luks\nother UUID=${LUKS} /nowhere luks\n`;
  const { status, message, key } = unlock({ crypttab });
  assert.equal(status, HOST_ERRORS.KeyMissing);
  assert.equal(key, undefined);
  assert.match(message, new RegExp(`put the key file at /etc/freezeframe/keys/${LUKS} `));
});

test('beside its original, which has the same labels, a copy is left alone by every boot; elsewhere it comes up', () => {
  const files = { [`freezeframe/keys/${LUKS}`]: 'own' };
  assert.equal(unlock(files, { original: true }).kept, true);
  assert.equal(unlock(files).kept, false);
});

// ----------------------------------------------------------------------------------------------------------------- swaps

const originals = ['volume vol-0aaaaaaaaaaaaaaa1', 'volume vol-0aaaaaaaaaaaaaaa2'];

/** A process of a service has a file of the file system open; `transient` as systemd tells it. */
const usedBy = (host: FakeHost, cgroup: string, transient = 'no'): string => {
  host.file('proc/4711/cgroup', `0::${cgroup}`);
  host.file('proc/4711/comm', 'mariadbd');
  host.file('proc/swaps', 'Filename Type Size Used Priority');
  return `
    users_of_places() { echo 4711; }
    probe() { PROBED_TYPE=xfs PROBED_UUID=7d3c-9a52; }
    systemctl() {
      case "$*" in
        'show -p Transient '*) echo Transient=${transient} ;;
        'show -p TriggeredBy '*) echo TriggeredBy=mariadb.socket ;;
        '-q is-active mariadb.socket') [[ ! -e ${host.directory}/stopped ]] ;;
        '-q is-active '*) return 1 ;;
        'start -- mariadb.service') note systemctl "$@"; : >${host.directory}/started ;;
        'start -- mariadb.socket')
          note systemctl "$@"
          if [[ -e ${host.directory}/started ]]; then echo 'Socket service mariadb.service already active, refusing.' >&2; return 1; fi
          ;;
        *) note systemctl "$@"; : >${host.directory}/stopped ;;
      esac
    }`;
};

test('a place is vacated from the top down: what could start the service, the service, its file system, what is beneath', () => {
  using host = twins(new FakeHost());
  const { status, answer, commands, stderr } = run(
    host,
    'vacate',
    originals,
    usedBy(host, '/system.slice/mariadb.service'),
  );
  assert.equal(status, 0, stderr);
  RestoreAnswer.parse(answer);
  assert.deepEqual(commands, [
    'systemctl stop -- mariadb.socket',
    'systemctl stop -- mariadb.service',
    'umount /data',
    'dmsetup remove --retry vg0-data',
    '--stop /dev/md0',
  ]);
  // What comes back comes back as it was.
  assert.deepEqual(readFileSync(join(host.directory, 'run/restores/restore-1'), 'utf8').trim().split('\n'), [
    'mount xfs 7d3c-9a52 rw,relatime vg0/data /data',
    'array 11111111:22222222:33333333:44444444 md0',
    'unit mariadb.socket',
    'unit mariadb.service',
  ]);
});

test('a process uses a file system by a file, a directory or a mapping, and others are let be', () => {
  const directory = mkdtempSync('/dev/shm/freezeframe-');
  using host = new FakeHost();
  const { status, stdout, stderr } = host.run(`
    set -Eeuo pipefail
    FF_PROC=/proc
    ${scriptsOf('restore')
      .filter((file) => file !== 'main.sh')
      .map(readScript)
      .join('\n')}
    MOUNT_POINT=(/dev/shm)
    mount_is_ours() { :; }
    sleep 20 >${directory}/open & file=$!
    (cd ${directory} && exec sleep 20) & place=$!
    sleep 20 & nothing=$!
    sleep 0.2
    seen=" $(users_of_places | tr '\\n' ' ') "
    kill "$file" "$place" "$nothing"
    [[ $seen == *" $file "* && $seen == *" $place "* && $seen != *" $nothing "* ]]`);
  rmSync(directory, { recursive: true });
  assert.equal(status, 0, stdout + stderr);
});

for (const [title, cgroup, transient, message] of [
  ['belongs to no service', '/user.slice/user-0.slice/session-1.scope', 'no', /process 4711 \(mariadbd\)/],
  ['nobody could start again', '/system.slice/job.service', 'yes', /started by systemd-run/],
  ['is the SSM agent', '/system.slice/amazon-ssm-agent.service', 'no', /process 4711/],
] as const) {
  test(`a place is not vacated while it is used by what ${title}`, () => {
    using host = twins(new FakeHost());
    const { status, answer, commands } = run(host, 'vacate', originals, usedBy(host, cgroup, transient));
    assert.equal(status, HOST_ERRORS.RestoreInUse);
    assert.match(answer.error.message, message);
    assert.deepEqual(commands, []);
  });
}

test('what the system itself lives on is no place to vacate', () => {
  using host = new FakeHost();
  host.ebs('nvme1n1', '0aaaaaaaaaaaaaaa1').mount('nvme1n1', '/var', 'xfs');
  const { status, answer, commands } = run(host, 'vacate', originals);
  assert.equal(status, HOST_ERRORS.RestoreInUse);
  assert.match(answer.error.message, /\/var lies on these volumes/);
  assert.deepEqual(commands, []);
});

test('a file system that can’t be unmounted is left mounted, and its service is started again', () => {
  using host = twins(new FakeHost());
  const stubs = `${usedBy(host, '/system.slice/mariadb.service')}
    umount() { note umount "$@"; echo 'target is busy' >&2; return 32; }
    sleep() { :; }`;
  const { status, answer, commands } = run(host, 'vacate', originals, stubs);
  assert.equal(status, HOST_ERRORS.RestoreInUse);
  assert.match(answer.error.message, /\/data .* can't be unmounted \(target is busy\)/);
  assert.deepEqual(commands, [
    'systemctl stop -- mariadb.socket',
    'systemctl stop -- mariadb.service',
    'umount /data',
    'umount /data',
    'umount /data',
    'systemctl reset-failed -- mariadb.socket',
    'systemctl start -- mariadb.socket',
    'systemctl reset-failed -- mariadb.service',
    'systemctl start -- mariadb.service',
  ]);
});

test('originals that never left are where they were, and nothing is done', () => {
  using host = twins(new FakeHost());
  const { status, answer, commands } = run(host, 'occupy', originals);
  assert.equal(status, 0, JSON.stringify(answer));
  assert.deepEqual(commands, []);
  assert.deepEqual(answer.done, ['nothing had been taken from its place on this host']);
});
