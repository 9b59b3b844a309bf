import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InspectAnswer } from '../../lambdas/shared/contracts.ts';
import { readScript, renderScript, SCRIPTS } from '../../lib/documents.ts';

/**
 * The /sys and /proc of a host as its kernel would show them, made of files, with lvm and mdadm as functions that print
 * what they are told. The scripts run as they ship.
 */
export class FakeHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'freezeframe-host-'));
  readonly #numbers = new Map<string, string>();
  readonly #mounts: string[] = [];
  readonly #swaps: string[] = ['Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority'];
  #vgs: string[] = [];
  #lvs: string[] = [];
  #oldLvm = false;
  #withLvm = false;

  constructor() {
    this.file('proc/sys/kernel/random/boot_id', '0b5e2d0c-3f5f-4d0e-9d0a-2f1f0e6c7a11');
    this.file('proc/sys/kernel/osrelease', '6.1.0-test');
    this.file('proc/uptime', '1234.56 9000.00');
    this.file('etc/os-release', 'NAME="Test"\nPRETTY_NAME="Test Linux 1 (fake)"');
    mkdirSync(join(this.directory, 'sys/class/block'), { recursive: true });
    mkdirSync(join(this.directory, 'udev'));
    mkdirSync(join(this.directory, 'sys/module/dm_snapshot'), { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  file(path: string, content: string): void {
    const at = join(this.directory, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, `${content}\n`);
  }

  /** A block device with files in its directory and devices beneath it. */
  block(name: string, files: Record<string, string> = {}, below: readonly string[] = []): this {
    const number = `${250 + (this.#numbers.size >> 4)}:${this.#numbers.size}`;
    this.#numbers.set(name, number);
    const at = `sys/class/block/${name}`;
    for (const [file, content] of Object.entries({ dev: number, size: '2097152', ...files }))
      this.file(`${at}/${file}`, content);
    for (const slave of below) {
      mkdirSync(join(this.directory, at, 'slaves'), { recursive: true });
      symlinkSync(join(this.directory, 'sys/class/block', slave), join(this.directory, at, 'slaves', slave));
    }
    return this;
  }

  /** An NVMe volume of EBS; the serial is blank-padded as the real one is. */
  ebs(name: string, volume: string): this {
    return this.block(name, {
      'device/serial': `vol${volume} `,
      'device/model': 'Amazon Elastic Block Store              ',
    });
  }

  instanceStore(name: string): this {
    return this.block(name, { 'device/serial': 'AWS1234', 'device/model': 'Amazon EC2 NVMe Instance Storage' });
  }

  partition(disk: string, name: string): this {
    this.block(name, { partition: name.slice(-1) });
    // The kernel's link points the other way; the globs see the same.
    symlinkSync(join('..', name), join(this.directory, 'sys/class/block', disk, name));
    return this;
  }

  md(name: string, level: string, below: readonly string[], files: Record<string, string> = {}): this {
    const redundant = level === 'raid0' ? {} : { 'md/degraded': '0', 'md/sync_action': 'idle' };
    const members = Object.fromEntries(below.map((member) => [`md/dev-${member}/state`, 'in_sync']));
    return this.block(
      name,
      {
        'md/level': level,
        'md/array_state': 'clean',
        'md/raid_disks': String(below.length),
        ...redundant,
        ...members,
        ...files,
      },
      below,
    ).udev(name, { MD_UUID: '11111111:22222222:33333333:44444444' });
  }

  dm(name: string, dmName: string, uuid: string, below: readonly string[]): this {
    return this.block(name, { 'dm/name': dmName, 'dm/uuid': uuid }, below);
  }

  /** Row of `vgs`, one a PV. */
  group(
    name: string,
    physicalVolume: string,
    { attr = 'wz--n-', free = 100, missing = 0, uuid = `VG${name}` } = {},
  ): this {
    this.#withLvm = true;
    this.#vgs.push(`  ${uuid}|${name}|${attr}|4194304|${free}|${missing}|/dev/${physicalVolume}`);
    return this;
  }

  /** A logical volume: its row of `lvs` and, unless inactive, its device. */
  volume(
    group: string,
    name: string,
    device: string,
    below: readonly string[],
    { attr = '-wi-ao----', type = 'linear', extents = 1000, pool = '', data = '', meta = '', suffix = '' } = {},
  ): this {
    this.#lvs.push(
      `  VG${group}|LV${name}|${group}|${name}|${attr}|${type}|${extents * 4194304}|${pool}|${data}|${meta}`,
    );
    const mangled = [group, name].map((part) => part.replaceAll('-', '--')).join('-');
    return device
      ? this.dm(device, mangled, `LVM-VG${group}LV${name}`.replaceAll('-', '').replace('LVM', 'LVM-') + suffix, below)
      : this;
  }

  oldLvm(): this {
    this.#oldLvm = true;
    return this;
  }

  udev(name: string, properties: Record<string, string>): this {
    const lines = Object.entries(properties).map(([key, value]) => `E:${key}=${value}`);
    this.file(`udev/b${this.#numbers.get(name)}`, ['S:disk/by-id/x', ...lines].join('\n'));
    return this;
  }

  mount(
    device: string,
    point: string,
    type = 'ext4',
    { root = '/', options = 'rw,relatime', superOptions = 'rw', parent = point === '/' ? 1 : 20, number = '' } = {},
  ): this {
    const id = this.#mounts.length + 20;
    const at = number || this.#numbers.get(device) || '0:50';
    const source = this.#numbers.has(device) ? `/dev/${device}` : device;
    this.#mounts.push(
      `${id} ${parent} ${at} ${root} ${point} ${options} shared:${id} - ${type} ${source} ${superOptions}`,
    );
    return this;
  }

  swap(file: string, type: 'partition' | 'file'): this {
    this.#swaps.push(`${file}\t${type}\t1048572\t0\t-2`);
    return this;
  }

  /** Runs a rendered document here. */
  run(script: string): SpawnSyncReturns<string> {
    this.file('proc/self/mountinfo', this.#mounts.join('\n'));
    this.file('proc/swaps', this.#swaps.join('\n'));
    const lvm = `
      lvcreate() { :; }; lvremove() { :; }
      lvm_stub() {
        local rows=$1; shift
        if [[ ${this.#oldLvm ? 1 : 0} == 1 && " $* " == *' --nohints '* ]]; then
          echo "$1: unrecognized option '--nohints'" >&2; return 3
        fi
        printf '%s\\n' "$rows"
      }
      vgs() { lvm_stub ${quoted(this.#vgs.join('\n'))} "$@"; }
      lvs() { lvm_stub ${quoted(this.#lvs.join('\n'))} "$@"; }`;
    this.file(
      'stubs',
      `timeout() { shift; "$@"; }
      blkid() { :; }
      modprobe() { return 1; }
      fsfreeze() { echo 'Inspect must not freeze' >&2; exit 99; }
      ${this.#withLvm ? lvm : ''}`,
    );
    this.file('script', script);
    return spawnSync('bash', [join(this.directory, 'script')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        BASH_ENV: join(this.directory, 'stubs'),
        FF_SYS: join(this.directory, 'sys'),
        FF_PROC: join(this.directory, 'proc'),
        FF_UDEV: join(this.directory, 'udev'),
        FF_ETC: join(this.directory, 'etc'),
      },
    });
  }

  /** Output of CODE, run with the scripts' functions after the topology was read. */
  ask(code: string): string {
    const { status, stdout, stderr } = this.run(withFunctions(`topology_read\n${code}`));
    if (status !== 0) throw new Error(`ended with ${status}\n${stdout}\n${stderr}`);
    return stdout.trimEnd();
  }

  /** What Inspect answers, through the schema that the Lambda parses it with. */
  inspect(apps = 'auto'): InspectAnswer {
    const { status, stdout, stderr } = this.run(renderScript('inspect', { Apps: apps }));
    if (status !== 0) throw new Error(`Inspect ended with ${status}\n${stdout}\n${stderr}`);
    return InspectAnswer.parse(JSON.parse(stdout));
  }
}

/** The scripts' functions without any document's `main`, then CODE. */
export const withFunctions = (code: string): string =>
  ['set -Eeuo pipefail', ...SCRIPTS.filter((file) => file !== 'main.sh').map(readScript), code].join('\n');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
