import type { Socket } from 'node:net';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';

/** The lab's end of one virtio-serial port. What is sent while nobody listens in the guest waits in QEMU. */
export class GuestPort {
  readonly #socket: Socket;
  readonly #listeners = new Set<(frame: Frame) => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      for (const frame of reader.read(bytes)) for (const listener of this.#listeners) listener(frame);
    });
    // Ends whatever half-written line an earlier host may have left in the guest's buffer.
    socket.write('\n');
  }

  send(verb: string, id: string, payload: Buffer | string = ''): void {
    this.#socket.write(encodeFrame(verb, id, payload));
  }

  onFrame(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The boot id of the guest's next HELLO, or of the next one that `isMeant`. */
  hello(isMeant: (bootId: string) => boolean = () => true): Promise<string> {
    return new Promise((resolve) => {
      const stop = this.onFrame(({ verb, payload }) => {
        if (verb !== 'HELLO' || !isMeant(payload.toString())) return;
        stop();
        resolve(payload.toString());
      });
    });
  }

  onClose(listener: () => void): void {
    this.#socket.on('close', listener);
  }

  close(): void {
    this.#socket.destroy();
  }
}
