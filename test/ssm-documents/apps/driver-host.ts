import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST_ERRORS, InspectAnswer, Receipt } from '../../../lambdas/shared/contracts.ts';
import { bodyOf, readScript, SCRIPTS } from '../../../lib/documents.ts';

/** What a document said: the error's code and message, or nothing to complain of. */
export interface Said {
  readonly code: string;
  readonly message: string;
}

/** The documents as they ship, on a host without disks (driver-host.sh), beside real servers that work below `world`. */
export class DriverHost {
  readonly world = mkdtempSync(join(tmpdir(), 'freezeframe-driver-'));
  /** Hosts under test share this machine's processes, and a host kills by the name of its run: no two may share that. */
  readonly #unique = `-${randomUUID().slice(0, 8)}`;
  /** Bash that is read before the documents begin: how a test breaks the host. */
  extra = '';

  constructor() {
    // The servers' own users come here.
    chmodSync(this.world, 0o755);
    this.file('etc/os-release', 'PRETTY_NAME="Test"\n');
    for (const folder of ['run', 'etc/freezeframe']) mkdirSync(join(this.world, folder), { recursive: true });
  }

  /** A file below the world, root's alone unless told otherwise. */
  file(path: string, content: string, mode = 0o600): string {
    const at = join(this.world, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    chmodSync(at, mode);
    return at;
  }

  async inspect(apps = 'auto', hook = 'none'): Promise<InspectAnswer['apps']> {
    return (await this.topology(apps, hook)).apps;
  }

  /** The one application that Inspect finds. */
  async only(): Promise<InspectAnswer['apps'][number]> {
    const [app, ...others] = await this.inspect();
    assert.ok(app && others.length === 0, JSON.stringify([app, ...others]));
    return app;
  }

  async topology(apps = 'auto', hook = 'none'): Promise<InspectAnswer> {
    const { stdout, status } = await this.#document('inspect', { APPS: apps, HOOK: hook });
    if (status !== 0) throw new Error(`Inspect ended with ${status}: ${stdout}`);
    return InspectAnswer.parse(JSON.parse(stdout));
  }

  async freeze(
    run: string,
    apps: string,
    { lease = 20, within = 10, hook = 'none', topology = '0' } = {},
  ): Promise<Said> {
    const { stdout, status } = await this.#document('freeze', {
      RUN: run + this.#unique,
      MODE: 'app-only',
      APPS: apps,
      LEASE: lease,
      WITHIN: within,
      NOTAFTER: 4_000_000_000,
      BOOTID: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      TOPOLOGY: topology,
      HOOK: hook,
    });
    if (status === 0) return { code: 'ok', message: '' };
    const { error } = JSON.parse(stdout) as { error: Said };
    if (HOST_ERRORS[error.code as keyof typeof HOST_ERRORS] !== status) throw new Error(`${status}: ${stdout}`);
    return error;
  }

  async thaw(run: string): Promise<Receipt> {
    const { stdout, status } = await this.#document('thaw', { RUN: run + this.#unique, WHY: 'asked' });
    if (status !== 0) throw new Error(`Thaw ended with ${status}: ${stdout}`);
    return Receipt.parse(JSON.parse(stdout).receipt);
  }

  /** The receipt of a run that the host has thawed by itself. */
  async receipt(run: string, withinMs = 8_000): Promise<Receipt> {
    const file = join(this.world, 'run/receipts', run + this.#unique);
    for (const end = Date.now() + withinMs; Date.now() < end && !existsSync(file); ) await sleep(50);
    return Receipt.parse(JSON.parse(readFileSync(file, 'utf8')));
  }

  /** Keepers, holder and watchdog of this host, and the clients that they have started. */
  processes(word: string): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').includes(word))
      .map(Number);
  }

  holder(): number {
    const pid = Number(read(join(this.world, 'run/active/holder.pid')));
    if (!pid) throw new Error('there is no holder');
    return pid;
  }

  killHolder(): void {
    process.kill(this.holder(), 'SIGKILL');
  }

  /** What holds a secret: arguments or environment of a process, a file in /run. */
  secrets(secret: string, except: number): string[] {
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== except && Number(name) !== process.pid)
      .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
    const files = readdirSync(join(this.world, 'run'), { recursive: true, encoding: 'utf8' })
      .map((name) => join(this.world, 'run', name))
      .filter((file) => statSync(file).isFile());
    return [...processes, ...files].filter((file) => read(file).includes(secret));
  }

  /** Whether nothing of ours is left: no directory, no process. */
  async becomesClear(withinMs = 8_000): Promise<boolean> {
    const clear = () =>
      !existsSync(join(this.world, 'run/active')) && this.processes(`${this.world}/run/active`).length === 0;
    for (const end = Date.now() + withinMs; Date.now() < end && !clear(); ) await sleep(50);
    return clear();
  }

  dispose(): void {
    for (const pid of this.processes(this.world)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    rmSync(this.world, { recursive: true, force: true });
  }

  async #document(noun: string, parameters: Record<string, string | number>) {
    const shipped = SCRIPTS.filter((file) => file !== 'main.sh').map((file) => bodyOf(readScript(file)));
    const files = shipped.map((text) => text.replace(/^(topology_hash|pids_of)\(\)/m, 'shipped_$1()'));
    const stubs = readFileSync(new URL('driver-host.sh', import.meta.url), 'utf8');
    const place = `FF_RUN=${this.world}/run FF_ETC=${this.world}/etc WORLD=${this.world}`;
    const script = [place, ...files, stubs, this.extra, bodyOf(readScript('main.sh'))].join('\n');
    const assignments = Object.entries({ DOCUMENT: noun, ...prefixed(parameters) })
      .map(([name, value]) => `${name}='${value}'`)
      .join('\n');
    const at = join(this.world, `${noun}-${Math.random().toString(36).slice(2)}`);
    writeFileSync(`${at}.script`, script);
    writeFileSync(at, `set -Eeuo pipefail\n${assignments}\nSCRIPT=$(<'${at}.script')\neval "$SCRIPT"\n`);
    const child = spawn('bash', [at], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { stdout, status };
  }
}

const prefixed = (parameters: Record<string, string | number>): Record<string, string | number> =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`P_${name}`, value]));

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
