import { THAW_MS, THAW_SEND } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { ThawAnswer, type Thawed, type ThawInput } from '../shared/contracts.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { type Command, type CommandChannel, runCommand, throughThrottles } from '../shared/run-command.ts';

/** Thaws what this run froze, if it did, and brings back the receipt. As often as it takes: the document is idempotent. */
export const thaw = async (
  { run, instanceId, documents, snapshots, askedBy }: ThawInput,
  host: CommandChannel,
  clock: Clock,
): Promise<Thawed> => {
  const command: Command = {
    document: DOCUMENTS.thaw,
    pinned: documents?.thaw,
    instanceId,
    parameters: { Run: run, Why: askedBy ?? (snapshots === undefined ? WITHOUT_A_SET : 'asked') },
    comment: `Freezeframe run ${run}`,
  };
  const { answer, sentAt } = await throughThrottles(clock, THAW_SEND, () =>
    runCommand(host, clock, command, ThawAnswer, THAW_MS),
  );
  return { sentAt, bootId: answer.bootId, receipt: answer.receipt };
};

/**
 * Applications that keep a catalogue of backups close this one as successful after `asked` alone. Not a word of its own: a
 * run in progress may be pinned to a document that does not know it yet, and would not be thawed.
 */
const WITHOUT_A_SET = 'rescue';
