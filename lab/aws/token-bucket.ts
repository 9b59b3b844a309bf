import type { Clock } from './clock.ts';

/** Size of a request bucket and how fast it fills up again. */
export interface Rate {
  burst: number;
  perSecond: number;
}

/** The throttle that AWS documents for its APIs: a bucket per action, account and Region. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = clock.now();
  }

  /** Takes one token; false when there is none, which costs nothing. */
  take(): boolean {
    const now = this.#clock.now();
    const refill = ((now - this.#filledAt) / 1000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + refill);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
