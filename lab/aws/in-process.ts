/**
 * AWS without a socket and Lambda without a thread, for time that is virtual: the requests of every SDK client of this
 * process are led straight to the desk of a world, and the shipped bundles run in this process, each invocation in a
 * context of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { callHandler } from './lambda-handler.ts';
import type { Ending, EnvironmentSpec, ExecutionEnvironment, HandlerEvent } from './lambda-runtime.ts';
import { type AwsServer, answering, environmentAt } from './server.ts';
import type { World } from './world.ts';

/** Plays AWS to the clients of this process. `latencyMs`: on the way of each request. */
export function answerInProcess(world: World, latencyMs: () => number): AwsServer {
  install();
  hosts += 1;
  const host = `10.0.0.${hosts}`;
  desks.set(host, { answer: answering(world), latencyMs });
  const endpoint = `http://${host}`;
  return {
    endpoint,
    environment: (principal) => environmentAt(endpoint, world, principal),
    async close() {
      desks.delete(host);
    },
  };
}

/** Environments that run their bundles in this process. All of one function share its module, which is loaded once. */
export function inProcessEnvironments(): (spec: EnvironmentSpec) => ExecutionEnvironment {
  install();
  modules += 1;
  const own = `?${modules}`;
  const loaded = new Map<string, Promise<Record<string, unknown>>>();
  return (spec) => {
    const life: Life = { env: spec.env, onOutput: spec.onOutput, over: false };
    const bundle =
      loaded.get(spec.bundle) ?? current.run(life, () => import(`${pathToFileURL(spec.bundle).href}${own}`));
    loaded.set(spec.bundle, bundle);
    return new InProcessEnvironment(spec.handlerName, bundle, life);
  };
}

/** Whether what runs now belongs to an invocation that was killed: nothing comes of it any more. */
export const isOver = (): boolean => current.getStore()?.over ?? false;

/** What an invocation sees of the process around it. */
interface Life {
  readonly env: Record<string, string>;
  readonly onOutput: (text: string) => void;
  over: boolean;
}

const current = new AsyncLocalStorage<Life | undefined>();

class InProcessEnvironment implements ExecutionEnvironment {
  readonly #handlerName: string;
  readonly #bundle: Promise<Record<string, unknown>>;
  readonly #life: Life;
  #settle: ((ending: Ending) => void) | undefined;

  constructor(handlerName: string, bundle: Promise<Record<string, unknown>>, life: Life) {
    this.#handlerName = handlerName;
    this.#bundle = bundle;
    this.#life = life;
  }

  get dead(): boolean {
    return this.#life.over;
  }

  invoke(event: HandlerEvent): Promise<Ending> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      void current
        .run(this.#life, () => callHandler(this.#bundle, this.#handlerName, event))
        .then((answer) => this.#end({ kind: 'answer', ...answer }));
    });
  }

  /** Its timers and what comes back to it are dropped from now on, so that it does not go on; what it has sent is sent. */
  async kill(ending: Ending = { kind: 'killed' }): Promise<void> {
    this.#life.over = true;
    this.#end(ending);
  }

  #end(ending: Ending): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(ending);
  }
}

interface Desk {
  readonly answer: ReturnType<typeof answering>;
  readonly latencyMs: () => number;
}

const desks = new Map<string, Desk>();
let [installed, hosts, modules] = [false, 0, 0];

/** Takes the place of HTTP for the hosts of the desks, and of environment and output for invocations. */
function install(): void {
  if (installed) return;
  installed = true;
  const { request, env } = { request: http.request, env: process.env };
  http.request = ((options: http.RequestOptions, onResponse: (response: Readable) => void) => {
    const desk = desks.get(options.host ?? '');
    return desk ? requestTo(desk, options, onResponse) : request(options, onResponse as never);
  }) as typeof http.request;
  syncBuiltinESMExports();
  Object.defineProperty(process, 'env', { get: () => current.getStore()?.env ?? env });
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((text: string, ...more: []) => {
    const life = current.getStore();
    if (!life) return write(text, ...more);
    life.onOutput(text);
    return true;
  }) as typeof process.stdout.write;
}

function requestTo(
  { answer, latencyMs }: Desk,
  { path: url = '/', method = 'GET', headers = {} }: http.RequestOptions,
  onResponse: (response: Readable) => void,
): http.ClientRequest {
  const body: Buffer[] = [];
  const inContext = AsyncLocalStorage.snapshot();
  /** What comes back to an invocation that was killed finds nobody. */
  const comeBack = (act: () => void) =>
    inContext(() => {
      if (!isOver()) act();
    });
  const send = () => {
    const incoming = Object.assign(Readable.from([Buffer.concat(body)]), { url, method, headers: lowered(headers) });
    const response = new DeskResponse(
      (whole) => comeBack(() => onResponse(whole)),
      () => comeBack(() => request.emit('error', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }))),
    );
    answer(incoming as unknown as IncomingMessage, response as unknown as ServerResponse);
  };
  const request = Object.assign(new EventEmitter(), {
    setTimeout: () => request,
    setNoDelay: () => request,
    setSocketKeepAlive: () => request,
    destroy: () => request,
    write: (chunk: string | Uint8Array) => body.push(Buffer.from(chunk as string)) > 0,
    end: (chunk?: string | Uint8Array) => {
      if (chunk) body.push(Buffer.from(chunk as string));
      // AWS is outside of whoever asks it, and goes on without him.
      current.run(undefined, () => setTimeout(send, latencyMs()));
    },
  });
  // Who has much to send asks first (the SDK, from 2 MB on), and waits.
  if (lowered(headers).expect === '100-continue') setImmediate(() => request.emit('continue'));
  return request as unknown as http.ClientRequest;
}

/** As much of a ServerResponse as the desk uses. */
class DeskResponse {
  headersSent = false;
  #statusCode = 200;
  #headers: Record<string, string> = {};
  readonly #onWhole: (response: Readable) => void;
  readonly destroy: () => void;

  constructor(onWhole: (response: Readable) => void, onDestroyed: () => void) {
    this.#onWhole = onWhole;
    this.destroy = onDestroyed;
  }

  writeHead(status: number, headers: http.OutgoingHttpHeaders = {}): void {
    [this.#statusCode, this.#headers] = [status, lowered(headers)];
  }

  end(body: string | Buffer = ''): void {
    const { statusCode, headers } = { statusCode: this.#statusCode, headers: this.#headers };
    this.#onWhole(
      Object.assign(Readable.from([Buffer.from(body as string)]), { statusCode, headers, statusMessage: '' }),
    );
  }
}

const lowered = (headers: http.OutgoingHttpHeaders | readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
