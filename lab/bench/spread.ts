/** A number that was measured several times: the middle one, and between which two the others lie. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly times: number;
}

export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
    return low + (high - low) * (place - Math.floor(place));
  };
  return { median: at(0.5), least: at(0), most: at(1), times: sorted.length };
}

/** `123 (110–140)`. */
export const told = ({ median, least, most }: Spread, digits = 0): string =>
  `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
