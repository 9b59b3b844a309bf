import { TaskFailure } from './lambda.ts';

/** Step Functions' own calls of AWS (`aws-sdk:<service>:<action>`): the real SDK client against the loopback endpoint. */
export class SdkTasks {
  readonly #clients = new Map<string, Client>();
  readonly #config: (roleArn: string) => object;

  constructor(config: (roleArn: string) => object) {
    this.#config = config;
  }

  async call(service: string, action: string, input: unknown, roleArn: string): Promise<unknown> {
    const known = SERVICES[service];
    if (!known) throw new Error(`the lab has no SDK client for aws-sdk:${service}:${action}`);
    const sdk = (await known.load()) as Record<string, Constructor>;
    const key = `${service} ${roleArn}`;
    const client = this.#clients.get(key) ?? new (sdk[known.client] as Constructor<Client>)(this.#config(roleArn));
    this.#clients.set(key, client);
    const Command = sdk[`${action.charAt(0).toUpperCase()}${action.slice(1)}Command`];
    if (!Command) throw new Error(`there is no action ${service}:${action}`);
    try {
      return plain(await client.send(new Command(withTextBody(input))));
    } catch (error) {
      throw failure(service, error as Error);
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }
}

interface Client {
  send(command: unknown): Promise<Record<string, unknown>>;
  destroy(): void;
}
type Constructor<T = unknown> = new (input: unknown) => T;

const SERVICES: Record<string, { client: string; load: () => Promise<object> }> = {
  ec2: { client: 'EC2Client', load: () => import('@aws-sdk/client-ec2') },
  s3: { client: 'S3Client', load: () => import('@aws-sdk/client-s3') },
  sfn: { client: 'SFNClient', load: () => import('@aws-sdk/client-sfn') },
  ssm: { client: 'SSMClient', load: () => import('@aws-sdk/client-ssm') },
};

/** A JSON value given as an object's Body is written as JSON. */
function withTextBody(input: unknown): unknown {
  const { Body } = (input ?? {}) as { Body?: unknown };
  if (Body === undefined || typeof Body === 'string') return input;
  return { ...(input as object), Body: JSON.stringify(Body) };
}

/** The answer as JSON; a stream as its text. */
async function plain(output: Record<string, unknown>): Promise<unknown> {
  const { $metadata, Body, ...rest } = output;
  const body = Body as { transformToString?(): Promise<string> } | undefined;
  const text = body?.transformToString ? { Body: await body.transformToString() } : {};
  return JSON.parse(JSON.stringify({ ...rest, ...text }));
}

/** `S3.NoSuchKeyException`; EC2's errors are not in its model, so all of them have one name and differ in the cause. */
function failure(service: string, error: Error & { $metadata?: { httpStatusCode?: number } }): TaskFailure {
  const prefix = service.charAt(0).toUpperCase() + service.slice(1);
  const name = service === 'ec2' ? 'Ec2' : error.name;
  const full = name.endsWith('Exception') ? name : `${name}Exception`;
  const status = error.$metadata?.httpStatusCode ?? 0;
  const code = service === 'ec2' ? `${error.name}: ` : '';
  return new TaskFailure(`${prefix}.${full}`, `${code}${error.message} (Service: ${prefix}, Status Code: ${status})`);
}
