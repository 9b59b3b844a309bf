import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire, syncBuiltinESMExports } from 'node:module';

/**
 * Time that passes only when nothing is left to do: the clock and the timers of this process stand still while promises
 * run on, and jump to the next timer when they have. Ten thousand backups of half an hour then take as long as their
 * computing does, and two runs give the same numbers, however busy the machine is.
 *
 * It takes the place of `Date` and of the timers, for good: for a process of its own. Nothing in it may wait for anything
 * but timers, promises and files: of a socket or another process, time would not know that there is something to wait for.
 */
export class VirtualTime {
  #now = Date.UTC(2026, 0, 1, 3);
  #order = 0;
  #wake = () => {};
  readonly #timers = new Heap();
  readonly #isOver: () => boolean;

  /** `isOver`: asked when a timer is due, in the context in which it was set: whether nobody waits for it any more. */
  private constructor(isOver: () => boolean) {
    this.#isOver = isOver;
  }

  /** Installs it, and lets it pass from now on. */
  static begin(isOver: () => boolean = () => false): void {
    const time = new VirtualTime(isOver);
    time.#install();
    void time.#pass();
  }

  #install(): void {
    const RealDate = Date;
    const now = () => this.#now;
    globalThis.Date = new Proxy(RealDate, {
      construct: (target, given, newTarget) => Reflect.construct(target, given.length ? given : [now()], newTarget),
      get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
    });
    const clearReal = globalThis.clearTimeout;
    const clear = (timer: unknown) => (timer instanceof Timer ? timer.close() : clearReal(timer as number));
    const timers = {
      setTimeout: (act: (...more: unknown[]) => void, ms = 0, ...more: unknown[]) => this.#set(() => act(...more), ms),
      clearTimeout: clear,
      // Intervals only keep processes alive here.
      setInterval: () => new Timer(0, 0, () => {}),
      clearInterval: clear,
    };
    Object.assign(globalThis, timers);
    // middy has its timers from there.
    Object.assign(createRequire(import.meta.url)('node:timers'), timers);
    syncBuiltinESMExports();
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      this.#set(() => controller.abort(new DOMException('The operation timed out', 'TimeoutError')), ms);
      return controller.signal;
    };
  }

  async #pass(): Promise<never> {
    for (;;) {
      await settled();
      const next = this.#timers.take();
      if (next) {
        this.#now = Math.max(this.#now, next.at);
        next.act();
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #set(act: () => void, ms: number): Timer {
    const inContext = AsyncLocalStorage.snapshot();
    const due = () => {
      if (!this.#isOver()) act();
    };
    const timer = new Timer(this.#now + Math.max(0, Number(ms) || 0), this.#order++, () => inContext(due));
    this.#timers.put(timer);
    this.#wake();
    return timer;
  }
}

/** Streams and emitters take some turns of the event loop where promises take none, and files take their time. */
async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (process.getActiveResourcesInfo().some((resource) => /^(FSReq|CloseReq)/.test(resource))) quiet = 0;
  }
}

class Timer {
  readonly at: number;
  readonly order: number;
  act: () => void;
  closed = false;

  constructor(at: number, order: number, act: () => void) {
    this.at = at;
    this.order = order;
    this.act = act;
  }

  /** What it would have kept in memory goes at once, the timer itself when its time comes. */
  close(): void {
    this.closed = true;
    this.act = () => {};
  }

  ref = () => this;
  unref = () => this;
  hasRef = () => true;
}

/** The earliest timer first, and of equal ones the one that was set first. */
class Heap {
  readonly #timers: Timer[] = [];

  put(timer: Timer): void {
    const timers = this.#timers;
    let at = timers.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(timers[parent] as Timer, timer)) break;
      timers[at] = timers[parent] as Timer;
      at = parent;
    }
    timers[at] = timer;
  }

  take(): Timer | undefined {
    for (;;) {
      const first = this.#pop();
      if (!first?.closed) return first;
    }
  }

  #pop(): Timer | undefined {
    const timers = this.#timers;
    const first = timers[0];
    const last = timers.pop();
    if (!first || !last || timers.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && before(timers[child + 1] as Timer, timers[child] as Timer)) child += 1;
      if (before(last, timers[child] as Timer)) break;
      timers[at] = timers[child] as Timer;
      at = child;
    }
    timers[at] = last;
    return first;
  }
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
