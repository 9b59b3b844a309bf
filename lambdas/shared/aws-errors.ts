/** What an error of the AWS SDK means to us, whichever service it came from. */
import { NotPermittedError, ThrottledError } from './errors.ts';

const THROTTLES = new Set([
  'ThrottledError',
  'RequestLimitExceeded',
  'Client.RequestLimitExceeded',
  'EC2ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
]);

const REFUSALS = new Set([
  'NotPermittedError',
  'UnauthorizedOperation',
  'AccessDenied',
  'AccessDeniedException',
  'AuthFailure',
  'UnrecognizedClientException',
  'OptInRequired',
]);

export const isThrottle = (error: unknown): boolean => error instanceof Error && THROTTLES.has(error.name);

export const isRefusal = (error: unknown): boolean => error instanceof Error && REFUSALS.has(error.name);

/** An error in one line for people. */
export const clientErrorText = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);

/** The service answered and meant it: nothing was done, and asking again in the same way changes nothing. */
export const isDefinite = (error: unknown): boolean => {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return isThrottle(error) || isRefusal(error) || (status !== undefined && status >= 400 && status < 500);
};

/** Worth another try: throttled, the service stumbled, or no answer came. */
export const isPassing = (error: unknown): boolean => isThrottle(error) || !isDefinite(error);

/** Calls AWS and gives refusals and throttles the names that the workflow knows. `action` is IAM's word for the call. */
export const ask = async <Answer>(action: string, call: () => Promise<Answer>): Promise<Answer> => {
  try {
    return await call();
  } catch (error) {
    throw named(action, error);
  }
};

export const named = (action: string, error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const said = `${error.name}: ${error.message.slice(0, 300)}`;
  if (isRefusal(error)) {
    return new NotPermittedError(
      `${action} is not allowed here; allow it, or find the policy that denies it (${said})`,
      {
        cause: error,
      },
    );
  }
  if (isThrottle(error)) {
    return new ThrottledError(
      `${action} was throttled, its rate is shared by the whole account in this Region; try again later (${said})`,
      {
        cause: error,
      },
    );
  }
  return error;
};
