import { NoDeviceNameError } from '../shared/errors.ts';

const letters = (from: string, to: string): string[] =>
  Array.from({ length: to.charCodeAt(0) - from.charCodeAt(0) + 1 }, (_, index) =>
    String.fromCharCode(from.charCodeAt(0) + index),
  );

/** Names that EC2 lets data volumes of a Linux instance have, the recommended ones first. */
const NAMES: readonly string[] = [
  ...letters('f', 'p').map((letter) => `/dev/sd${letter}`),
  ...['b', 'c'].flatMap((first) => letters('a', 'z').map((letter) => `/dev/xvd${first}${letter}`)),
];

/** A name that no volume of the instance has: `/dev/sdf` and `/dev/xvdf` are one device to a Xen kernel. */
export const freeDevice = (instanceId: string, taken: ReadonlySet<string>): string => {
  const used = new Set([...taken].map(canonical));
  const free = NAMES.find((name) => !used.has(canonical(name)));
  if (free === undefined) {
    throw new NoDeviceNameError(
      `${instanceId} has no device name left for another volume; detach what it does not need, or restore to another instance`,
    );
  }
  return free;
};

const canonical = (device: string): string => device.replace(/^\/dev\/(sd|xvd)/, '').replace(/\d+$/, '');
