/** The execution environment of one function: loads the bundle once, then handles one event after the other. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { FastTime, FromWorker, ToWorker } from './lambda-runtime.ts';

// What Lambda's runtime gives an ESM bundle that still holds a require().
globalThis.require ??= createRequire(import.meta.url);

const port = parentPort as NonNullable<typeof parentPort>;
const { bundle, handlerName, time } = workerData as { bundle: string; handlerName: string; time?: FastTime };
// What is left of the function's time is told in the machine's own: middy waits for it with timers of Node's own.
const machineNow = Date.now;
if (time) hurry(time);
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
      getRemainingTimeInMillis: () => Math.max(0, context.deadline - machineNow()),
    });
    return { payload: JSON.stringify(result) ?? 'null' };
  } catch (error) {
    return { failure: failure(error) };
  }
}

/** Clock and timers of this thread run fast: `Date`, `setTimeout` and `AbortSignal.timeout` are all that the bundles use. */
function hurry({ origin, speed }: FastTime): void {
  const [RealDate, realTimeout] = [Date, setTimeout];
  const now = () => origin + (RealDate.now() - origin) * speed;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given, newTarget) => Reflect.construct(target, given.length ? given : [now()], newTarget),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
  globalThis.setTimeout = ((act: () => void, ms = 0, ...more: []) =>
    realTimeout(act, ms / speed, ...more)) as typeof setTimeout;
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    const abort = () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    realTimeout(abort, ms / speed).unref();
    return controller.signal;
  };
}

/** As the Node runtime reports an error: its `name` is the errorType that Step Functions matches on. */
function failure(error: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}
