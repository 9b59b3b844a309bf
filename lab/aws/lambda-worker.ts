/** The execution environment of one function: loads the bundle once, then handles one event after the other. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './lambda-runtime.ts';

// What Lambda's runtime gives an ESM bundle that still holds a require().
globalThis.require ??= createRequire(import.meta.url);

const port = parentPort as NonNullable<typeof parentPort>;
const { bundle, handlerName } = workerData as { bundle: string; handlerName: string };
const loaded = import(pathToFileURL(bundle).href) as Promise<Record<string, unknown>>;
// Looked at per event, so that a bundle that fails to load fails the invocation and not the process.
loaded.catch(() => {});

port.on('message', async (message: ToWorker) => {
  port.postMessage(await handle(message));
});

async function handle({ event, context }: ToWorker): Promise<FromWorker> {
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

/** As the Node runtime reports an error: its `name` is the errorType that Step Functions matches on. */
function failure(error: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}
