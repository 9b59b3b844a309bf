import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { withDeadline } from './deadline.ts';
import { type ExecResult, GuestExec } from './guest-exec.ts';
import { GuestPort } from './guest-port.ts';
import { type Blueprint, BOOT_DEADLINE_MS, DISK_OPTIONS, qemuCommand } from './qemu-command.ts';
import { Qmp, type QmpEvent } from './qmp.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { shellQuote, withArguments } from './shell.ts';
import { connectUnix } from './unix-socket.ts';
import { deviceOf, nodeOf, serialOf } from './volume-names.ts';

export interface ExecOptions {
  args?: readonly string[];
  timeoutMs?: number;
  /** Answer a failed command instead of throwing. */
  mayFail?: boolean;
}

/** A guest under QEMU: an instance. It ends with `stop`, or with this Node process, and leaves nothing behind. */
export class Machine {
  readonly instanceId: string;
  readonly ssm: GuestPort;
  readonly #scratch: Scratch;
  readonly #qmp: Qmp;
  readonly #execPort: GuestPort;
  readonly #exec: GuestExec;
  #ssmOpen = false;
  #bootId = '';

  /** Starts QEMU and returns before the guest runs: see `lab/start.ts` for whole starts. */
  static async launch(blueprint: Blueprint): Promise<Machine> {
    const scratch = makeScratch(blueprint.instanceId, (folder) => qemuCommand(blueprint, folder));
    try {
      const connect = (name: string) => connectUnix(join(scratch.folder, name), 20_000, () => scratch.alive);
      const [qmp, exec, ssm] = await Promise.all([connect('qmp'), connect('exec'), connect('ssm')]);
      return new Machine(blueprint.instanceId, scratch, await Qmp.open(qmp), new GuestPort(exec), new GuestPort(ssm));
    } catch (error) {
      await scratch.dispose();
      throw new Error(`QEMU did not start: ${scratch.complaints()}`, { cause: error });
    }
  }

  private constructor(instanceId: string, scratch: Scratch, qmp: Qmp, exec: GuestPort, ssm: GuestPort) {
    this.instanceId = instanceId;
    this.ssm = ssm;
    this.#scratch = scratch;
    this.#qmp = qmp;
    this.#execPort = exec;
    this.#exec = new GuestExec(exec);
    qmp.onEvent((event) => this.#note(event));
    ssm.onFrame(() => {
      this.#ssmOpen = true;
    });
  }

  /** QEMU's own files of this machine are here, the overlay of its root disk among them. */
  get folder(): string {
    return this.#scratch.folder;
  }

  get alive(): boolean {
    return this.#scratch.alive;
  }

  /** Whether the guest's SSM agent has spoken and has kept its port open since. */
  get ssmOnline(): boolean {
    return this.alive && this.#ssmOpen;
  }

  /** Lets the processors run, and returns when the guest answers commands. */
  async run(deadlineMs = BOOT_DEADLINE_MS): Promise<void> {
    const hello = withDeadline(this.#execPort.hello(), deadlineMs, `${this.instanceId} boots`);
    hello.catch(() => {});
    await this.resume();
    this.#execPort.send('PING', '0');
    this.#bootId = await this.#orDead(hello);
    await this.#ssmAnswers(deadlineMs);
  }

  /** Runs bash code in the guest, outside of the emulated agent. Throws when it fails, unless `mayFail`. */
  async exec(script: string, options: ExecOptions = {}): Promise<ExecResult> {
    const { args = [], timeoutMs = 60_000, mayFail = false } = options;
    const result = await this.#exec.run(args.length > 0 ? withArguments(script, args) : script, timeoutMs);
    if (result.code !== 0 && !mayFail) {
      const output = `${result.stdout}\n${result.stderr}`.trim().slice(-3000);
      throw new Error(`guest command failed with ${result.code}: ${script.slice(0, 200)}\n${output}`);
    }
    return result;
  }

  /** Freezes the processors: guest time stands still. */
  async pause(): Promise<void> {
    await this.#qmp.execute('stop');
  }

  async resume(): Promise<void> {
    await this.#qmp.execute('cont');
  }

  /** Plugs an image in as an NVMe disk that bears the volume's serial number. */
  async attach(volumeId: string, image: string): Promise<void> {
    const node = nodeOf(volumeId);
    const file = { driver: 'file', filename: image };
    await this.#qmp.execute('blockdev-add', { 'node-name': node, driver: 'qcow2', file, ...DISK_OPTIONS });
    try {
      const serial = serialOf(volumeId);
      await this.#qmp.execute('device_add', { driver: 'nvme', id: deviceOf(volumeId), drive: node, serial });
    } catch (error) {
      await this.#qmp.execute('blockdev-del', { 'node-name': node });
      throw error;
    }
  }

  /** Unplugs the disk. The guest must run: it has a part in this. */
  async detach(volumeId: string): Promise<void> {
    const device = deviceOf(volumeId);
    const what = `${this.instanceId} lets go of ${volumeId}`;
    const deleted = this.#qmp.waitFor((e) => isAbout(e, 'DEVICE_DELETED', device) || undefined, 30_000, what);
    deleted.catch(() => {});
    await this.#qmp.execute('device_del', { id: device });
    await deleted;
    await this.#qmp.execute('blockdev-del', { 'node-name': nodeOf(volumeId) });
  }

  /**
   * Copies disks as they are at one instant into the prepared images; the instant is when this returns. Copy-before-write
   * keeps the source running, as EBS does.
   */
  async backup(targets: ReadonlyArray<{ volumeId: string; image: string }>): Promise<Array<Promise<void>>> {
    const jobs = targets.map(({ volumeId, image }) => {
      const id = `backup-${randomBytes(6).toString('hex')}`;
      return { id, image, device: nodeOf(volumeId), target: `${id}-target` };
    });
    try {
      for (const { target, image } of jobs) {
        const file = { driver: 'file', filename: image };
        await this.#qmp.execute('blockdev-add', {
          'node-name': target,
          driver: 'qcow2',
          file,
          cache: { 'no-flush': true },
        });
      }
      const ended = jobs.map((job) => this.#jobEnd(job.id));
      await this.#qmp.execute('transaction', {
        actions: jobs.map(({ id, device, target }) => ({
          type: 'blockdev-backup',
          data: { 'job-id': id, device, target, sync: 'full' },
        })),
      });
      return jobs.map(({ target }, index) => this.#afterBackup(target, ended[index]));
    } catch (error) {
      for (const { target } of jobs) await this.#qmp.execute('blockdev-del', { 'node-name': target }).catch(() => {});
      throw error;
    }
  }

  /** `hard` is a reset without warning; otherwise the guest is asked to shut down in order. Returns when it answers again. */
  async reboot({ hard = false, deadlineMs = BOOT_DEADLINE_MS } = {}): Promise<void> {
    const before = this.#bootId;
    const agentRan = this.ssmOnline;
    const hello = this.#execPort.hello((bootId) => bootId !== before);
    if (hard) await this.#qmp.execute('system_reset');
    else await this.exec('systemctl reboot', { mayFail: true }).catch(() => {});
    this.#bootId = await this.#orDead(withDeadline(hello, deadlineMs, `${this.instanceId} reboots`));
    if (agentRan) await this.#ssmAnswers(deadlineMs);
  }

  /** Writes the paused machine's state to a file; QEMU is of no further use then. */
  async saveState(path: string): Promise<void> {
    await this.pause();
    await this.#qmp.execute('migrate', { uri: `exec:cat > ${shellQuote(path)}` });
    for (;;) {
      const { status } = await this.#qmp.execute<{ status: string }>('query-migrate');
      if (status === 'completed') return;
      if (status === 'failed' || status === 'cancelled')
        throw new Error(`the machine's state could not be saved: ${status}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits until a state that QEMU was started with has been read. */
  async incoming(deadlineMs = 30_000): Promise<void> {
    const end = Date.now() + deadlineMs;
    while (Date.now() < end) {
      const { status } = await this.#qmp.execute<{ status: string }>('query-status');
      if (status !== 'inmigrate') return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('the saved state was not read in time');
  }

  /** Pulls the plug. */
  async stop(): Promise<void> {
    await this.#qmp.execute('quit', {}, 3000).catch(() => {});
    await withDeadline(this.#scratch.gone, 3000, 'QEMU quits').catch(() => {});
    await this.#scratch.dispose();
    for (const end of [this.#qmp, this.#execPort, this.ssm]) end.close();
  }

  #note({ event, data }: QmpEvent): void {
    if (event === 'VSERPORT_CHANGE' && data.id === 'ssm-port') this.#ssmOpen = data.open === true && this.#ssmOpen;
    if (event !== 'RESET') return;
    this.#ssmOpen = false;
    this.#exec.reset('the guest has been reset');
  }

  // Asked and unasked: a restored agent does not greet by itself, a starting one does.
  async #ssmAnswers(deadlineMs: number): Promise<void> {
    const hello = this.ssm.hello();
    this.ssm.send('PING', '0');
    await this.#orDead(withDeadline(hello, deadlineMs, `the SSM agent of ${this.instanceId} answers`));
  }

  async #orDead<T>(work: Promise<T>): Promise<T> {
    const dead = this.#scratch.gone.then(() => {
      throw new Error(`QEMU has ended: ${this.#scratch.complaints()}`);
    });
    dead.catch(() => {});
    return Promise.race([work, dead]);
  }

  #jobEnd(id: string): Promise<void> {
    const end = this.#qmp.waitFor(
      ({ event, data }) => {
        if (data.device !== id || !event.startsWith('BLOCK_JOB_')) return undefined;
        if (event === 'BLOCK_JOB_CANCELLED') return { error: 'cancelled' };
        return event === 'BLOCK_JOB_COMPLETED' ? { error: data.error } : undefined;
      },
      10 * 60_000,
      `backup ${id}`,
    );
    const whole = end.then(({ error }) => {
      if (error) throw new Error(`backup ${id}: ${error}`);
    });
    whole.catch(() => {});
    return whole;
  }

  #afterBackup(target: string, ended: Promise<void> | undefined): Promise<void> {
    const closed = (async () => {
      try {
        await ended;
      } finally {
        await this.#qmp.execute('blockdev-del', { 'node-name': target });
      }
    })();
    closed.catch(() => {});
    return closed;
  }
}

function isAbout({ event, data }: QmpEvent, name: string, device: string): boolean {
  return event === name && data.device === device;
}
