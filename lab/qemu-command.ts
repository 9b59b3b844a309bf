import { join } from 'node:path';
import type { Accel } from './accel.ts';
import type { Image } from './image.ts';
import { nodeOf, serialOf } from './volume-names.ts';

/** Under emulation, on two cores with three guests, a boot has taken a minute and a half. */
export const BOOT_DEADLINE_MS = 300_000;

// A crash of the guest is what matters here, not one of the host: no flushes to the host's own disk.
export const DISK_OPTIONS = { cache: { 'no-flush': true }, discard: 'unmap' } as const;

/** All that one QEMU process is made from. */
export interface Blueprint {
  image: Image;
  accel: Accel;
  instanceId: string;
  rootVolumeId: string;
  /** qcow2 image of the root disk, this machine's own. */
  rootDisk: (folder: string) => string;
  memoryMiB: number;
  /** A saved state to start from instead of booting. */
  state?: string;
}

// No NVMe at start: QEMU cannot save the state of an NVMe disk. Hence the root is a virtio disk, which bears the EBS
// volume's id as serial number too (/sys/block/vda/serial; it is read when asked, so a restored state shows the new one).
/** QEMU's command line. `pc` because it alone takes PCI hot-plug without prepared ports. */
export function qemuCommand(blueprint: Blueprint, folder: string): string[] {
  const { image, accel, rootVolumeId, rootDisk, state } = blueprint;
  const root = {
    'node-name': nodeOf(rootVolumeId),
    driver: 'qcow2',
    file: { driver: 'file', filename: rootDisk(folder) },
    ...DISK_OPTIONS,
  };
  const socket = (name: string) => `socket,id=${name},path=${join(folder, name)},server=on,wait=off`;
  return [
    'qemu-system-x86_64',
    ...machineShape(accel, blueprint.memoryMiB),
    ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', KERNEL_ARGS],
    ...['-blockdev', JSON.stringify(root)],
    ...['-device', `virtio-blk-pci,id=root,drive=${nodeOf(rootVolumeId)},serial=${serialOf(rootVolumeId)}`],
    ...['-device', 'virtio-serial-pci,id=serial', '-device', 'virtio-rng-pci,id=random'],
    ...['-chardev', socket('exec'), '-device', 'virtserialport,id=exec-port,chardev=exec,name=org.freezeframe.exec'],
    ...['-chardev', socket('ssm'), '-device', 'virtserialport,id=ssm-port,chardev=ssm,name=org.freezeframe.ssm'],
    ...['-chardev', socket('qmp'), '-mon', 'chardev=qmp,mode=control'],
    ...['-serial', `file:${join(folder, 'console.log')}`, '-S'],
    ...(state ? ['-incoming', `exec:cat '${state.replaceAll("'", "'\\''")}'`] : []),
  ];
}

const KERNEL_ARGS =
  'console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable audit=0 selinux=0 apparmor=0 ' +
  'fsck.mode=skip net.ifnames=0 systemd.show_status=no';

/** What a saved state is bound to, besides QEMU's version and the image. */
export function machineShape(accel: Accel, memoryMiB: number): string[] {
  const cpu = accel === 'kvm' ? 'host' : 'Nehalem';
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'pc'],
    ...['-accel', accel === 'tcg' ? 'tcg,thread=multi' : 'kvm', '-cpu', cpu, '-smp', '2', '-m', `${memoryMiB}`],
  ];
}
