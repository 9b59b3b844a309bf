import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsError } from '../errors.ts';
import type { S3 } from '../s3.ts';
import { escapeXml } from './ec2-query.ts';

/** A request to S3 (path style), taken apart: the action decides the policy, `perform` does it. */
export interface S3Request {
  action: 'PutObject' | 'GetObject' | 'HeadObject' | 'ListObjectsV2';
  input: { Bucket: string; Key?: string; Prefix?: string; VersionId?: string };
  perform(): S3Answer;
}

export interface S3Answer {
  headers: Record<string, string>;
  body: Buffer | string;
}

/** Reads the request; S3's own REST protocol is small enough to be written by hand. */
export function s3Request(s3: S3, request: IncomingMessage, url: URL, body: Buffer): S3Request {
  const [bucket = '', ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const key = rest.join('/');
  const query = url.searchParams;
  const versionId = query.get('versionId') ?? undefined;
  const object = { Bucket: bucket, Key: key, ...(versionId ? { VersionId: versionId } : {}) };
  if (key === '' && request.method === 'GET' && query.get('list-type') === '2') {
    const prefix = query.get('prefix') ?? '';
    return {
      action: 'ListObjectsV2',
      input: { Bucket: bucket, Prefix: prefix },
      perform: () => list(s3, bucket, prefix, query),
    };
  }
  if (key !== '' && request.method === 'PUT') {
    return { action: 'PutObject', input: object, perform: () => put(s3, object, request, body) };
  }
  if (key !== '' && (request.method === 'GET' || request.method === 'HEAD')) {
    const action = request.method === 'GET' ? 'GetObject' : 'HeadObject';
    return { action, input: object, perform: () => get(s3, object, action === 'HeadObject') };
  }
  throw new AwsError('NotImplemented', `The lab does not play ${request.method} ${url.pathname}${url.search}`, 501);
}

export function s3Error(response: ServerResponse, error: AwsError, requestId: string): void {
  response.writeHead(error.status, { 'content-type': 'application/xml', 'x-amz-request-id': requestId });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${escapeXml(error.code)}</Code>` +
      `<Message>${escapeXml(error.message)}</Message><RequestId>${requestId}</RequestId></Error>`,
  );
}

function put(s3: S3, object: { Bucket: string; Key: string }, request: IncomingMessage, body: Buffer): S3Answer {
  const chunked = String(request.headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
  const type = request.headers['content-type'] ?? 'application/octet-stream';
  const condition = { ifNoneMatch: request.headers['if-none-match'], ifMatch: request.headers['if-match'] };
  const version = s3.put(object.Bucket, object.Key, chunked ? unchunked(body) : body, type, condition);
  return { headers: { etag: version.etag, 'x-amz-version-id': version.versionId }, body: '' };
}

function get(s3: S3, object: { Bucket: string; Key: string; VersionId?: string }, head: boolean): S3Answer {
  const version = s3.get(object.Bucket, object.Key, object.VersionId);
  const headers = {
    etag: version.etag,
    'content-type': version.contentType,
    'content-length': String(version.body.length),
    'last-modified': new Date(version.modifiedAt).toUTCString(),
    'x-amz-version-id': version.versionId,
  };
  return { headers, body: head ? '' : version.body };
}

function list(s3: S3, bucket: string, prefix: string, query: URLSearchParams): S3Answer {
  const token = query.get('continuation-token');
  const startAfter = token ? Buffer.from(token, 'base64').toString() : (query.get('start-after') ?? '');
  const most = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
  const { keys, truncated } = s3.list(bucket, prefix, startAfter, most);
  const last = Buffer.from(keys.at(-1) ?? '').toString('base64');
  const contents = keys.map((key) => {
    const { etag, body, modifiedAt } = s3.get(bucket, key);
    return (
      `<Contents><Key>${escapeXml(key)}</Key><LastModified>${new Date(modifiedAt).toISOString()}</LastModified>` +
      `<ETag>${escapeXml(etag)}</ETag><Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`
    );
  });
  const body =
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `<Name>${escapeXml(bucket)}</Name><Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${keys.length}</KeyCount>` +
    `<MaxKeys>${most}</MaxKeys><IsTruncated>${truncated}</IsTruncated>` +
    `${truncated ? `<NextContinuationToken>${last}</NextContinuationToken>` : ''}${contents.join('')}</ListBucketResult>`;
  return { headers: { 'content-type': 'application/xml' }, body };
}

/** The payload of `aws-chunked`: `<hex size>[;signature]\r\n<bytes>\r\n` … `0\r\n<trailers>`. */
function unchunked(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
