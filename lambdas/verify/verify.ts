import type { Clock } from '../shared/clock.ts';
import type { Verification, VerifyInput } from '../shared/drill-contracts.ts';
import { UnexpectedAnswerError } from '../shared/errors.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { type CommandChannel, sendCommand } from '../shared/run-command.ts';

/** Most characters of the plan: document and parameters together have 64 KB. */
const MOST_PLAN = 12_000;

/** Sends the document Verify to where the set was restored. It may take hours, so nobody waits here for its end. */
export const verify = async (
  input: VerifyInput,
  host: Pick<CommandChannel, 'send'>,
  clock: Clock,
): Promise<Verification> => {
  const { output } = input.restored;
  const sentAt = clock.now();
  const commandId = await sendCommand(host, {
    document: DOCUMENTS.verify,
    pinned: input.document,
    instanceId: output.instanceId,
    parameters: {
      Restore: output.restore,
      Under: output.under,
      Minutes: String(input.verifyMinutes),
      Plan: planFor(input),
    },
    comment: `Freezeframe drill ${input.drill}`,
  });
  return { commandId, sentAt, done: false, waitSeconds: FIRST_LOOK_SECONDS, endedAt: null, checks: [] };
};

const FIRST_LOOK_SECONDS = 5;

/** The plan as the document reads it: one thing a line, words without blanks, in base64. */
export const planFor = ({ set, apps, drill }: Pick<VerifyInput, 'set' | 'apps' | 'drill'>): string => {
  const lines = [
    `grade ${set.grade}`,
    ...apps.map(({ driver, name, dataDir, mounts }) =>
      ['app', driver, ...[name || driver, dataDir || '-', ...mounts].map(escaped)].join(' '),
    ),
  ];
  const plan = Buffer.from(`${lines.join('\n')}\n`).toString('base64');
  if (plan.replace(/=+$/, '').length <= MOST_PLAN) return plan;
  throw new UnexpectedAnswerError(
    `drill ${drill} has ${apps.length} applications, more than one command can carry; drill an instance with fewer`,
  );
};

/** As the kernel writes paths in mountinfo. */
const escaped = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
