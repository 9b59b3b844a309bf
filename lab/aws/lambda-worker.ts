/** The thread of one execution environment. */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { callHandler } from './lambda-handler.ts';
import type { HandlerEvent } from './lambda-runtime.ts';

const port = parentPort as NonNullable<typeof parentPort>;
const { bundle, handlerName } = workerData as { bundle: string; handlerName: string };
const loaded = import(pathToFileURL(bundle).href) as Promise<Record<string, unknown>>;
// Looked at per event, so that a bundle that fails to load fails the invocation and not the process.
loaded.catch(() => {});

port.on('message', async (event: HandlerEvent) => {
  port.postMessage(await callHandler(loaded, handlerName, event));
});
