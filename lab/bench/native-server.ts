import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { USER_TAGS } from '../../lambdas/shared/names.ts';
import { Account } from '../account.ts';
import { install, mayInstall } from '../apt.ts';
import type { Agent, AgentStep, BlockStore, StepOutcome } from '../ports.ts';
import * as workload from '../workload.ts';
import { Rig, type Server } from './rig.ts';

const PACKAGES = ['mariadb-server-core', 'mariadb-client-core', 'libdbd-mariadb-perl', 'xfsprogs'];
const LEASE_SECONDS = 30;
const START_MS = 60_000;
const GUEST = join(import.meta.dirname, '../guest');
const run = promisify(execFile);

const unheard = async (): Promise<never> => {
  throw new Error('nothing of this measurement comes here');
};

/** This machine as the host, in namespaces of its own: native-server.sh says what is in them. */
export class NativeServer implements Server, Agent {
  readonly id = 'i-0123456789abcdef0';
  readonly data = ['vol-0123456789abcdef1'];
  readonly #root = 'vol-0123456789abcdef0';
  readonly version = '3.3.3572.0';
  readonly online = true;
  readonly #directory = mkdtempSync(join(tmpdir(), 'freezeframe-native-'));
  #init: ChildProcess | undefined;
  #pid = '';

  static async rig(): Promise<Rig<NativeServer>> {
    if (!mayInstall()) throw new Error('mounts and namespaces are root’s to make: run this as root');
    install(...PACKAGES);
    const account = await Account.open({
      policy: { grade: 'application', onDowngrade: 'keep', leaseSeconds: LEASE_SECONDS },
      timeScale: 0.1,
      store: NO_DISKS,
    });
    const server = new NativeServer();
    try {
      await server.#start();
      account.world.ec2.addInstance({
        id: server.id,
        tags: { [USER_TAGS.policy]: 'lab' },
        agent: server,
        volumes: [
          { id: server.#root, device: '/dev/xvda', sizeGiB: 1 },
          ...server.data.map((id) => ({ id, device: '/dev/sdf', sizeGiB: 1 })),
        ],
      });
      return new Rig(account, server);
    } catch (error) {
      await server.close();
      await account.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    for (const file of ['image/mariadb.cnf', 'write-mariadb.pl', 'schema-mariadb.sql'])
      copyFileSync(join(GUEST, file), join(this.#directory, file.replace(/^image\/|-mariadb(?=\.sql)/, '')));
    const script = join(import.meta.dirname, 'native-server.sh');
    const words = ['--fork', '--kill-child', '--pid', '--mount', '--mount-proc', '--propagation', 'private'];
    const init = spawn('unshare', [...words, 'bash', script, this.#directory, this.#root, ...this.data], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#init = init;
    let said = '';
    init.stderr.on('data', (chunk) => {
      said += chunk;
    });
    for (const end = Date.now() + START_MS; !existsSync(join(this.#directory, 'ready')); await sleep(100)) {
      if (init.exitCode !== null || Date.now() > end) throw new Error(`the server did not start: ${said}`);
    }
    this.#pid = readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8').trim();
    for (const end = Date.now() + START_MS; (await this.acknowledgements()).length === 0; await sleep(100)) {
      if (Date.now() > end) throw new Error('the database takes no transactions');
    }
  }

  /** As the agent does: `sh -c` of a file, until it has ended and nobody holds its pipes. */
  async run({ commandId, script }: AgentStep): Promise<StepOutcome> {
    const file = join(this.#directory, `${commandId}.sh`);
    writeFileSync(file, script, { mode: 0o700 });
    const child = spawn('nsenter', [...this.#inside, 'sh', '-c', file], {
      cwd: '/',
      env: { PATH: process.env.PATH, LANG: 'C.UTF-8', FF_SYS: join(this.#directory, 'sys') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].on('data', (chunk) => {
        said[stream] += chunk;
      });
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject).on('close', (status) => resolve(status ?? 137));
    });
    return { status: code === 0 ? 'Success' : 'Failed', code, ...said };
  }

  cancel = unheard;

  async now(): Promise<number> {
    return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000);
  }

  async acknowledgements(): Promise<workload.Acknowledgement[]> {
    const { stdout } = await run('nsenter', [...this.#inside, 'sh', '-c', 'cat /run/lab/acks-mariadb || true'], {
      maxBuffer: 64 * 2 ** 20,
    });
    return workload.parseAcknowledgements(stdout);
  }

  /** Ends every process in the namespaces; the mounts go with the last one. */
  async close(): Promise<void> {
    const init = this.#init;
    if (init && init.exitCode === null && init.signalCode === null) {
      const ended = new Promise((resolve) => init.once('exit', resolve));
      init.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  get #inside(): string[] {
    return ['--target', this.#pid, '--mount', '--pid', '--'];
  }
}

/** What a frozen window lasts does not depend on what becomes of the image: none is taken. */
const NO_DISKS: BlockStore = {
  snapshot: async (_, volumeIds) =>
    volumeIds.map((volumeId) => ({ volumeId, image: '', completed: Promise.resolve() })),
  deleteImage: async () => {},
  create: unheard,
  remove: unheard,
  attach: unheard,
  detach: unheard,
};
