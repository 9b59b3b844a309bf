import { createHash } from 'node:crypto';
import { AwsError } from './errors.ts';
import type { World } from './world.ts';

/** Buckets with versioned objects. */
export class S3 {
  readonly buckets = new Map<string, Map<string, ObjectVersion[]>>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  addBucket(name: string): void {
    if (!this.buckets.has(name)) this.buckets.set(name, new Map());
  }

  put(bucket: string, key: string, body: Buffer, contentType: string, condition: Condition = {}): ObjectVersion {
    const objects = this.#objects(bucket);
    const versions = objects.get(key) ?? [];
    const { ifNoneMatch, ifMatch } = condition;
    if (ifMatch !== undefined && versions.length === 0) {
      throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
    }
    if ((ifNoneMatch === '*' && versions.length > 0) || (ifMatch !== undefined && versions.at(-1)?.etag !== ifMatch)) {
      throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
    }
    const version: ObjectVersion = {
      versionId: this.#world.id('version'),
      body,
      contentType,
      etag: `"${createHash('md5').update(body).digest('hex')}"`,
      modifiedAt: this.#world.clock.now(),
    };
    versions.push(version);
    objects.set(key, versions);
    return version;
  }

  get(bucket: string, key: string, versionId?: string): ObjectVersion {
    const versions = this.#objects(bucket).get(key) ?? [];
    if (versions.length === 0) throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
    const found = versionId ? versions.find((v) => v.versionId === versionId) : versions.at(-1);
    if (!found) throw new AwsError('NoSuchVersion', 'The specified version does not exist.', 404);
    return found;
  }

  /** Keys in order, from after `startAfter` on. */
  list(bucket: string, prefix: string, startAfter: string, most: number): { keys: string[]; truncated: boolean } {
    const keys = [...this.#objects(bucket).keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
    return { keys: keys.slice(0, most), truncated: keys.length > most };
  }

  #objects(bucket: string): Map<string, ObjectVersion[]> {
    const objects = this.buckets.get(bucket);
    if (!objects) throw new AwsError('NoSuchBucket', `The specified bucket does not exist: ${bucket}`, 404);
    return objects;
  }
}

/** Headers under which an object is written. */
export interface Condition {
  ifNoneMatch?: string | undefined;
  ifMatch?: string | undefined;
}

export interface ObjectVersion {
  versionId: string;
  body: Buffer;
  contentType: string;
  etag: string;
  modifiedAt: number;
}
