import { SEND_TIMEOUT_SECONDS, VSS_INSTALL_SECONDS, VSS_SECONDS, VSS_TRIES } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { CheckVssInput, VssCommand } from '../shared/contracts.ts';
import { HostSilentError, VssFailedError, VssSetPartialError } from '../shared/errors.ts';
import { isConsistent, isWhole, requestsOf, type SeenSnapshot } from '../shared/found-set.ts';
import { VSS_DOCUMENTS } from '../shared/names.ts';
import { isPassingFailure, vssFailure } from './vss-failure.ts';

/** A command as SSM tells it, with what its steps said. */
export interface SeenCommand {
  /** SSM's StatusDetails without blanks: InProgress, Success, Failed, DeliveryTimedOut … */
  details: string;
  output: string;
}

export interface Outlook {
  /** Undefined while SSM does not know the command, or the command's id is not known to us. */
  command(commandId: string, instanceId: string): Promise<SeenCommand | undefined>;
  ofRun(run: string): Promise<SeenSnapshot[]>;
}

const LONGEST_WAIT_SECONDS = 60;
/** EC2 shows snapshots and their tags a second or two late, so a command that has ended is looked at so often. */
const LOOKS_TO_APPEAR = 3;
const LOOK_SECONDS = 5;

/** What has become of AWS's document: told by the snapshots and their tags; the command only says why there are none. */
export const checkVss = async (input: CheckVssInput, outlook: Outlook, clock: Clock): Promise<VssCommand> => {
  const { vssCommand: sent } = input;
  const command = sent.commandId === '' ? undefined : await outlook.command(sent.commandId, input.instanceId);
  return decide(input, command, await outlook.ofRun(input.run), clock.now());
};

/** Pure: the same evidence, the same outcome. Throws what the run is to end with where VSS has left no whole set. */
export const decide = (
  { run, instanceId, volumes, vssCommand: sent }: CheckVssInput,
  command: SeenCommand | undefined,
  seen: readonly SeenSnapshot[],
  now: number,
): VssCommand => {
  const whole = requestsOf(seen).filter((members) => isWhole(members, volumes));
  if (whole.some((members) => members.every(isConsistent))) return { ...sent, outcome: 'taken' };

  const details = command?.details ?? '';
  if (command === undefined || isUnderway(details)) {
    const patience = patienceMs(sent);
    if (now - sent.sentAt < patience) return later(sent);
    throw new HostSilentError(
      `${sent.document} on ${instanceId} has not ended in ${Math.round(patience / 1_000)} s (command ${sent.commandId || 'unknown'}, last seen: ${details || 'nothing yet'}): look at the agent, and at the VSS and Ec2VssSoftwareProvider events of the host`,
    );
  }
  // It has ended; what it took may not show yet.
  if (sent.looks < LOOKS_TO_APPEAR) return { ...sent, looks: sent.looks + 1, waitSeconds: LOOK_SECONDS };

  const on = `${sent.document} on ${instanceId} (command ${sent.commandId})`;
  if (details !== 'Success') {
    if (sent.tries < VSS_TRIES && isPassingFailure(details, command.output)) return { ...sent, outcome: 'again' };
    throw vssFailure(on, details, command.output);
  }
  // Success says nothing of each volume. A whole set that lacks marks is graded for what it is.
  if (whole.length > 0) return { ...sent, outcome: 'taken' };
  const taken = volumes.filter(({ volumeId }) => seen.some((each) => each.volumeId === volumeId));
  if (taken.length === 0) {
    throw new VssFailedError(
      `${on} ended well, and no snapshot bears the tag of run ${run}: look at its output, and at the Ec2VssSoftwareProvider events of the host`,
    );
  }
  throw new VssSetPartialError(
    `${on} has taken ${taken.length} of ${volumes.length} volumes: ${volumes
      .filter((volume) => !taken.includes(volume))
      .map(({ volumeId, device }) => `${volumeId} (${device})`)
      .join(', ')} is missing; look at the Ec2VssSoftwareProvider events of the host`,
  );
};

const isUnderway = (details: string): boolean =>
  ['Pending', 'InProgress', 'Delayed', 'Cancelling', ''].includes(details);

/** Delivery, the installation where there is one, and the document's own timeout, with a minute for SSM. */
const patienceMs = ({ document }: VssCommand): number =>
  (SEND_TIMEOUT_SECONDS + (document === VSS_DOCUMENTS.install ? VSS_INSTALL_SECONDS : 0) + VSS_SECONDS + 60) * 1_000;

const later = (sent: VssCommand): VssCommand => ({
  ...sent,
  outcome: 'underway',
  waitSeconds: Math.min(Math.ceil(sent.waitSeconds * 1.5), LONGEST_WAIT_SECONDS),
});
