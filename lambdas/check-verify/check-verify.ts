import { VERIFY_GRACE_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { type CheckVerifyInput, type Verification, VerifyAnswer } from '../shared/drill-contracts.ts';
import { HostSilentError } from '../shared/errors.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { answerOf, type CommandChannel, isUnderway } from '../shared/run-command.ts';

const LONGEST_WAIT_SECONDS = 60;

/** What has become of the verification: its checks, or when to look again. */
export const checkVerify = async (
  {
    verification: sent,
    verifyMinutes,
    restored,
  }: Pick<CheckVerifyInput, 'verification' | 'verifyMinutes' | 'restored'>,
  host: Pick<CommandChannel, 'look'>,
  clock: Clock,
): Promise<Verification> => {
  const { instanceId } = restored.output;
  const invocation = await host.look(sent.commandId, instanceId);
  if (invocation && !isUnderway(invocation)) {
    const command = { document: DOCUMENTS.verify, instanceId };
    const { checks } = answerOf(command, sent.commandId, invocation, VerifyAnswer);
    return { ...sent, done: true, endedAt: clock.now(), checks };
  }
  if (clock.now() - sent.sentAt > verifyMinutes * 60_000 + VERIFY_GRACE_MS) {
    throw new HostSilentError(
      `${DOCUMENTS.verify} on ${instanceId} has not ended ${verifyMinutes} minutes after it was sent (command ${sent.commandId}): look at its agent, or give "verifyMinutes" more`,
    );
  }
  return { ...sent, waitSeconds: Math.min(sent.waitSeconds * 2, LONGEST_WAIT_SECONDS) };
};
