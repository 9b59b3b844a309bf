import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Connects to a socket that QEMU is about to open. */
export async function connectUnix(path: string, deadlineMs: number, isAlive: () => boolean): Promise<Socket> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt(path);
    } catch (error) {
      if (Date.now() > end || !isAlive()) throw error;
      await sleep(10);
    }
  }
}

function attempt(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject).once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
