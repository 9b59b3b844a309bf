/** How a command can end, as a shell sees it: documented in docs/cli.md, and kept. */
import { isThrottle } from '../lambdas/shared/aws-errors.ts';

export const EXIT = {
  done: 0,
  /** It was done, and what came of it is not good. */
  bad: 1,
  /** The command line. */
  usage: 2,
  /** No credentials, no Region, or credentials that are over. */
  unknownCaller: 3,
  refused: 4,
  notThere: 5,
  tryAgain: 6,
  /** A fault of this program. */
  internal: 70,
  interrupted: 130,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** A command line that can't be carried out. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Freezeframe, or this part of it, is not in this account and Region. */
export class NotDeployedError extends Error {
  override readonly name = 'NotDeployedError';
}

export interface Failure {
  name: string;
  message: string;
  exit: Exit;
}

/** What an error means at the desk: in one sentence with what to do, and in an exit code. */
export const failureOf = (error: unknown): Failure => {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const chain = causesOf(error);
  if (chain.some(({ message: text }) => /region is missing/i.test(text))) {
    return { name: 'NoRegionError', message: NO_REGION, exit: EXIT.unknownCaller };
  }
  const stranger = chain.find((each) => STRANGERS[each.name] !== undefined);
  if (stranger) {
    const said = firstLine(stranger.message);
    return { name: stranger.name, message: `${STRANGERS[stranger.name]} (${said})`, exit: EXIT.unknownCaller };
  }
  if (chain.some(isOutOfReach)) {
    const said = chain.map((each) => firstLine(each.message)).find((text) => text !== '') ?? name;
    return {
      name,
      message: `AWS did not answer: look at network, proxy and Region, then try again (${said})`,
      exit: EXIT.tryAgain,
    };
  }
  if (isThrottle(error)) return { name, message, exit: EXIT.tryAgain };
  return { name, message: message || name, exit: EXITS[name] ?? (PROGRAMMING.has(name) ? EXIT.internal : EXIT.bad) };
};

const NO_REGION = 'no Region is set: give --region, set AWS_REGION, or a region in the profile (aws configure)';
const NO_CREDENTIALS =
  'no AWS credentials were found: name a profile (--profile, AWS_PROFILE), log in (aws sso login, aws login), or run aws configure';
const OVER = 'the AWS credentials are over: log in again (aws sso login), or renew them';
const NOT_TAKEN = 'AWS does not know these credentials: look whether profile and Region are the right ones';

/** Errors that say that AWS does not know who asks. */
const STRANGERS: Readonly<Record<string, string>> = {
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: OVER,
  ExpiredToken: OVER,
  ExpiredTokenException: OVER,
  RequestExpired: OVER,
  InvalidClientTokenId: NOT_TAKEN,
  UnrecognizedClientException: NOT_TAKEN,
  AuthFailure: NOT_TAKEN,
  InvalidAccessKeyId: NOT_TAKEN,
  SignatureDoesNotMatch: NOT_TAKEN,
  InvalidSignatureException: NOT_TAKEN,
};

const EXITS: Readonly<Record<string, Exit>> = {
  UsageError: EXIT.usage,
  NotPermittedError: EXIT.refused,
  NotDeployedError: EXIT.notThere,
  NoSuchSetError: EXIT.notThere,
  NotAnInstanceError: EXIT.notThere,
  NotTaggedError: EXIT.notThere,
  UnknownPolicyError: EXIT.notThere,
  DocumentMissingError: EXIT.notThere,
};

const PROGRAMMING = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'AssertionError', 'ZodError']);

const isOutOfReach = (error: Error): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  ) || error.name === 'TimeoutError';

/** The error, then what it came of. */
const causesOf = (error: unknown): Error[] =>
  error instanceof Error
    ? [error, ...causesOf(error.cause), ...(error instanceof AggregateError ? error.errors.flatMap(causesOf) : [])]
    : [];

const firstLine = (text: string): string => text.split('\n')[0]?.trim() ?? '';
