/** Runs one of our documents on an instance and follows it to its answer. */
import type * as z from 'zod/mini';
import { isDefinite, isPassing, isThrottle } from './aws-errors.ts';
import { SEND_TIMEOUT_SECONDS } from './budget.ts';
import type { Clock } from './clock.ts';
import { HostFailure } from './contracts.ts';
import {
  AgentOfflineError,
  CommandCancelledError,
  CommandTimeoutError,
  DocumentMissingError,
  HostError,
  HostSilentError,
  NotPermittedError,
  ThrottledError,
  UnexpectedAnswerError,
  UnsupportedPlatformError,
} from './errors.ts';
import { faultsOf } from './input-faults.ts';

/** A document with its parameters, for one instance. Without `pinned` its default version runs. */
export interface Command {
  document: string;
  pinned: { version: string; hash: string } | undefined;
  instanceId: string;
  parameters: Record<string, string>;
  /** Shown in the SSM console. */
  comment: string;
}

/** What is known of a command that was sent. `details` is SSM's StatusDetails. */
export interface Invocation {
  details: string;
  code: number;
  stdout: string;
  stderr: string;
}

/** The way to the host. */
export interface CommandChannel {
  /** Answers the command's id. */
  send(command: Command, deliveryTimeoutSeconds: number): Promise<string>;
  /** Undefined while the service does not know the command yet: it is eventually consistent. */
  look(commandId: string, instanceId: string): Promise<Invocation | undefined>;
}

export interface Answered<Answer> {
  answer: Answer;
  /** Just before the command was sent, and when its answer was there: milliseconds since 1970. */
  sentAt: number;
  answeredAt: number;
}

/** When a command's answer is looked for. Each look takes from a rate that the whole account shares. */
export interface Looks {
  firstMs: number;
  /** The next look comes after this share of the time since the command was sent, within these bounds. */
  share: number;
  shortestMs: number;
  /** The wait of those who were throttled once, too. */
  longestMs: number;
  /** After a look that was throttled, at most. */
  longestBackoffMs: number;
}

/** While the host may be frozen: hardly any command is answered sooner than the first look, and the window is dear. */
export const URGENT: Looks = {
  firstMs: 750,
  share: 1 / 20,
  shortestMs: 250,
  longestMs: 1_000,
  longestBackoffMs: 1_000,
};

/** While nothing is held: what is not asked for here is left for those who are in their window. */
export const CALM: Looks = {
  firstMs: 1_500,
  share: 1,
  shortestMs: 1_500,
  longestMs: 4_000,
  longestBackoffMs: 8_000,
};

/** Gives up `patienceMs` after sending; what the host does by then is not known, and the error says so. */
export const runCommand = async <Schema extends z.ZodMiniType>(
  channel: CommandChannel,
  clock: Clock,
  command: Command,
  answerSchema: Schema,
  patienceMs: number,
  looks: Looks = CALM,
): Promise<Answered<z.output<Schema>>> => {
  const sentAt = clock.now();
  const commandId = await sendCommand(channel, command);
  const invocation = await follow(channel, clock, command, commandId, sentAt + patienceMs, looks);
  return { answer: answerOf(command, commandId, invocation, answerSchema), sentAt, answeredAt: clock.now() };
};

/**
 * Does it again while Run Command is throttled, for `patienceMs`: whatever was throttled was not sent. AWS publishes no
 * rate, so nobody can keep to it; who waits `everyMs` twice as long leaves the next token to others.
 */
export const throughThrottles = async <Done>(
  clock: Clock,
  { patienceMs, everyMs }: { patienceMs: number; everyMs: number },
  act: () => Promise<Done>,
): Promise<Done> => {
  const until = clock.now() + patienceMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isThrottle(error) || clock.now() + everyMs > until) throw error;
      // Everybody who was throttled together must not come back together.
      await clock.sleep(everyMs * (0.5 + clock.chance() / 2));
    }
  }
};

/** Sends a command once and answers its id; when no answer came, whether it runs is not known: HostSilentError. */
export const sendCommand = async (channel: Pick<CommandChannel, 'send'>, command: Command): Promise<string> => {
  try {
    return await channel.send(command, SEND_TIMEOUT_SECONDS);
  } catch (error) {
    const { name, message } = error as Error;
    const on = `${command.document} on ${command.instanceId}`;
    if (name === 'InvalidInstanceId') {
      throw new AgentOfflineError(
        `SSM can't send ${on}: its agent is not registered or not connected; start amazon-ssm-agent there`,
        {
          cause: error,
        },
      );
    }
    if (name === 'InvalidDocument' || name === 'InvalidDocumentVersion' || name === 'DocumentHashMismatch') {
      throw new DocumentMissingError(
        `the document ${command.document} is not there in version ${command.pinned?.version ?? '$DEFAULT'} as this run knows it (${name}: ${message}); deploy Freezeframe again, then start a new run`,
        { cause: error },
      );
    }
    if (!isDefinite(error)) {
      throw new HostSilentError(
        `no answer came to SendCommand of ${on} (${name}: ${message}): whether it runs is not known`,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
};

const follow = async (
  channel: CommandChannel,
  clock: Clock,
  command: Command,
  commandId: string,
  deadline: number,
  { firstMs, share, shortestMs, longestMs, longestBackoffMs }: Looks,
): Promise<Invocation> => {
  const began = clock.now();
  let wait = firstMs;
  let shortest = shortestMs;
  let seen = 'nothing yet';
  for (;;) {
    if (clock.now() + wait > deadline) {
      throw new HostSilentError(
        `${command.document} on ${command.instanceId} has not answered in its time (command ${commandId}, last seen: ${seen}): look at the agent and at the load of the host`,
      );
    }
    await clock.sleep(wait);
    try {
      const invocation = await channel.look(commandId, command.instanceId);
      if (invocation && !isUnderway(invocation)) return invocation;
      seen = invocation?.details ?? seen;
      wait = Math.min(Math.max((clock.now() - began) * share, shortest), longestMs);
    } catch (error) {
      if (!isPassing(error)) throw error;
      seen = (error as Error).name;
      if (isThrottle(error)) shortest = longestMs;
      wait = Math.min(wait * 2, longestBackoffMs) * (0.5 + clock.chance() / 2);
    }
  }
};

export const isUnderway = ({ details }: Invocation): boolean =>
  ['Pending', 'InProgress', 'Delayed', 'Cancelling', ''].includes(compact(details));

/** SSM writes some details with blanks in one place and without in another. */
const compact = (details: string): string => details.replaceAll(' ', '');

/** The answer of a command that has ended, or why there is none. */
export const answerOf = <Schema extends z.ZodMiniType>(
  command: Pick<Command, 'document' | 'instanceId'>,
  commandId: string,
  invocation: Invocation,
  answerSchema: Schema,
): z.output<Schema> => {
  const on = `${command.document} on ${command.instanceId} (command ${commandId})`;
  const details = compact(invocation.details);
  switch (details) {
    case 'Success':
      return parse(on, invocation, answerSchema);
    case 'Failed':
      throw failure(on, invocation);
    case 'ExecutionTimedOut':
    case 'TimedOut':
      throw new CommandTimeoutError(
        `the agent killed ${on}: it ran longer than the document allows; look at the load of the host`,
      );
    case 'Cancelled':
      throw new CommandCancelledError(`somebody cancelled ${on}; find out who in CloudTrail (CancelCommand)`);
    case 'AccessDenied':
      throw new NotPermittedError(
        `${on} was refused: the role may send it only to instances with the policy tag; was the tag just removed?`,
      );
    case 'InvalidPlatform':
      throw new UnsupportedPlatformError(`${on} was refused: the document is for Linux`);
    case 'RateExceeded':
      throw new ThrottledError(`${on} was refused: the account has too many commands pending; try again later`);
    default:
      throw new HostSilentError(`${on} did not reach the host (${invocation.details}); look at the agent there`);
  }
};

const parse = <Schema extends z.ZodMiniType>(
  on: string,
  invocation: Invocation,
  answerSchema: Schema,
): z.output<Schema> => {
  const json = asJson(invocation.stdout);
  if (json === undefined) throw unexpected(on, invocation);
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success) {
    throw new UnexpectedAnswerError(
      `${on} answered in another contract: ${faultsOf(parsed.error.issues, json)}; deploy Freezeframe again, so that functions and documents match`,
      { cause: parsed.error },
    );
  }
  return parsed.data;
};

/** A document that failed says why in its answer; one that could not even do that is told by its exit code. */
const failure = (on: string, invocation: Invocation): Error => {
  const parsed = HostFailure.safeParse(asJson(invocation.stdout));
  if (parsed.success) return new HostError(parsed.data.error.code, parsed.data.error.message);
  return unexpected(on, invocation);
};

const unexpected = (on: string, { code, stdout, stderr }: Invocation): Error => {
  const cut = stdout.includes('--output truncated--') ? ' It was cut off at 24,000 characters.' : '';
  const said = stdout.trim() ? `stdout begins ${JSON.stringify(stdout.trim().slice(0, 200))}` : 'stdout is empty';
  return new UnexpectedAnswerError(
    `${on} ended with code ${code} and gave no answer that can be read: ${said}.${cut} stderr ends ${JSON.stringify(stderr.trim().slice(-300))}`,
  );
};

const asJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
