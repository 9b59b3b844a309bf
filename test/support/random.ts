/** Chance that is the same in every run: a generator by its seed (mulberry32), and what is drawn from it. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to 1. */
  next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  /** Draws of a log-normal distribution, as latencies have it: never below 0, a few of them far above the rest. */
  latency({ median, p99 }: { median: number; p99: number }): () => number {
    const sigma = Math.log(p99 / median) / Z99;
    return () => median * Math.exp(sigma * this.#normal());
  }

  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}

/** Standard deviations that 99 % of a normal distribution lie below. */
const Z99 = 2.326;
