/** The stored evidence of a set, as a restore and a drill read it. */
import * as z from 'zod/mini';
import { BadEvidenceError } from './errors.ts';
import { faultsOf } from './input-faults.ts';

/** What *Read evidence* adds to the state: the object, as text. */
export const EvidenceRead = { object: z.object({ text: z.string() }) };

/** The part of the evidence that a schema names. */
export const evidenceOf = <Part>(
  part: z.ZodMiniType<Part>,
  { key, object: { text } }: { key: string; object: { text: string } },
): Part => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BadEvidenceError(`${key} is no JSON; look at its older versions in the bucket`, { cause: error });
  }
  const parsed = part.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new BadEvidenceError(
    `${key} is not what this version can read: ${faultsOf(parsed.error.issues, json)}; its snapshots can be restored by hand`,
    { cause: parsed.error },
  );
};
