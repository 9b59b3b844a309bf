/**
 * Time that passes only when nothing is left to do: the clock and the timers of this process stand still while promises
 * run on, and jump to the next timer when they have. Ten thousand backups of half an hour then take as long as their
 * computing does, and two runs give the same numbers, however busy the machine is.
 */
export class VirtualTime {
  #now = Date.UTC(2026, 0, 1, 3);
  #order = 0;
  readonly #timers = new Heap();
  readonly #real = { setImmediate: globalThis.setImmediate };

  /** Takes the place of `Date` and of the global timers, for good: for a process of its own. */
  install(): this {
    const RealDate = Date;
    const now = () => this.#now;
    globalThis.Date = new Proxy(RealDate, {
      construct: (target, given, newTarget) => Reflect.construct(target, given.length ? given : [now()], newTarget),
      get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
    });
    globalThis.setTimeout = ((act: (...more: unknown[]) => void, ms = 0, ...more: unknown[]) =>
      this.#set(() => act(...more), ms)) as unknown as typeof setTimeout;
    const { clearTimeout: clearReal } = globalThis;
    globalThis.clearTimeout = ((timer: unknown) =>
      timer instanceof Timer ? timer.close() : clearReal(timer as number)) as unknown as typeof clearTimeout;
    // Intervals only keep processes alive here.
    globalThis.setInterval = (() => new Timer(0, 0, () => {})) as unknown as typeof setInterval;
    const { clearInterval: clearRealInterval } = globalThis;
    globalThis.clearInterval = ((timer: unknown) =>
      timer instanceof Timer ? timer.close() : clearRealInterval(timer as number)) as unknown as typeof clearInterval;
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      this.#set(() => controller.abort(new DOMException('The operation timed out', 'TimeoutError')), ms);
      return controller.signal;
    };
    return this;
  }

  get now(): number {
    return this.#now;
  }

  /** Lets time pass until this is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const ended = work.finally(() => {
      done = true;
    });
    ended.catch(() => {});
    for (;;) {
      await this.#settle();
      if (done) return await ended;
      const next = this.#timers.take();
      if (!next) throw new Error('nothing is left to wait for, and the work is not done');
      this.#now = Math.max(this.#now, next.at);
      next.act();
    }
  }

  /** Streams and emitters take a turn of the event loop where promises take none, and files take their time. */
  async #settle(): Promise<void> {
    do {
      for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => this.#real.setImmediate(resolve));
    } while (process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq')));
  }

  #set(act: () => void, ms: number): Timer {
    const timer = new Timer(this.#now + Math.max(0, Number(ms) || 0), this.#order++, act);
    this.#timers.put(timer);
    return timer;
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
