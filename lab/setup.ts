import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const PACKAGE_OF_COMMAND: Record<string, string> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  // Needed for the build of the image by an unprivileged user.
  newuidmap: 'uidmap',
};

/** Makes sure that the lab's programs are here: installs them as root on Debian and Ubuntu, else says what is missing. */
export function ensureHostPackages(): void {
  const missing = [...new Set(missingCommands().map((command) => PACKAGE_OF_COMMAND[command] ?? command))];
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    throw new Error(`the lab needs ${missing.join(', ')}: install them with\n  sudo ${install}`);
  }
  console.error(`lab: installing ${missing.join(', ')}`);
  const options: ExecFileSyncOptions = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  execFileSync('apt-get', ['-qq', 'update'], options);
  execFileSync('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...missing], options);
  const still = missingCommands();
  if (still.length > 0) throw new Error(`the lab still misses ${still.join(', ')} after: ${install}`);
}

/** The commands of the lab that this machine does not have. */
export function missingCommands(): string[] {
  const isRoot = process.getuid?.() === 0;
  return Object.keys(PACKAGE_OF_COMMAND).filter((name) => !(isRoot && name === 'newuidmap') && !isOnPath(name));
}

function isOnPath(command: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => isExecutable(join(folder, command)));
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
