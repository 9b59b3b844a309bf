import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { lab, refusal } from './setup.ts';

test('objects are put, read back by version, and listed by prefix', async () => {
  await using on = await lab();
  on.world.s3.addBucket('sets');
  const put = (Key: string, Body: string) => on.s3.send(new PutObjectCommand({ Bucket: 'sets', Key, Body }));
  const first = await put('sets/i-1/run 1.json', '{"a":1}');
  await put('sets/i-1/run 1.json', '{"a":2}');
  await put('other/x', '');
  const get = async (VersionId?: string) => {
    const command = new GetObjectCommand({ Bucket: 'sets', Key: 'sets/i-1/run 1.json', VersionId });
    return (await on.s3.send(command)).Body?.transformToString();
  };
  assert.equal(await get(), '{"a":2}');
  assert.equal(await get(first.VersionId), '{"a":1}');
  const { Contents } = await on.s3.send(new ListObjectsV2Command({ Bucket: 'sets', Prefix: 'sets/' }));
  assert.deepEqual(
    Contents?.map(({ Key }) => Key),
    ['sets/i-1/run 1.json'],
  );
});

test('a list goes on from page to page', async () => {
  await using on = await lab();
  on.world.s3.addBucket('sets');
  for (const key of ['a', 'b', 'c']) on.world.s3.put('sets', key, Buffer.from(key), 'text/plain');
  const first = await on.s3.send(new ListObjectsV2Command({ Bucket: 'sets', MaxKeys: 2 }));
  assert.equal(first.IsTruncated, true);
  const second = await on.s3.send(
    new ListObjectsV2Command({ Bucket: 'sets', ContinuationToken: first.NextContinuationToken }),
  );
  assert.deepEqual(
    second.Contents?.map(({ Key }) => Key),
    ['c'],
  );
});

test('who may not list a bucket is not told that an object is missing from it', async () => {
  await using on = await lab();
  on.world.s3.addBucket('sets');
  on.world.authorize = ({ action }) => action !== 'ListBucket';
  assert.equal(await refusal(on.s3.send(new GetObjectCommand({ Bucket: 'sets', Key: 'no' }))), 'AccessDenied');
});

test('a missing key or bucket has its own name, and a create-only put does not overwrite', async () => {
  await using on = await lab();
  on.world.s3.addBucket('sets');
  assert.equal(await refusal(on.s3.send(new GetObjectCommand({ Bucket: 'sets', Key: 'no' }))), 'NoSuchKey');
  const put = (Bucket: string) => new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', IfNoneMatch: '*' });
  assert.equal(await refusal(on.s3.send(put('elsewhere'))), 'NoSuchBucket');
  assert.equal(await refusal(on.s3.send(put('sets'))), 'no error');
  assert.equal(await refusal(on.s3.send(put('sets'))), 'PreconditionFailed');
});
