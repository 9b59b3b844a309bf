import { createRequire } from 'node:module';
import type { HandlerAnswer, HandlerEvent } from './lambda-runtime.ts';

// What Lambda's runtime gives an ESM bundle that still holds a require().
globalThis.require ??= createRequire(import.meta.url);

/** Calls a bundle's handler with one event, as the Node runtime of Lambda does. A bundle that fails to load fails the call. */
export async function callHandler(
  loaded: Promise<Record<string, unknown>>,
  handlerName: string,
  { event, context }: HandlerEvent,
): Promise<HandlerAnswer> {
  try {
    const handler = (await loaded)[handlerName];
    if (typeof handler !== 'function') {
      throw Object.assign(new Error(`${handlerName} is undefined or not exported`), {
        name: 'Runtime.HandlerNotFound',
      });
    }
    const result: unknown = await handler(JSON.parse(event), {
      ...context,
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => Math.max(0, context.deadline - Date.now()),
    });
    return { payload: JSON.stringify(result) ?? 'null' };
  } catch (error) {
    return { failure: failure(error) };
  }
}

/** An error as the runtime reports it: its `name` is the errorType that Step Functions matches on. */
function failure(error: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}
