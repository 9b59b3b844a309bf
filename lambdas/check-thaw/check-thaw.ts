import { type CheckedThaw, type CheckThawInput, InstanceId } from '../shared/contracts.ts';
import { type HistoryEvent, owedThaw } from '../shared/owed-thaw.ts';

/**
 * Whether a run that ended red, or hangs, has left its host frozen. Most have not: they failed before they froze
 * anything, or were thawed. To be unable to tell, or a history that is not written to its end yet, means that it may have.
 */
export const checkThaw = async (
  { executionArn, name, input }: CheckThawInput,
  history: (executionArn: string) => AsyncIterable<HistoryEvent>,
): Promise<CheckedThaw> => {
  const instanceId = instanceOf(input);
  // An input that names no instance ends a run in its first state.
  if (instanceId === undefined) return { owed: false, why: 'the run names no instance', run: name, instanceId: '' };
  const answer = { run: name, instanceId };
  try {
    const { since, thawed, ended } = await owedThaw(history(executionArn));
    if (thawed) return { owed: false, why: 'the run thawed its host itself', ...answer };
    if (ended && since === undefined) return { owed: false, why: 'the run had not come to its freeze', ...answer };
    const why = since === undefined ? 'the history is not complete' : `no thaw since ${new Date(since).toISOString()}`;
    return { owed: true, why, ...answer };
  } catch (error) {
    return { owed: true, why: `the history can't be read: ${(error as Error).message}`.slice(0, 300), ...answer };
  }
};

const instanceOf = (input: string | null): string | undefined => {
  try {
    return InstanceId.parse((JSON.parse(input ?? '') as { instanceId?: unknown }).instanceId);
  } catch {
    return undefined;
  }
};
