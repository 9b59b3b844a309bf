/** Time and chance, injected so that tests need neither. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** From 0 up to 1: spreads retries that would otherwise meet again. */
  chance(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  chance: () => Math.random(),
};
