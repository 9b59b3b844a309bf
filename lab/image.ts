import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { debianSources } from './apt-sources.ts';
import { shellQuote } from './shell.ts';

const RELEASE = 'bookworm';
const FILES = join(import.meta.dirname, 'guest', 'image');
const BUILD_DEADLINE_MS = 15 * 60_000;

// Nobody reads manuals in the guest; LLVM only serves PostgreSQL's JIT.
const LEFT_OUT = ['doc/*', 'man/*', 'locale/*', 'i18n/*', 'info/*', 'lintian/*'].map((name) => `/usr/share/${name}`);
LEFT_OUT.push('/usr/lib/x86_64-linux-gnu/libLLVM*', '/usr/lib/x86_64-linux-gnu/gconv/*', '/usr/bin/aria_*');
LEFT_OUT.push('/usr/bin/myisam*', '/usr/lib/udev/hwdb.d/*');

/** A bootable guest. Its files are read-only: machines write to overlays. */
export interface Image {
  /** Changes with everything that goes into the guest. */
  key: string;
  folder: string;
  kernel: string;
  initrd: string;
  root: string;
}

/** The guest's image from the cache, built first if it is not there (about a minute). */
export async function ensureImage(progress: (text: string) => void = () => {}): Promise<Image> {
  const key = imageKey();
  const folder = join(cacheFolder(), `image-${key}`);
  if (!existsSync(folder)) {
    progress('building the guest image (once, about a minute)');
    await build(folder);
  }
  return {
    key,
    folder,
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd'),
    root: join(folder, 'root.img'),
  };
}

/** FREEZEFRAME_CACHE, or the user's cache folder. */
export function cacheFolder(): string {
  return process.env.FREEZEFRAME_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'freezeframe');
}

function imageKey(): string {
  const hash = createHash('sha256').update(RELEASE).update(LEFT_OUT.join());
  for (const name of readdirSync(FILES).sort()) hash.update(`\0${name}\0`).update(readFileSync(join(FILES, name)));
  return hash.digest('hex').slice(0, 12);
}

// Built aside and moved into place, so that a build cut short leaves nothing that looks like an image. The work folder is
// open to everybody, because an unprivileged build runs under a mapped user that may not enter one's home.
async function build(folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'freezeframe-image-'));
  const finished = `${folder}.${process.pid}`;
  try {
    await chmod(work, 0o755);
    await cp(FILES, join(work, 'files'), { recursive: true });
    await mkdir(join(work, 'out'));
    await chmod(join(work, 'out'), 0o777);
    const sources = debianSources(RELEASE);
    await writeFile(join(work, 'sources.list'), `${sources.join('\n')}\n`);
    await bootstrap(work);
    await mkdir(finished, { recursive: true });
    for (const name of ['vmlinuz', 'initrd']) await copyFile(join(work, 'out', name), join(finished, name));
    await run('cp', ['--sparse=always', join(work, 'out', 'root.img'), join(finished, 'root.img')]);
    await rename(finished, folder).catch((error) => {
      // Another process was first: its work is as good as ours.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(finished, { recursive: true, force: true });
  }
}

async function bootstrap(work: string): Promise<void> {
  const files = shellQuote(join(work, 'files'));
  const packages = readFileSync(join(FILES, 'packages.txt'), 'utf8').trim().split('\n');
  await run('mmdebstrap', [
    '--quiet',
    '--variant=minbase',
    '--format=null',
    `--include=${packages.join(',')}`,
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    '--dpkgopt=force-unsafe-io',
    ...LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--customize-hook=bash ${files}/customize.sh "$1" ${files}`,
    `--customize-hook=bash ${files}/pack.sh "$1" ${files} ${shellQuote(join(work, 'out'))}`,
    RELEASE,
    '-',
    join(work, 'sources.list'),
  ]);
}

async function run(command: string, args: string[]): Promise<void> {
  const proxies = Object.entries(process.env).filter(([name]) => /_proxy$/i.test(name));
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A tame environment: what the caller exports must not reach the packages' scripts.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: homedir(), LC_ALL: 'C.UTF-8', ...Object.fromEntries(proxies) },
    timeout: BUILD_DEADLINE_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output = (output + bytes).slice(-4000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`${command} failed with ${code}:\n${output}`);
}
