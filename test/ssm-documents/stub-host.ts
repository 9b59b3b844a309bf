import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST_ERRORS, type HostErrorCode, Receipt } from '../../lambdas/shared/contracts.ts';
import { bodyOf, readScript, SCRIPTS, THAW_AT_ONCE } from '../../lib/documents.ts';

export type Answer = 'ok' | HostErrorCode | 'killed';

/** A host made of directories (stub-host.sh) on which the scripts run as they ship: real processes, real signals. */
export class StubHost {
  readonly #world = mkdtempSync(join(tmpdir(), 'freezeframe-stub-'));
  readonly #run = join(this.#world, 'run');
  /** Hosts under test share this machine's processes, so no run may have the name of another host's. */
  readonly #unique = `-${randomUUID().slice(0, 8)}`;
  /** What the documents answered, for the message of a failed test. */
  readonly said: string[] = [];

  constructor() {
    for (const folder of ['run', 'frozen', 'mnt/inner', 'mnt/outer'])
      mkdirSync(join(this.#world, folder), { recursive: true });
    const files = SCRIPTS.filter((file) => file !== 'main.sh').map((file) => bodyOf(readScript(file)));
    const stubs = readFileSync(new URL('stub-host.sh', import.meta.url), 'utf8');
    const place = `FF_RUN=${this.#run} WORLD=${this.#world}`;
    // Once: documents that run at the same time read it.
    const script = [place, ...files, stubs, bodyOf(readScript('main.sh'))].join('\n');
    writeFileSync(join(this.#world, 'script'), script);
  }

  /** Runs the document Freeze as the agent would; `killAfterMs`: SIGKILL to its process group, as SSM cancels it. */
  freeze(run: string, { lease = 4, within = 3, killAfterMs }: FreezeOptions = {}): Promise<Answer> {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const parameters = {
      RUN: run + this.#unique,
      MODE: 'fs-freeze',
      APPS: 'mysql',
      LEASE: lease,
      WITHIN: within,
      NOTAFTER: 4_000_000_000,
      BOOTID: bootId,
      TOPOLOGY: 0,
    };
    return this.#document('freeze', parameters, killAfterMs);
  }

  thaw(run: string): Promise<Answer> {
    return this.#document('thaw', { RUN: run + this.#unique, WHY: 'asked' });
  }

  /** Runs the document for Data Lifecycle Manager; resolves to its exit code. */
  async dlm(command: 'pre-script' | 'post-script', executionId: string, killAfterMs?: number): Promise<number> {
    const { code } = await this.#exit('dlm', { EXECUTIONID: executionId, COMMAND: command }, killAfterMs);
    return code ?? -1;
  }

  /** A receipt by the run's whole name. */
  receiptOf(run: string): Receipt | undefined {
    const text = this.#read(`run/receipts/${run}`);
    return text ? Receipt.parse(JSON.parse(text)) : undefined;
  }

  /** Somebody else's freeze, which is none of our business. */
  freezeByHand(mount: string): boolean {
    const flag = join(this.#world, 'frozen', mount);
    if (existsSync(flag)) return false;
    mkdirSync(flag);
    writeFileSync(join(flag, 'by'), 'somebody else\n');
    return true;
  }

  thawByHand(mount: string): void {
    rmSync(join(this.#world, 'frozen', mount), { recursive: true, force: true });
  }

  /** Every freeze from now on takes so many seconds. */
  slowDown(seconds: number): void {
    writeFileSync(join(this.#world, 'slow'), seconds ? String(seconds) : '');
  }

  kill(role: 'holder' | 'watchdog' | 'keeper', signal: NodeJS.Signals = 'SIGKILL'): boolean {
    const found = this.#pids(role);
    for (const pid of found) process.kill(pid, signal);
    return found.length > 0;
  }

  /** Mounts that are frozen, by whom. */
  get frozen(): Record<string, string> {
    const folder = join(this.#world, 'frozen');
    return Object.fromEntries(
      readdirSync(folder).map((mount) => [mount, this.#read(`frozen/${mount}/by`).replace(this.#unique, '')]),
    );
  }

  get locked(): boolean {
    try {
      execFileSync('flock', ['-n', join(this.#world, 'application'), 'true']);
      return false;
    } catch {
      return true;
    }
  }

  receipt(run: string): Receipt | undefined {
    const text = this.#read(`run/receipts/${run}${this.#unique}`);
    return text ? Receipt.parse(JSON.parse(text)) : undefined;
  }

  /** Whether nothing of ours is left: no freeze, no lock, no active directory, no process. */
  get clear(): boolean {
    const ours = Object.values(this.frozen).some((by) => by !== 'somebody else');
    return !ours && !this.locked && !existsSync(join(this.#run, 'active')) && this.#processes('').length === 0;
  }

  async becomesClear(withinMs: number): Promise<boolean> {
    for (const end = Date.now() + withinMs; Date.now() < end; await sleep(50)) if (this.clear) return true;
    return this.clear;
  }

  dispose(): void {
    for (const pid of this.#processes('')) process.kill(pid, 'SIGKILL');
    rmSync(this.#world, { recursive: true, force: true });
  }

  async #document(
    noun: 'freeze' | 'thaw',
    parameters: Record<string, string | number>,
    killAfterMs?: number,
  ): Promise<Answer> {
    const { code, signal } = await this.#exit(noun, parameters, killAfterMs);
    return signal ? 'killed' : answerOf(code ?? -1);
  }

  #exit(
    noun: 'freeze' | 'thaw' | 'dlm',
    parameters: Record<string, string | number>,
    killAfterMs?: number,
  ): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const header = Object.entries({
      DOCUMENT: noun,
      FF_RUN: this.#run,
      ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`P_${name}`, value])),
    });
    const assignments = header.map(([name, value]) => `${name}='${value}'`).join('\n');
    const file = join(this.#world, `${noun}-${Math.random().toString(36).slice(2)}.sh`);
    const atOnce = noun === 'thaw' ? bodyOf(readScript(THAW_AT_ONCE)) : '';
    writeFileSync(
      file,
      `set -Eeuo pipefail\n${assignments}\n${atOnce}SCRIPT=$(<'${this.#world}/script')\neval "$SCRIPT"\n`,
    );
    const child = spawn('bash', [file], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    if (killAfterMs !== undefined) setTimeout(() => killGroup(child), killAfterMs);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        said += chunk;
      });
    return new Promise((resolve) => {
      child.on('close', () => this.said.push(`${noun} ${parameters.RUN}: ${said.trim()}`));
      child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** A keeper is a fork of the holder, and looks like it but for its pid. */
  #pids(role: 'holder' | 'watchdog' | 'keeper'): number[] {
    const holder = Number(this.#read('run/active/holder.pid'));
    if (role === 'watchdog') return this.#processes('watchdog');
    return this.#processes('holder').filter((pid) => (pid === holder) === (role === 'holder'));
  }

  #processes(role: string): number[] {
    const wanted = `${this.#run}/active/script\0${role}`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => read(`/proc/${pid}/cmdline`).includes(wanted))
      .map(Number);
  }

  #read(path: string): string {
    return read(join(this.#world, path)).trim();
  }
}

export interface FreezeOptions {
  readonly lease?: number;
  readonly within?: number;
  readonly killAfterMs?: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It had ended.
  }
}

function answerOf(code: number): Answer {
  if (code === 0) return 'ok';
  const name = Object.entries(HOST_ERRORS).find(([, value]) => value === code)?.[0];
  if (!name) throw new Error(`a document exited with ${code}, which is in no table`);
  return name as HostErrorCode;
}
