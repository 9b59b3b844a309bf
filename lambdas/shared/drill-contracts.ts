/** What crosses a border in a drill: the answer of its document, and what each of its states hands to the next. */
import * as z from 'zod/mini';
import { Head } from './contracts.ts';

/** Answer of Verify. */
export const VerifyAnswer = z.object({
  ...Head,
  restore: z.string(),
  checks: z.array(
    z.object({
      kind: z.enum(['filesystem', 'application', 'own']),
      /** Mount point on the original; application with its data directory; the user's check. */
      name: z.string(),
      /** `unchecked`: nothing is known, and `said` tells why. */
      verdict: z.enum(['ok', 'damaged', 'unchecked']),
      said: z.string(),
      seconds: z.number(),
    }),
  ),
});
export type VerifyAnswer = z.infer<typeof VerifyAnswer>;
