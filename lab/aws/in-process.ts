import { EventEmitter } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { type LambdaFunction, TaskFailure } from './lambda.ts';
import { answering } from './server.ts';
import type { World } from './world.ts';

/** Nobody listens there: every request to it stays in the process. */
export const ENDPOINT = 'http://aws.lab';

/**
 * Leads the requests of every SDK client in this process straight to the desk of a world: the shipped bundles send what
 * they would send to AWS, and no socket is opened. `latencyMs`: on the way of each request.
 */
export function answerInProcess(world: World, latencyMs: () => number): void {
  const answer = answering(world);
  http.request = ((options: http.RequestOptions, onResponse: (response: Readable) => void) => {
    const body: Buffer[] = [];
    const request = Object.assign(new EventEmitter(), {
      setTimeout: () => request,
      setNoDelay: () => request,
      setSocketKeepAlive: () => request,
      destroy: () => request,
      write: (chunk: string | Uint8Array) => body.push(Buffer.from(chunk as string)) > 0,
      end: (chunk?: string | Uint8Array) => {
        if (chunk) body.push(Buffer.from(chunk as string));
        const { path: url = '/', method = 'GET' } = options;
        const headers = Object.fromEntries(
          Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
        );
        const incoming = Object.assign(Readable.from([Buffer.concat(body)]), { url, method, headers });
        setTimeout(() => {
          answer(incoming as unknown as IncomingMessage, answerTo(onResponse) as unknown as ServerResponse);
        }, latencyMs());
      },
    });
    return request;
  }) as unknown as typeof http.request;
  syncBuiltinESMExports();
}

/** As much of a ServerResponse as the desk uses. */
const answerTo = (onResponse: (response: Readable) => void) => {
  let [statusCode, headers]: [number, Record<string, string>] = [200, {}];
  return {
    headersSent: false,
    writeHead(status: number, given: Record<string, string> = {}) {
      statusCode = status;
      headers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)]));
    },
    end(body: string | Buffer = '') {
      onResponse(
        Object.assign(Readable.from([Buffer.from(body as string)]), { statusCode, headers, statusMessage: '' }),
      );
    },
  };
};

/**
 * The shipped bundles, loaded once into this process and called side by side, as Lambda calls its environments. They
 * share one set of credentials, so no call can be told to be of one role or another.
 */
export class InProcessLambdas {
  /** Every invocation that has ended. */
  readonly invocations: { functionName: string; ms: number; memoryMB: number; result: string }[] = [];
  readonly #functions = new Map<string, LambdaFunction>();
  readonly #handlers = new Map<string, Promise<Handler>>();
  readonly #computeMs: () => number;

  /** `computeMs`: what an invocation takes beside its waiting for AWS. */
  constructor(functions: readonly LambdaFunction[], computeMs: () => number) {
    for (const spec of functions) this.#functions.set(spec.arn, spec);
    this.#computeMs = computeMs;
  }

  find(arn: string): LambdaFunction | undefined {
    return this.#functions.get(arn);
  }

  async invoke(arn: string, event: unknown): Promise<unknown> {
    const spec = this.find(arn);
    if (!spec) throw new TaskFailure('Lambda.ResourceNotFoundException', `Function not found: ${arn}`);
    const startedAt = Date.now();
    await new Promise((resolve) => setTimeout(resolve, this.#computeMs()));
    const handler = await this.#handler(spec);
    const end = (result: string) =>
      this.invocations.push({
        functionName: spec.name,
        ms: Date.now() - startedAt,
        memoryMB: spec.memoryMB ?? 128,
        result,
      });
    try {
      const answer = JSON.parse(
        JSON.stringify((await handler(JSON.parse(JSON.stringify(event ?? {})), CONTEXT)) ?? null),
      );
      end('ok');
      return answer;
    } catch (error) {
      const { name, message } = error as Error;
      end(name);
      throw new TaskFailure(name, JSON.stringify({ errorType: name, errorMessage: message, trace: [] }));
    }
  }

  #handler(spec: LambdaFunction): Promise<Handler> {
    const known = this.#handlers.get(spec.arn);
    if (known) return known;
    const loaded = import(pathToFileURL(spec.bundle).href).then(({ handler }) => handler as Handler);
    this.#handlers.set(spec.arn, loaded);
    return loaded;
  }

  /** Loads every bundle: to read files is nothing that virtual time could wait for. */
  async load(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((spec) => this.#handler(spec)));
  }
}

type Handler = (event: unknown, context: object) => Promise<unknown>;

const CONTEXT = { getRemainingTimeInMillis: () => 300_000, awsRequestId: 'lab', functionName: 'lab' };
