/** What EC2 shows of a volume in the guest: its id without the dash. */
export function serialOf(volumeId: string): string {
  return volumeId.replace('-', '');
}

/** QEMU's name of the disk's contents. */
export function nodeOf(volumeId: string): string {
  return `disk-${serialOf(volumeId)}`;
}

/** QEMU's name of the plugged device. */
export function deviceOf(volumeId: string): string {
  return `nvme-${serialOf(volumeId)}`;
}
