/** Real servers under the tests' own directories. What is missing is installed by apt when the tests run as root. */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { install, mayInstall } from '../../lab/apt.ts';

/** A program of these packages, by what finds it. */
export const installed = (packages: string[], program: () => string | undefined): string => {
  if (!mayInstall()) throw new Error('these tests start servers as their own users: run them as root');
  if (!program()) install(...packages);
  const found = program();
  if (!found) throw new Error(`${packages.join(', ')} could not be installed; install them (apt-get install …)`);
  return found;
};

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** A client at work: the number of the last line that the server has acknowledged. */
export class Writer {
  acknowledged = 0;
  #next = 0;
  #stopped = false;
  readonly #client: ChildProcess;
  readonly #line: (n: number) => string;

  /** `line(n)` writes n and answers with a line `n`. */
  constructor(command: string, args: string[], line: (n: number) => string, options: SpawnOptions = {}) {
    this.#line = line;
    this.#client = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#client.stdin?.on('error', () => {});
    let rest = '';
    this.#client.stdout?.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const said of lines) if (said.trim() === String(this.#next)) this.#done();
    });
    this.#write();
  }

  #write(): void {
    this.#next++;
    this.#client.stdin?.write(`${this.#line(this.#next)}\n`);
  }

  #done(): void {
    this.acknowledged = this.#next;
    // Load, but not so much that the restore takes minutes.
    setTimeout(() => this.#stopped || this.#write(), 1);
  }

  async reaches(count: number, withinMs = 8_000): Promise<void> {
    for (const end = Date.now() + withinMs; this.acknowledged < count; await sleep(10)) {
      if (Date.now() > end) throw new Error(`the writer came to ${this.acknowledged}, not to ${count}`);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#client.kill('SIGKILL');
  }
}

export class PostgreSql {
  readonly directory: string;
  /** Where the server is: Debian's, or another version's (postgresql-18.ts). */
  readonly bin: string;
  /** That may have no clients of its own. */
  readonly #clients: string;
  #port = 0;
  #server: ChildProcess | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.#clients = installed(['postgresql-15'], () => globSync('/usr/lib/postgresql/*/bin').sort().at(-1));
    this.bin = process.env.POSTGRESQL_BIN ?? this.#clients;
  }

  get port(): number {
    return this.#port;
  }

  /** A new cluster, or one that is as new as a `template` that has not been started yet. */
  make(template?: PostgreSql): this {
    mkdirSync(this.directory, { recursive: true });
    own(this.directory);
    if (template) execFileSync('cp', ['-a', `${template.directory}/data`, `${this.directory}/data`]);
    else
      this.#run(
        'initdb',
        '-D',
        `${this.directory}/data`,
        '-A',
        'peer',
        '-U',
        'postgres',
        '--no-sync',
        '--no-locale',
        '--wal-segsize=1',
      );
    return this;
  }

  async create(): Promise<this> {
    await this.make().start();
    return this;
  }

  /** The same from a copy of another one's data directory. */
  async restore(from: PostgreSql): Promise<this> {
    mkdirSync(this.directory, { recursive: true });
    own(this.directory);
    cpSync(join(from.directory, 'copy'), join(this.directory, 'data'), { recursive: true, verbatimSymlinks: true });
    rmSync(join(this.directory, 'data/postmaster.pid'), { force: true });
    execFileSync('chown', ['-R', 'postgres:', this.directory]);
    execFileSync('chmod', ['700', join(this.directory, 'data')]);
    await this.start();
    return this;
  }

  async start(...settings: string[]): Promise<void> {
    this.#port ||= await freePort();
    const fixed = [`unix_socket_directories=${this.directory}`, "listen_addresses=''", 'shared_buffers=8MB'];
    const options = [...fixed, 'max_connections=20', ...settings].flatMap((setting) => [
      '-c',
      setting.replaceAll("'", ''),
    ]);
    const words = ['-u', 'postgres', '--', `${this.bin}/postgres`, '-D', `${this.directory}/data`];
    const start = (): ChildProcess =>
      spawn('runuser', [...words, '-p', String(this.#port), ...options], { stdio: 'ignore', cwd: '/' });
    this.#server = start();
    for (const end = Date.now() + 15_000; ; await sleep(50)) {
      const ready = spawnSync(`${this.#clients}/pg_isready`, ['-q', '-h', this.directory, '-p', String(this.#port)]);
      if (ready.status === 0) return;
      if (Date.now() > end) throw new Error('PostgreSQL did not start');
      // After a crash it refuses to start until the last of the old workers is gone.
      if (!isAlive(this.#server)) this.#server = start();
    }
  }

  sql(text: string): string {
    return this.#run('psql', ...this.psql, '-c', text).trim();
  }

  get psql(): string[] {
    return ['-XqAt', '-h', this.directory, '-p', String(this.#port), '-d', 'postgres'];
  }

  writer(): Writer {
    this.sql('CREATE TABLE IF NOT EXISTS written (n int)');
    const args = ['-u', 'postgres', '--', `${this.#clients}/psql`, ...this.psql];
    return new Writer('runuser', args, (n) => `INSERT INTO written VALUES (${n}) RETURNING n;`, { cwd: '/' });
  }

  get pid(): number {
    return Number(readFileSync(join(this.directory, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** The server and all of its workers. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    const workers = childrenOf(pid);
    // The server first, or it would start its workers anew.
    process.kill(pid, signal);
    for (const worker of workers) {
      try {
        process.kill(worker, signal);
      } catch {
        // It has ended.
      }
    }
  }

  /** What the disks hold at one instant, as a frozen file system does it: nobody writes while it is copied. */
  copyAtOneInstant(): void {
    this.signal('SIGSTOP');
    cpSync(join(this.directory, 'data'), join(this.directory, 'copy'), { recursive: true, verbatimSymlinks: true });
    this.signal('SIGCONT');
    // runuser stops with its child.
    this.#server?.kill('SIGCONT');
  }

  stop(): void {
    try {
      process.kill(this.pid, 'SIGQUIT');
    } catch {
      // It has ended.
    }
    this.#server?.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await removed(this.directory);
  }

  #run(program: string, ...args: string[]): string {
    return execFileSync(
      'runuser',
      ['-u', 'postgres', '--', `${program === 'psql' ? this.#clients : this.bin}/${program}`, ...args],
      {
        encoding: 'utf8',
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  }
}

const SMALL = ['--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M'];

export class MariaDb {
  readonly directory: string;
  #server: ChildProcess | undefined;

  constructor(directory: string) {
    this.directory = directory;
    const program = '/usr/sbin/mariadbd';
    // The cores alone: the whole package would start a server of its own.
    installed(['mariadb-server-core', 'mariadb-client-core'], () => (existsSync(program) ? program : undefined));
  }

  async create(): Promise<this> {
    mkdirSync(this.directory, { recursive: true });
    execFileSync(
      'mariadb-install-db',
      [
        '--no-defaults',
        `--datadir=${this.directory}`,
        '--user=root',
        '--skip-test-db',
        ...SMALL,
        '--auth-root-authentication-method=socket',
      ],
      { stdio: 'ignore' },
    );
    return this.start();
  }

  async start(): Promise<this> {
    const words = ['--no-defaults', `--datadir=${this.directory}`, `--socket=${this.directory}/s`, '--user=root'];
    const small = [...SMALL, '--skip-networking', '--log-bin=binlog', '--server-id=1'];
    this.#server = spawn('mariadbd', [...words, ...small], { stdio: 'ignore', cwd: this.directory });
    for (const end = Date.now() + 20_000; this.sql('SELECT 1') !== '1'; await sleep(50)) {
      if (Date.now() > end) throw new Error(`MariaDB did not start: ${this.sql('SELECT 1')}`);
    }
    return this;
  }

  sql(text: string): string {
    const { stdout, stderr } = spawnSync('mariadb', [...this.#client, '-e', text], {
      encoding: 'utf8',
      timeout: 8_000,
    });
    return stdout.trim() || stderr.trim();
  }

  writer(): Writer {
    this.sql('CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE IF NOT EXISTS shop.written (n int) ENGINE=InnoDB');
    return new Writer(
      'mariadb',
      [...this.#client, '--unbuffered', 'shop'],
      (n) => `INSERT INTO written VALUES (${n}); SELECT ${n};`,
    );
  }

  /** A session that runs a statement until it is stopped. */
  busy(statement: string): ChildProcess {
    return spawn('mariadb', [...this.#client, 'shop', '-e', statement], { stdio: 'ignore' });
  }

  /** It answers nothing until it is woken, though its socket takes connections. */
  hang(): Disposable {
    this.#server?.kill('SIGSTOP');
    return { [Symbol.dispose]: () => void this.#server?.kill('SIGCONT') };
  }

  kill(): void {
    this.#server?.kill('SIGKILL');
  }

  get #client(): string[] {
    return ['--no-defaults', `--socket=${this.directory}/s`, '--batch', '--skip-column-names'];
  }
}

export class Redis {
  readonly directory: string;
  readonly #options: string[];
  readonly #password: string;
  #port = 0;
  #server: ChildProcess | undefined;

  constructor(directory: string, options: string[] = ['--appendonly', 'yes', '--save', ''], password = '') {
    this.directory = directory;
    this.#options = options;
    this.#password = password;
    const program = '/usr/bin/redis-server';
    // The package would start a server of its own.
    installed(['redis-tools', 'redis-server'], () => (existsSync(program) ? program : undefined));
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<this> {
    mkdirSync(this.directory, { recursive: true });
    const fixed = this.#port;
    const secret = this.#password ? ['--requirepass', this.#password] : [];
    for (const end = Date.now() + 15_000; Date.now() < end; await sleep(50)) {
      // A port that was free may be another server's by now.
      if (!isAlive(this.#server)) {
        this.#port = fixed || (await freePort());
        const words = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.directory];
        const options = { stdio: 'ignore', cwd: this.directory } as const;
        this.#server = spawn('redis-server', [...words, ...this.#options, ...secret], options);
      }
      if (this.cli('INFO', 'server').includes(`process_id:${this.pid}\r`)) return this;
    }
    throw new Error(`Redis did not start: ${this.cli('PING')}`);
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** The same from a copy of this one's directory, taken now. */
  async copy(directory: string): Promise<Redis> {
    cpSync(this.directory, directory, { recursive: true });
    return new Redis(directory, this.#options, this.#password).start();
  }

  cli(...words: string[]): string {
    const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.#port), ...words], {
      encoding: 'utf8',
      timeout: 5_000,
      env: { ...process.env, ...(this.#password && { REDISCLI_AUTH: this.#password }) },
    });
    return stdout.trim() || stderr.trim();
  }

  writer(): Writer {
    return new Writer('redis-cli', ['-p', String(this.#port)], () => 'INCR written');
  }

  kill(): void {
    this.#server?.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await removed(this.directory);
  }
}

/** The directory of a server that was just killed, which may still be at its last write. */
const removed = async (directory: string): Promise<void> => {
  await sleep(300);
  rmSync(directory, { recursive: true, force: true });
};

const isAlive = (child?: ChildProcess): boolean => child?.exitCode === null && child.signalCode === null;

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return new RegExp(`^PPid:\\s${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    })
    .map(Number);

const own = (path: string): void => {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
  chownSync(path, uid ?? 0, gid ?? 0);
};
