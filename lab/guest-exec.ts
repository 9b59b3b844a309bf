import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from './frames.ts';
import type { GuestPort } from './guest-port.ts';

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

interface Running {
  out: Buffer[];
  err: Buffer[];
  ended(result: ExecResult): void;
  lost(error: Error): void;
}

// A script travels as one argument of bash, and Linux allows 128 KiB for one.
const SCRIPT_LIMIT = 128 * 1024 - 1;

/** Runs the lab's own bash scripts in the guest, as many at once as one likes. */
export class GuestExec {
  readonly #port: GuestPort;
  readonly #running = new Map<string, Running>();
  #lastId = 0;

  constructor(port: GuestPort) {
    this.#port = port;
    port.onFrame((frame) => this.#take(frame));
    port.onClose(() => this.reset('the machine has stopped'));
  }

  async run(script: string, timeoutMs: number): Promise<ExecResult> {
    if (Buffer.byteLength(script) > SCRIPT_LIMIT) throw new Error(`script of over ${SCRIPT_LIMIT} bytes`);
    this.#lastId += 1;
    const id = `${this.#lastId}`;
    const result = new Promise<ExecResult>((resolve, reject) => {
      this.#running.set(id, { out: [], err: [], ended: resolve, lost: reject });
    });
    this.#port.send('RUN', id, script);
    const timer = new AbortController();
    const expiry = sleep(timeoutMs, 'expired' as const, { signal: timer.signal }).catch(() => 'cleared' as const);
    try {
      const first = await Promise.race([result, expiry]);
      if (typeof first !== 'string') return first;
      const { out, err } = this.#running.get(id) ?? { out: [], err: [] };
      this.#port.send('KILL', id);
      const said = Buffer.concat([...out, ...err])
        .toString()
        .slice(-2000);
      throw new Error(`guest command killed after ${timeoutMs} ms: ${script.slice(0, 200)}\n${said}`);
    } finally {
      timer.abort();
      result.catch(() => {});
      this.#running.delete(id);
    }
  }

  /** Gives up on everything under way: the guest has lost it. */
  reset(why: string): void {
    for (const { lost } of this.#running.values()) lost(new Error(`guest command lost: ${why}`));
    this.#running.clear();
  }

  #take({ verb, id, payload }: Frame): void {
    const job = this.#running.get(id);
    if (!job) return;
    if (verb === 'OUT') job.out.push(payload);
    else if (verb === 'ERR') job.err.push(payload);
    else if (verb === 'END') {
      const text = (parts: Buffer[]) => Buffer.concat(parts).toString();
      job.ended({ code: Number(payload.toString()), stdout: text(job.out), stderr: text(job.err) });
    }
  }
}
