import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import type { Image } from './image.ts';

export type Accel = 'kvm' | 'tcg';

const PROBE_MS = 8000;

let picked: Promise<Accel> | undefined;

/**
 * KVM where it works, else emulation. A /dev/kvm that opens proves nothing: inside some virtual machines it takes a guest
 * and never gets it to user space, so a tiny guest has to come up first.
 */
export function pickAccel(image: Image): Promise<Accel> {
  picked ??= hasVirtualisation() ? probe(image) : Promise.resolve('tcg');
  return picked;
}

/** Whether the processor claims to virtualise, and we may ask it to. */
export function hasVirtualisation(cpuinfo = read('/proc/cpuinfo'), device = '/dev/kvm'): boolean {
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo)) return false;
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function probe(image: Image): Promise<Accel> {
  const args = [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-machine',
    'pc',
    '-accel',
    'kvm',
    '-cpu',
    'host',
  ];
  args.push('-m', '256', '-no-reboot', '-serial', 'stdio', '-kernel', image.kernel, '-initrd', image.initrd);
  args.push('-append', 'console=ttyS0 quiet panic=-1 freezeframe.probe');
  // A guest that KVM could not run stays, paused, for ever: hence the kill by deadline.
  const child = spawn('qemu-system-x86_64', args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: PROBE_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve) => {
    let seen = '';
    child.stdout.on('data', (bytes: Buffer) => {
      seen += bytes;
      if (!seen.includes('FREEZEFRAME-PROBE-UP')) return;
      resolve('kvm');
      child.kill('SIGKILL');
    });
    child.on('error', () => resolve('tcg')).on('close', () => resolve('tcg'));
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
