import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withFunctions } from '../fake-host.ts';

const PROGRAM = fileURLToPath(new URL('stand-in.sh', import.meta.url));
const PID = '4321';

/** An engine as its driver meets it: a process in /proc, a client on the PATH, a secret in /etc/freezeframe. */
export interface Engine {
  readonly driver: string;
  /** What the client is called, and where it lies when not on the PATH. */
  readonly client: string;
  readonly clientAt?: string;
  /** Further names that the stand-in goes by. */
  readonly also?: readonly string[];
  /** Files in the server's directory of /proc; a word `WORLD` is the host's place. */
  readonly process: { comm: string; cmdline?: string; environ?: Record<string, string>; port?: number; socket?: true };
  /** Files on the host. */
  readonly files?: Record<string, string>;
}

/** What a scenario came to. */
export interface Outcome {
  readonly apps: readonly {
    ready: boolean;
    provable: boolean;
    stopsWrites: boolean;
    name: string;
    problem: string;
    dataDir: string;
  }[];
  /** `frozen`, or the fault. */
  readonly frozen: string;
  readonly held: readonly string[];
  readonly positions: readonly string[];
  readonly notes: readonly string[];
  readonly stderr: string;
}

/** A server made of files that outlives its clients (stand-in.sh); the driver and its keeper run as they ship. */
export class StandIn {
  readonly world = mkdtempSync(join(tmpdir(), 'freezeframe-engine-'));
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    for (const folder of ['server', 'bin', 'data', 'run', 'etc/freezeframe', 'home'])
      mkdirSync(join(this.world, folder), { recursive: true });
    for (const name of [engine.client, ...(engine.also ?? []), 'runuser', 'getent'])
      symlinkSync(PROGRAM, this.#made(name === engine.client && engine.clientAt ? engine.clientAt : `bin/${name}`));
    for (const [path, content] of Object.entries(engine.files ?? {})) this.file(path, content);
    this.#process(engine.process);
  }

  [Symbol.dispose](): void {
    rmSync(this.world, { recursive: true, force: true });
  }

  file(path: string, content: string, mode = 0o600): void {
    writeFileSync(this.#made(path), content.replaceAll('WORLD', this.world));
    chmodSync(join(this.world, path), mode);
  }

  /** What the server knows, read or written: `locks`, `foreign`, `down`, `refuse`, `stuck` … */
  server(name: string): string {
    const path = join(this.world, 'server', name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  }
  set(name: string, value = 'yes'): void {
    this.file(`server/${name}`, `${value}\n`);
  }

  removeClient(): void {
    rmSync(join(this.world, this.#engine.clientAt ?? `bin/${this.#engine.client}`));
  }

  /** Whether nothing is left: no lock of ours, no session, no mark of one. */
  get locks(): number {
    return Number(this.server('locks') || 0);
  }

  /**
   * Detects, and runs STEPS: bash with the functions `freeze`, `release WHO`, `kill_keeper`; $S is the server's directory.
   */
  run(steps: string, { within = 6 } = {}): Promise<Outcome> {
    const script = withFunctions(`
      PATH=$WORLD/bin:$PATH S=$WORLD/server
      ${this.#hideClient()}
      APP_DRIVERS=(${this.#engine.driver})
      RUN=run-1 MODE=fs-freeze LEASE=30 WITHIN=${within}
      mkdir -p "$ACTIVE" "$FF_RUN/tombstones"; : >"$ACTIVE/journal"
      exec 5>&1
      log() { printf '%s\\n' "$*" >&2; }
      apps_detect auto
      for i in \${APP_DRIVER[@]+"\${!APP_DRIVER[@]}"}; do
        printf 'app\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "\${APP_READY[$i]}" "\${APP_PROVABLE[$i]}" "\${APP_STOPS[$i]}" "\${APP_NAME[$i]}" "\${APP_PROBLEM[$i]}" "\${APP_DIR[$i]}" >&5
      done
      freeze() {
        now_cs; WITHIN_AT=$((REPLY + WITHIN * 100))
        if keepers_freeze \${APP_DRIVER[@]+"\${!APP_DRIVER[@]}"}; then printf 'frozen\\tfrozen\\n' >&5; else printf 'frozen\\t%s: %s\\n' "$FAULT_NAME" "$FAULT_TEXT" >&5; fi
      }
      release() {
        local i
        THAWED_BY=$1
        keepers_release \${APP_DRIVER[@]+"\${!APP_DRIVER[@]}"}
        for i in \${APP_DRIVER[@]+"\${!APP_DRIVER[@]}"}; do
          printf 'released\\t%s\\t%s\\n' "\${APP_HELD[$i]:-null}" "\${APP_POSITION[$i]:-}" >&5
        done
        for i in \${NOTES[@]+"\${NOTES[@]}"}; do printf 'note\\t%s\\n' "$i" >&5; done
      }
      kill_keeper() { kill -9 -- "-\${KEEPER_PID[0]}"; sleep 0.1; }
      ${steps}
      exit 0`);
    const file = join(this.world, 'scenario');
    writeFileSync(file, script);
    const child = spawn('bash', [file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        WORLD: this.world,
        FF_RUN: join(this.world, 'run'),
        FF_PROC: join(this.world, 'proc'),
        FF_ETC: join(this.world, 'etc'),
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    return new Promise((resolve, reject) => {
      child.on('close', (code) =>
        code === 0 ? resolve(outcomeOf(stdout, stderr)) : reject(new Error(`ended with ${code}\n${stdout}\n${stderr}`)),
      );
    });
  }

  /** One that this machine may have itself. */
  #hideClient(): string {
    const { client, clientAt, also = [] } = this.#engine;
    return `if ! [ -e "$WORLD/${clientAt ?? `bin/${client}`}" ]; then
        command() { case \${2:-} in ${[client, ...also].join(' | ')}) return 1 ;; *) builtin command "$@" ;; esac; }
      fi`;
  }

  #process({ comm, cmdline = comm, environ = {}, port, socket }: Engine['process']): void {
    const at = `proc/${PID}`;
    const nul = (words: string[]) => words.map((word) => `${word}\0`).join('');
    this.file(`${at}/comm`, `${comm}\n`);
    this.file(`${at}/cmdline`, nul(cmdline.split(' ')));
    this.file(`${at}/environ`, nul(Object.entries(environ).map(([name, value]) => `${name}=${value}`)));
    this.file(`${at}/status`, 'Name:\tx\nPPid:\t1\n');
    symlinkSync('/proc/self/ns/pid', this.#made(`${at}/ns/pid`));
    symlinkSync('socket:[777]', this.#made(`${at}/fd/3`));
    const hex = (port ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const rows = port
      ? `   0: 0100007F:${hex} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1\n`
      : '';
    this.file(`${at}/net/tcp`, `  sl  local_address rem_address   st\n${rows}`);
    const heading = 'Num RefCount Protocol Flags Type St Inode Path\n';
    const listening = `0: 00000002 00000000 00010000 0001 01 777 ${this.world}/data/socket\n`;
    this.file(`${at}/net/unix`, socket ? heading + listening : heading);
    symlinkSync(join(this.world, 'data'), this.#made(`${at}/cwd`));
    symlinkSync('/proc/uptime', this.#made('proc/uptime'));
    symlinkSync('/proc/self', this.#made('proc/self'));
  }

  #made(path: string): string {
    const at = join(this.world, path);
    mkdirSync(dirname(at), { recursive: true });
    return at;
  }
}

function outcomeOf(stdout: string, stderr: string): Outcome {
  const rows = stdout.split('\n').map((line) => line.split('\t'));
  const of = (kind: string) => rows.filter(([word]) => word === kind);
  return {
    apps: of('app').map(([, ready, provable, stops, name = '', problem = '', dataDir = '']) => ({
      ready: ready === '1',
      provable: provable === '1',
      stopsWrites: stops === '1',
      name,
      problem,
      dataDir,
    })),
    frozen: of('frozen')[0]?.[1] ?? '',
    held: of('released').map(([, held = '']) => held),
    positions: of('released').map(([, , position = '']) => position),
    notes: of('note').map(([, note = '']) => note),
    stderr,
  };
}
