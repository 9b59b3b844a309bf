/** What a Distributed Map writes into its bucket (ResultWriter): a manifest, and files of its children by their status. */
import * as z from 'zod/mini';
import { Outcome, Target } from '../shared/contracts.ts';

const Files = z._default(z.array(z.object({ Key: z.string() })), []);
const Manifest = z.object({ ResultFiles: z.object({ SUCCEEDED: Files, FAILED: Files, PENDING: Files }) });
const Child = z.object({
  Input: z.string(),
  Output: z.optional(z.string()),
  Error: z.optional(z.string()),
  Cause: z.optional(z.string()),
});

/** The outcome of every child that ended, however it did. `read`: the JSON of an object in the bucket. */
export const outcomesFrom = async (manifest: unknown, read: (key: string) => Promise<unknown>): Promise<Outcome[]> => {
  const { SUCCEEDED, FAILED } = Manifest.parse(manifest).ResultFiles;
  const outcomes: Outcome[] = [];
  for (const { Key } of [...SUCCEEDED, ...FAILED]) {
    for (const child of z.array(Child).parse(await read(Key))) outcomes.push(outcomeOf(child));
  }
  return outcomes;
};

const outcomeOf = ({ Input, Output, Error: error = 'NoOutcomeError', Cause }: z.infer<typeof Child>): Outcome => {
  if (Output !== undefined) return Outcome.parse(JSON.parse(Output));
  const { instanceId, name } = Target.parse(JSON.parse(Input));
  return { instanceId, name, error: { Error: error, ...(Cause !== undefined && { Cause }) } };
};
