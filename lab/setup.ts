import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { install, mayInstall } from './apt.ts';

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
  if (!mayInstall() || !isOnPath('apt-get')) {
    throw new Error(
      `the lab needs ${missing.join(', ')}: install them with\n  sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`,
    );
  }
  console.error(`lab: installing ${missing.join(', ')}`);
  install(...missing);
  const still = missingCommands();
  if (still.length > 0)
    throw new Error(`the lab still misses ${still.join(', ')} though apt installed ${missing.join(', ')}`);
}

/** The commands of the lab that this machine does not have. */
export function missingCommands(): string[] {
  const isRoot = mayInstall();
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
