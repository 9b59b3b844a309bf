import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Accel, pickAccel } from './accel.ts';
import { cacheFolder, ensureImage, type Image } from './image.ts';
import { Machine } from './machine.ts';
import { type Blueprint, machineShape } from './qemu-command.ts';
import { createOverlay } from './qemu-img.ts';
import { ensureHostPackages } from './setup.ts';

export interface StartOptions {
  instanceId: string;
  rootVolumeId: string;
  hostname?: string;
  /** Boot instead of restoring the saved state. */
  cold?: boolean;
  /** Boot from a root disk that was made of this one, a snapshot's, instead of the lab's. */
  rootImage?: string;
  /** Called before the guest boots from `rootImage`: what is attached then is there from the first moment. */
  beforeBoot?: (machine: Machine) => Promise<void>;
  memoryMiB?: number;
  progress?: (text: string) => void;
}

const MEMORY_MIB = 1536;

/**
 * A running instance. The first one ever boots and has its state saved; later ones start from that state in under a
 * second, each with a root disk of its own. Where the state does not fit, the machine boots.
 */
export async function startMachine(options: StartOptions): Promise<Machine> {
  const { instanceId, rootVolumeId, rootImage, memoryMiB = MEMORY_MIB, progress = () => {} } = options;
  ensureHostPackages();
  const image = await ensureImage(progress);
  const accel = await pickAccel(image);
  const blueprint = { image, accel, instanceId, rootVolumeId, memoryMiB };
  if (rootImage !== undefined) {
    const machine = await Machine.launch({ ...blueprint, rootDisk: overlayOn(rootImage, 'qcow2') });
    return settle(await running(machine, options.beforeBoot), options);
  }
  if (!options.cold) {
    try {
      const saved = await ensureSavedState(image, accel, memoryMiB, progress);
      return await settle(await restore(blueprint, saved), options);
    } catch (error) {
      progress(`the saved state does not serve, booting instead: ${(error as Error).message}`);
    }
  }
  return settle(await boot(blueprint), options);
}

type Plan = Omit<Blueprint, 'rootDisk' | 'state'>;

interface SavedState {
  disk: string;
  state: string;
}

async function boot(plan: Plan): Promise<Machine> {
  return running(await Machine.launch({ ...plan, rootDisk: overlayOn(plan.image.root, 'raw') }));
}

async function restore(plan: Plan, saved: SavedState): Promise<Machine> {
  const machine = await Machine.launch({ ...plan, state: saved.state, rootDisk: overlayOn(saved.disk, 'qcow2') });
  try {
    await machine.incoming();
    await machine.run(10_000);
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

async function running(machine: Machine, before?: StartOptions['beforeBoot']): Promise<Machine> {
  try {
    await before?.(machine);
    await machine.run();
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

function overlayOn(base: string, format: 'raw' | 'qcow2'): Blueprint['rootDisk'] {
  return (folder) => {
    const disk = join(folder, 'root.qcow2');
    createOverlay(disk, base, format);
    return disk;
  };
}

// A restored guest believes that it is the time of its saving, and that it is the machine that was saved.
async function settle(machine: Machine, { hostname = 'freezeframe-lab' }: StartOptions): Promise<Machine> {
  try {
    const seconds = (Date.now() / 1000).toFixed(3);
    const script = `date -s @${seconds} >/dev/null; hostname "$1"; echo "$1" >/etc/hostname
      mkdir -p /run/lab; udevadm trigger --action=change --name-match=vda`;
    await machine.exec(script, { args: [hostname] });
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

async function ensureSavedState(image: Image, accel: Accel, memoryMiB: number, progress: (text: string) => void) {
  const folder = join(cacheFolder(), `ready-${stateKey(image, accel, memoryMiB)}`);
  const saved = { disk: join(folder, 'root.qcow2'), state: join(folder, 'state') };
  if (existsSync(folder)) return saved;
  progress('booting the guest once, to save its state');
  const machine = await boot({ image, accel, instanceId: 'save', rootVolumeId: 'vol-00000000000000000', memoryMiB });
  const unfinished = `${folder}.${process.pid}`;
  try {
    await machine.exec('systemctl is-system-running --wait; sync; echo 3 >/proc/sys/vm/drop_caches', { mayFail: true });
    await mkdir(unfinished, { recursive: true });
    await machine.saveState(join(unfinished, 'state'));
    execFileSync('cp', ['--sparse=always', join(machine.folder, 'root.qcow2'), join(unfinished, 'root.qcow2')]);
    await rename(unfinished, folder).catch((error) => {
      // Another process was first: its work is as good as ours.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await machine.stop();
    await rm(unfinished, { recursive: true, force: true });
  }
  return saved;
}

function stateKey(image: Image, accel: Accel, memoryMiB: number): string {
  const version = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  // Under KVM the guest sees this machine's own processor.
  const cpu = accel === 'kvm' ? /model name.*/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] : '';
  const code = readFileSync(join(import.meta.dirname, 'qemu-command.ts'));
  const hash = createHash('sha256').update(
    [image.key, image.folder, version, cpu, ...machineShape(accel, memoryMiB)].join('\0'),
  );
  return hash.update(code).digest('hex').slice(0, 12);
}
