/** S3: whole JSON documents, and one that several may want to change at once. */
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ask } from './aws-errors.ts';

export const s3Client = (): S3Client =>
  new S3Client({
    maxAttempts: 5,
    // Buckets of a lab lie on loopback, where there is no DNS for their names.
    forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  });

export interface StoredJson {
  json: unknown;
  etag: string;
}

/** Undefined when there is no such object. */
export const getJson =
  (client: S3Client) =>
  async (bucket: string, key: string): Promise<StoredJson | undefined> => {
    try {
      const object = await ask('s3:GetObject', () => client.send(new GetObjectCommand({ Bucket: bucket, Key: key })));
      return { json: JSON.parse((await object.Body?.transformToString()) ?? 'null'), etag: object.ETag ?? '' };
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  };

/**
 * `replaces`: the ETag of what the object must still be, or null where there must be none yet. False when it is something
 * else by now; without `replaces` whatever is there is replaced.
 */
export const putJson =
  (client: S3Client) =>
  async (bucket: string, key: string, json: unknown, replaces?: string | null): Promise<boolean> => {
    const condition =
      replaces === undefined ? {} : replaces === null ? { IfNoneMatch: '*' } : ({ IfMatch: replaces } as const);
    try {
      await ask('s3:PutObject', () =>
        client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key,
            Body: JSON.stringify(json),
            ContentType: 'application/json',
            ...condition,
          }),
        ),
      );
      return true;
    } catch (error) {
      if (['PreconditionFailed', 'ConditionalRequestConflict'].includes((error as Error).name)) return false;
      throw error;
    }
  };
