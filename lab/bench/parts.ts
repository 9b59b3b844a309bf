import type { Part } from './page.ts';
import { sizes } from './sizes.ts';

/** The parts of the bench by name, in the order of the page. */
export const PARTS: Readonly<Record<string, Part>> = { sizes };
