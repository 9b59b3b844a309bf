import { VSS_RECOVERY_MS, VSS_SECONDS, VSS_TRIES } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { Run, SnapshotWithVssInput, VssCommand } from '../shared/contracts.ts';
import { BadInputError, HostError, HostSilentError } from '../shared/errors.ts';
import { VSS_DOCUMENTS } from '../shared/names.ts';
import { type CommandChannel, sendCommand } from '../shared/run-command.ts';
import { tagsAtCreation } from '../shared/tags-at-creation.ts';

const FIRST_WAIT_SECONDS = 20;

/**
 * Sends AWS's document and comes back at once. VSS holds writes for ten seconds at most and by itself, so nothing is held
 * while it is waited for, and there is nothing to thaw.
 */
export const snapshotWithVss = async (
  input: SnapshotWithVssInput,
  channel: Pick<CommandChannel, 'send'>,
  clock: Clock,
): Promise<VssCommand> => {
  const { run, instanceId, vss, vssCommand: failed } = input;
  if (!vss) throw new BadInputError(`mode is "${input.mode}": VSS has no part in it`);
  if (vss.fault) throw new HostError(vss.fault.code, vss.fault.message);

  const tries = (failed?.tries ?? 0) + 1;
  if (tries > VSS_TRIES) throw new BadInputError(`VSS was tried ${VSS_TRIES} times already in run ${run}`);
  if (failed) await clock.sleep(VSS_RECOVERY_MS);

  const document = vss.install ? VSS_DOCUMENTS.install : VSS_DOCUMENTS.create;
  const sentAt = clock.now();
  const command = { document, sentAt, tries, waitSeconds: FIRST_WAIT_SECONDS, outcome: 'underway', looks: 0 } as const;
  try {
    const commandId = await sendCommand(channel, {
      document,
      // AWS changes its documents and hashes as it likes.
      pinned: undefined,
      instanceId,
      parameters: vssParameters(input),
      comment: `Freezeframe run ${run}`,
    });
    return { ...command, commandId };
  } catch (error) {
    // It may run all the same: its set will be found by its tag, or not.
    if (error instanceof HostSilentError) return { ...command, commandId: '' };
    throw error;
  }
};

/**
 * Parameters as AWS's documents take them. `CopyOnly` leaves alone the chains of SQL Server's own backups and Exchange's
 * logs. No reserved tag, and in tags and description no character that AWS refuses.
 */
export const vssParameters = (run: Run): Record<string, string> => ({
  ExcludeBootVolume: run.excludeBoot ? 'True' : 'False',
  CopyOnly: 'True',
  ...(run.vss?.saveMetadata ? { SaveVssMetadata: 'True' } : {}),
  executionTimeout: String(VSS_SECONDS),
  description: `Freezeframe ${run.policy.name} of ${run.instanceId} run ${run.run} vss`,
  tags: Object.entries(tagsAtCreation(run, 'vss'))
    .map(([key, value]) => `Key=${key},Value=${value}`)
    .join(';'),
});
