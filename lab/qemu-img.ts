import { execFileSync } from 'node:child_process';

/** An empty disk. */
export function createDisk(path: string, size: string): void {
  qemuImg(['create', '-q', '-f', 'qcow2', path, size]);
}

/** A disk that begins as `base` and never writes to it. */
export function createOverlay(path: string, base: string, format: 'raw' | 'qcow2'): void {
  qemuImg(['create', '-q', '-f', 'qcow2', '-b', base, '-F', format, path]);
}

export function virtualSize(path: string): number {
  // -U: somebody may be writing to it.
  const info = JSON.parse(qemuImg(['info', '-U', '--output=json', path])) as { 'virtual-size': number };
  return info['virtual-size'];
}

function qemuImg(args: string[]): string {
  return execFileSync('qemu-img', args, { encoding: 'utf8', timeout: 60_000 });
}
