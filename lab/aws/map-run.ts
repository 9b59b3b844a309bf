import { randomUUID } from 'node:crypto';
import { TaskFailure } from './lambda.ts';
import type { Definition } from './template.ts';

/** What a Distributed Map says beside its paths. */
export interface MapSpec {
  /** Of each child. */
  processor: Definition;
  label: string;
  maxConcurrency: number;
  toleratedFailurePercentage: number;
}

/** The end of a child, as a Map Run writes it down. */
export interface ChildEnd {
  ExecutionArn: string;
  Name: string;
  Status: string;
  Input: string;
  Output?: string;
  Error?: string;
  Cause?: string;
  StartDate: string;
  StopDate: string;
}

export interface Child {
  readonly ended: Promise<ChildEnd>;
  stop(): void;
}

export interface MapRunPorts {
  start(item: unknown): Child;
  /** The text of an object. */
  read(parameters: object): Promise<string>;
  write(bucket: string, key: string, body: string): Promise<void>;
  /** Aborts when the parent is stopped. */
  signal: AbortSignal;
}

/** Children of a Map Run that AWS runs side by side at most. */
const MOST_CHILDREN = 10_000;

/**
 * A Distributed Map with its items in S3 and its results there: children are executions of their own, a failed one counts
 * against the tolerance, and where that is exceeded, the others are aborted as they stand.
 */
export async function runMap(
  spec: MapSpec,
  { reader, writer }: { reader?: object; writer?: { Bucket: string; Prefix: string } },
  arn: string,
  ports: MapRunPorts,
): Promise<unknown> {
  const items = await readItems(reader, ports);
  const running = new Set<Child>();
  const ends: ChildEnd[] = [];
  let failed = 0;
  let exceeded = false;
  const stopAll = () => {
    for (const child of running) child.stop();
  };
  ports.signal.addEventListener('abort', stopAll, { once: true });

  let next = 0;
  const lane = async () => {
    while (next < items.length && !exceeded && !ports.signal.aborted) {
      const child = ports.start(items[next++]);
      running.add(child);
      const end = await child.ended;
      ends.push(end);
      running.delete(child);
      if (end.Status !== 'SUCCEEDED') failed += 1;
      if ((failed / items.length) * 100 <= spec.toleratedFailurePercentage) continue;
      exceeded = true;
      stopAll();
    }
  };
  const lanes = Math.min(items.length, spec.maxConcurrency || MOST_CHILDREN, MOST_CHILDREN);
  await Promise.all(Array.from({ length: lanes }, lane));
  ports.signal.removeEventListener('abort', stopAll);
  if (exceeded) {
    throw new TaskFailure(
      'States.ExceedToleratedFailureThreshold',
      'The specified tolerated failure threshold was exceeded',
    );
  }
  if (writer) return await writeResults(ends, writer, arn, ports);
  return ends.map(({ Output }) => JSON.parse(Output ?? 'null'));
}

async function readItems(reader: object | undefined, { read }: MapRunPorts): Promise<unknown[]> {
  let items: unknown;
  try {
    items = JSON.parse(await read(reader ?? {}));
  } catch (error) {
    throw new TaskFailure('States.ItemReaderFailed', (error as Error).message);
  }
  if (!Array.isArray(items))
    throw new TaskFailure('States.ItemReaderFailed', 'Attempting to map over non-iterable node.');
  return items;
}

async function writeResults(
  ends: readonly ChildEnd[],
  { Bucket, Prefix }: { Bucket: string; Prefix: string },
  arn: string,
  { write }: MapRunPorts,
): Promise<unknown> {
  const folder = `${Prefix}/${arn.split(':').at(-1) ?? randomUUID()}`;
  const files: Record<string, { Key: string; Size: number }[]> = { SUCCEEDED: [], FAILED: [], PENDING: [] };
  for (const [status, list] of Object.entries(files)) {
    const some = ends.filter(
      ({ Status }) => (status === 'SUCCEEDED') === (Status === 'SUCCEEDED') && status !== 'PENDING',
    );
    if (some.length === 0) continue;
    const body = JSON.stringify(some);
    list.push({ Key: `${folder}/${status}_0.json`, Size: body.length });
    await write(Bucket, `${folder}/${status}_0.json`, body);
  }
  const manifest = `${folder}/manifest.json`;
  await write(Bucket, manifest, JSON.stringify({ DestinationBucket: Bucket, MapRunArn: arn, ResultFiles: files }));
  return { MapRunArn: arn, ResultWriterDetails: { Bucket, Key: manifest } };
}
