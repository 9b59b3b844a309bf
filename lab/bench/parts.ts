import { consistency } from './consistency.ts';
import { nativeWindow } from './native.ts';
import type { Part } from './page.ts';
import { sizes } from './sizes.ts';
import { frozenWindow } from './window.ts';

/** The parts of the bench by name, in the order of the page. */
export const PARTS: Readonly<Record<string, Part>> = {
  window: frozenWindow,
  native: nativeWindow,
  consistency,
  sizes,
};
