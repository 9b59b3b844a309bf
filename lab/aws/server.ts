import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as cloudwatch from '@aws-sdk/client-cloudwatch';
import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as scheduler from '@aws-sdk/client-scheduler';
import * as sfn from '@aws-sdk/client-sfn';
import * as ssm from '@aws-sdk/client-ssm';
import { AwsError } from './errors.ts';
import { rateOf } from './limits.ts';
import { schedulerRest } from './scheduler.ts';
import { TokenBucket } from './token-bucket.ts';
import { awsJson } from './wire/aws-json.ts';
import { awsQuery } from './wire/aws-query.ts';
import { ec2Query } from './wire/ec2-query.ts';
import { type S3Answer, type S3Request, s3Error, s3Request } from './wire/s3-rest.ts';
import { check, operation, ShapeError } from './wire/schema.ts';
import type { LogEntry, World } from './world.ts';

/** Plays AWS on a loopback port; any SDK client whose `AWS_ENDPOINT_URL` is `endpoint` talks to this world. */
export async function startAws(world: World): Promise<AwsServer> {
  const server = createServer(answering(world));
  // Idle keep-alive connections of SDK clients must not hold up close().
  server.keepAliveTimeout = 1_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    environment: (principal) => environmentAt(endpoint, world, principal),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What makes an SDK client call this endpoint in the name of a role. */
export const environmentAt = (endpoint: string, world: World, principal: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: world.region,
  AWS_DEFAULT_REGION: world.region,
  AWS_ACCESS_KEY_ID: world.accessKeyFor(principal),
  AWS_SECRET_ACCESS_KEY: 'lab',
});

/** Answers requests out of a world. */
export function answering(world: World): (request: IncomingMessage, response: ServerResponse) => void {
  const desk = new Desk(world);
  return (request, response) => {
    desk.answer(request, response).catch((error: Error) => {
      // A fault of the lab's own: loud, and never taken for an answer of AWS.
      console.error('lab/aws:', error);
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  };
}

export interface AwsServer {
  readonly endpoint: string;
  /** Environment that makes an SDK client call this server in the name of a role. */
  environment(principal: string): Record<string, string>;
  close(): Promise<void>;
}

/** One request at a time through the same desk: who asks, what for, may he, is there a token left, do it. */
class Desk {
  readonly #world: World;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(world: World) {
    this.#world = world;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await collect(request);
    const url = new URL(request.url ?? '/', 'http://lab');
    const { service, accessKey, region } = credentialScope(request);
    const principal = this.#world.principalOf(accessKey);
    if (service === 's3') return this.#s3(request, response, url, body, principal);
    if (service === 'sts') return await this.#sts(response, body, principal);
    const protocol = PROTOCOLS[service];
    if (!protocol) {
      response.writeHead(501);
      response.end(`the lab does not play the service '${service}'`);
      return;
    }
    await this.#rpc(protocol, { service, principal, region, request, response, body });
  }

  async #rpc(protocol: Protocol, call: RpcCall): Promise<void> {
    const { service, principal, request, response, body } = call;
    const requestId = randomUUID();
    const text = body.toString();
    const action = protocol.action(request, text);
    // EC2 is of a Region; what else is played is of the home Region.
    const account = this.#world.inAccount(this.#world.accountOf(principal));
    const world = service === 'ec2' ? account.inRegion(call.region) : this.#world;
    const entry = this.#enter({ service, action, principal, region: world.region, input: undefined });
    let answer: string;
    try {
      const shapes = operation(protocol.sdk, action);
      const perform = world.operations(service)?.[action];
      if (!shapes) throw new AwsError(protocol.unknownAction, `There is no action ${action}`);
      const input = await protocol.decode(shapes.input, text, request);
      entry.input = input;
      check(shapes.input, input);
      if (!perform) throw new AwsError(protocol.unknownAction, `The lab does not play ${service}:${action}`);
      const output = await this.#act(world, entry, () => perform(input, { service, action, principal }));
      const whole = withoutUndefined(output);
      try {
        check(shapes.output, whole);
      } catch (error) {
        throw new Error(`the lab's answer to ${action} does not fit its schema: ${(error as Error).message}`);
      }
      answer = protocol.encode(action, shapes.output, whole);
    } catch (error) {
      const known = error instanceof ShapeError ? protocol.refusal(error) : error;
      if (!(known instanceof AwsError)) throw error;
      this.#leave(entry, known.code);
      if (this.#dropped(entry, response)) return;
      response.writeHead(known.status, {
        'content-type': protocol.contentType,
        'x-amzn-requestid': requestId,
        ...(protocol.errorHeader ? { 'x-amzn-errortype': known.code } : {}),
      });
      response.end(protocol.encodeError(known, requestId));
      return;
    }
    this.#leave(entry, 'ok');
    if (this.#dropped(entry, response)) return;
    response.writeHead(200, { 'content-type': protocol.contentType, 'x-amzn-requestid': requestId });
    response.end(entry.fault?.kind === 'malformed' ? '<<< {not an answer' : answer);
  }

  async #s3(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: Buffer,
    principal: string,
  ): Promise<void> {
    const requestId = randomUUID();
    let entry: LogEntry | undefined;
    try {
      const call = s3Request(this.#world.s3, request, url, body);
      entry = this.#enter({
        service: 's3',
        action: call.action,
        principal,
        region: this.#world.region,
        input: call.input,
      });
      const answer = await this.#act(this.#world, entry, () => this.#orHidden(call, principal));
      this.#leave(entry, 'ok');
      if (this.#dropped(entry, response)) return;
      response.writeHead(200, { 'x-amz-request-id': requestId, ...answer.headers });
      response.end(entry.fault?.kind === 'malformed' ? '<<<' : answer.body);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      if (entry) this.#leave(entry, error.code);
      s3Error(response, error, requestId);
    }
  }

  /** Whoever may not list a bucket is not told that an object is missing from it. */
  async #orHidden({ input, perform }: S3Request, principal: string): Promise<S3Answer> {
    try {
      return perform();
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'NoSuchKey') throw error;
      const { account, region, authorize } = this.#world;
      const listing = { Bucket: input.Bucket, Prefix: input.Key };
      const call = { service: 's3', action: 'ListBucket', principal, account, region, input: listing };
      if (authorize && !(await authorize(call))) throw new AwsError('AccessDenied', 'Access Denied', 403);
      throw error;
    }
  }

  async #sts(response: ServerResponse, body: Buffer, principal: string): Promise<void> {
    const given = new URLSearchParams(body.toString());
    const action = given.get('Action') ?? '';
    const RoleArn = given.get('RoleArn') ?? '';
    const entry = this.#enter({ service: 'sts', action, principal, region: this.#world.region, input: { RoleArn } });
    const answer = (status: number, xml: string) => {
      response.writeHead(status, { 'content-type': 'text/xml' });
      response.end(xml);
    };
    try {
      const result = await this.#act(this.#world, entry, () => stsResult(this.#world, action, RoleArn, principal));
      this.#leave(entry, 'ok');
      const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';
      answer(
        200,
        `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result></${action}Response>`,
      );
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      this.#leave(entry, error.code);
      answer(
        error.status,
        `<ErrorResponse><Error><Code>${error.code}</Code><Message>${error.message}</Message></Error></ErrorResponse>`,
      );
    }
  }

  /** The way of every call to an operation: planned fault, right, token, act. */
  async #act<T>(world: World, entry: LogEntry, perform: () => T | Promise<T>): Promise<T> {
    const { service, action, principal, region, input } = entry;
    const { account } = world;
    const fault = world.faults.strike({ service, action }, input);
    if (fault) entry.fault = fault;
    if (fault?.kind === 'error') throw new AwsError(fault.code, fault.message ?? 'planned fault', fault.status ?? 400);
    if (fault?.kind === 'delay') await world.clock.sleep(fault.ms);
    if (world.authorize && !(await world.authorize({ service, action, principal, account, region, input }))) {
      const text = `User: ${principal} is not authorized to perform: ${service}:${action}`;
      if (service === 'ec2') throw new AwsError('UnauthorizedOperation', text, 403);
      throw service === 's3' || service === 'sts'
        ? new AwsError('AccessDenied', text, 403)
        : new AwsError('AccessDeniedException', text);
    }
    if (!this.#token(world, service, action)) {
      if (service === 'ec2') throw new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503);
      throw new AwsError('ThrottlingException', 'Rate exceeded');
    }
    return await perform();
  }

  #token({ limits: all, account, region, clock }: World, service: string, action: string): boolean {
    const rate = rateOf(all, service, action);
    if (!rate) return true;
    const [name, limits] = rate;
    const key = `${account} ${region} ${name}`;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(clock, limits);
    this.#buckets.set(key, bucket);
    return bucket.take();
  }

  #enter(call: Pick<LogEntry, 'service' | 'action' | 'principal' | 'region' | 'input'>): LogEntry {
    return { at: this.#world.clock.now(), ms: 0, result: 'pending', ...call };
  }

  #leave(entry: LogEntry, result: string): void {
    entry.ms = this.#world.clock.now() - entry.at;
    entry.result = result;
    this.#world.log.push(entry);
    this.#world.onCall?.(entry);
  }

  /** The act is done, its answer is lost on the way. */
  #dropped(entry: LogEntry, response: ServerResponse): boolean {
    if (entry.fault?.kind !== 'lostAnswer') return false;
    response.destroy();
    return true;
  }
}

/** Whoever signs with the key of a role is that role here, session or not. */
function stsResult(world: World, action: string, roleArn: string, principal: string): string {
  switch (action) {
    case 'GetCallerIdentity':
      return `<Arn>${principal}</Arn><UserId>${principal}</UserId><Account>${world.account}</Account>`;
    case 'AssumeRole': {
      const expiry = new Date(world.clock.now() + 3_600_000).toISOString();
      return (
        `<Credentials><AccessKeyId>${world.accessKeyFor(roleArn)}</AccessKeyId><SecretAccessKey>lab</SecretAccessKey>` +
        `<SessionToken>lab</SessionToken><Expiration>${expiry}</Expiration></Credentials>`
      );
    }
    default:
      throw new AwsError('InvalidAction', 'not played');
  }
}

interface RpcCall {
  service: string;
  principal: string;
  region: string;
  request: IncomingMessage;
  response: ServerResponse;
  body: Buffer;
}

type Shape = NonNullable<ReturnType<typeof operation>>['input'];

interface Protocol {
  sdk: object;
  contentType: string;
  unknownAction: string;
  errorHeader: boolean;
  action(request: IncomingMessage, body: string): string;
  decode(input: Shape, body: string, request: IncomingMessage): unknown;
  encode(action: string, output: Shape, value: unknown): string;
  encodeError(error: AwsError, requestId: string): string;
  refusal(error: ShapeError): AwsError;
}

const json = (sdk: object, version: string): Protocol => ({
  sdk,
  contentType: `application/x-amz-json-${version}`,
  unknownAction: 'UnknownOperationException',
  errorHeader: true,
  action: (request) => String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, ''),
  decode: awsJson.decode,
  encode: (_action, output, value) => awsJson.encode(output, value),
  encodeError: awsJson.encodeError,
  refusal: awsJson.refusal,
});

const PROTOCOLS: Record<string, Protocol> = {
  ec2: {
    sdk: ec2,
    contentType: ec2Query.contentType,
    unknownAction: 'InvalidAction',
    errorHeader: false,
    action: (_request, body) => new URLSearchParams(body).get('Action') ?? '',
    decode: (input, body) => ec2Query.decode(input, new URLSearchParams(body)),
    encode: ec2Query.encode,
    encodeError: ec2Query.encodeError,
    refusal: ec2Query.refusal,
  },
  ssm: json(ssm, '1.1'),
  states: json(sfn, '1.0'),
  monitoring: json(cloudwatch, '1.0'),
  scheduler: {
    ...json(scheduler, '1.1'),
    contentType: 'application/json',
    action: schedulerRest.action,
    decode: (_input, _body, request) => schedulerRest.input(request),
  },
  iam: {
    sdk: iam,
    unknownAction: 'InvalidAction',
    errorHeader: false,
    action: (_request, body) => new URLSearchParams(body).get('Action') ?? '',
    ...awsQuery('https://iam.amazonaws.com/doc/2010-05-08/'),
  },
};

/** SigV4: `Credential=<key>/<date>/<region>/<service>/aws4_request`. */
function credentialScope(request: IncomingMessage): { service: string; region: string; accessKey: string } {
  const scope = /Credential=([^/]+)\/[^/]+\/([^/]+)\/([^/]+)\//.exec(String(request.headers.authorization ?? ''));
  return { accessKey: scope?.[1] ?? 'anonymous', region: scope?.[2] ?? '', service: scope?.[3] ?? '' };
}

async function collect(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
