import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { withDeadline } from './deadline.ts';

export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** QEMU's control socket: commands with answers, and events. */
export class Qmp {
  readonly #socket: Socket;
  readonly #events = new EventEmitter<{ event: [QmpEvent]; close: [] }>();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** `socket` is freshly connected: QEMU greets first and wants its capabilities negotiated. */
  static async open(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#events.setMaxListeners(0);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim()) this.#take(JSON.parse(line));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new QmpError('QEMU has gone'));
      this.#waiting.clear();
      this.#events.emit('close');
    });
  }

  async execute<T = unknown>(command: string, args: object = {}, deadlineMs = 20_000): Promise<T> {
    if (this.#socket.destroyed) throw new QmpError(`${command}: QEMU has gone`);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return (await withDeadline(answer, deadlineMs, `QMP ${command}`)) as T;
    } catch (error) {
      throw new QmpError(`${command}: ${(error as Error).message}`, { cause: error });
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Ask before the command that causes the event. `undefined` as answer of `pick` means: not this one. */
  waitFor<T>(pick: (event: QmpEvent) => T | undefined, deadlineMs: number, what: string): Promise<T> {
    let stop = () => {};
    const seen = new Promise<T>((resolve, reject) => {
      const onEvent = (event: QmpEvent) => {
        const picked = pick(event);
        if (picked !== undefined) resolve(picked);
      };
      const onClose = () => reject(new QmpError(`${what}: QEMU has gone`));
      stop = () => this.#events.off('event', onEvent).off('close', onClose);
      this.#events.on('event', onEvent).on('close', onClose);
    });
    return withDeadline(seen, deadlineMs, what).finally(() => stop());
  }

  onEvent(listener: (event: QmpEvent) => void): void {
    this.#events.on('event', listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: { id?: number; return?: unknown; error?: { desc: string }; event?: string; data?: QmpEvent['data'] }) {
    if (message.event) {
      this.#events.emit('event', { event: message.event, data: message.data ?? {} });
      return;
    }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (message.error) waiting?.reject(new QmpError(message.error.desc));
    else waiting?.resolve(message.return);
  }
}

export class QmpError extends Error {
  override name = 'QmpError';
}
