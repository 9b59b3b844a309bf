import { THAW_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { ThawAnswer, type Thawed, type ThawInput } from '../shared/contracts.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { type CommandChannel, runCommand } from '../shared/run-command.ts';

/** Thaws what this run froze, if it did, and brings back the receipt. As often as it takes: the document is idempotent. */
export const thaw = async (
  { run, instanceId, documents, askedBy }: ThawInput,
  host: CommandChannel,
  clock: Clock,
): Promise<Thawed> => {
  const { answer, sentAt } = await runCommand(
    host,
    clock,
    {
      document: DOCUMENTS.thaw,
      pinned: documents?.thaw,
      instanceId,
      parameters: { Run: run, Why: askedBy },
      comment: `Freezeframe run ${run}`,
    },
    ThawAnswer,
    THAW_MS,
  );
  return { sentAt, bootId: answer.bootId, receipt: answer.receipt };
};
