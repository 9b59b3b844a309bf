/**
 * The pipeline of every state's function: the input parsed at the border, one log line with the outcome, errors that can
 * be read in the Step Functions console.
 */
import middy from '@middy/core';
import type * as z from 'zod/mini';
import { BadInputError } from './errors.ts';
import { faultsOf } from './input-faults.ts';

/** `state`: the state's name in the workflow, or how to tell it where several share one function. */
export const step = <Schema extends z.ZodMiniType>(
  schema: Schema,
  state: string | ((input: z.output<Schema>) => string),
) => ({
  handler: <Output>(work: (input: z.output<Schema>) => Promise<Output>) =>
    middy<unknown, Output>()
      .use(oneLogLine(typeof state === 'string' ? () => state : (event) => state(event as z.output<Schema>)))
      .use(readableErrors)
      .use(parsedInput(schema))
      .handler(async (input: unknown) => work(input as z.output<Schema>)),
});

const parsedInput = (schema: z.ZodMiniType) => ({
  before: (request: { event: unknown }) => {
    const parsed = schema.safeParse(request.event);
    if (!parsed.success) {
      throw new BadInputError(
        `the input is not what this state takes: ${faultsOf(parsed.error.issues, request.event)}`,
        {
          cause: parsed.error,
        },
      );
    }
    request.event = parsed.data;
  },
});

/**
 * Lambda turns name, message and stack into the error's Cause. The message stands there already, and of the stack only
 * the nearest frames are of use.
 */
const readableErrors = {
  onError: ({ error }: { error: Error | null | undefined }) => {
    if (!(error instanceof Error)) return;
    const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
    error.stack = frames
      .slice(0, 3)
      .map((frame) => frame.trim())
      .join('\n');
  },
};

interface Finished {
  event: unknown;
  error: Error | null | undefined;
  internal: Record<string, unknown>;
}

const oneLogLine = (stateOf: (event: unknown) => string) => {
  const write = ({ event, error, internal }: Finished) => {
    const line = {
      level: error ? 'ERROR' : 'INFO',
      ...whoseRun(event),
      state: nameOf(stateOf, event),
      outcome: error ? error.name : 'ok',
      durationMs: Math.round(performance.now() - (internal.startedAt as number)),
      ...(error ? { message: error.message, causes: causesOf(error) } : {}),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  return {
    before: ({ internal }: Finished) => {
      internal.startedAt = performance.now();
    },
    after: write,
    onError: write,
  };
};

/** An input that was refused may lack what the name depends on. */
const nameOf = (stateOf: (event: unknown) => string, event: unknown): string => {
  try {
    return stateOf(event);
  } catch {
    return 'unknown';
  }
};

/** States carry the run at the top, *Create snapshots* one level down, *Inspect host* the instance in the user's input. */
const whoseRun = (event: unknown): { runId?: string; instanceId?: string } => {
  const top = (event ?? {}) as Record<string, unknown>;
  const inner = [top, top.run, top.input].filter((value) => typeof value === 'object') as Record<string, unknown>[];
  const first = (key: string) => inner.map((value) => value?.[key]).find((value) => typeof value === 'string');
  return { runId: first('run') as string, instanceId: first('instanceId') as string };
};

const causesOf = (error: Error): string[] => {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(`${cause.name}: ${cause.message}`.slice(0, 500));
  }
  return causes;
};
