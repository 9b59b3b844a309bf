import type { Filter } from '@aws-sdk/client-ec2';
import { AwsError } from './errors.ts';

/** Tags as the world keeps them. */
export type Tags = Map<string, string>;

/** How each filter name reads its values off a resource. `tag:<key>` and `tag-key` work on every tagged resource. */
export type FilterReaders<R> = Record<string, (resource: R) => readonly string[]>;

/** EC2's filters: any value of a filter, every filter; `*` and `?` are wildcards; an unknown name is an error. */
export function filtered<R extends { tags: Tags }>(
  resources: Iterable<R>,
  filters: readonly Filter[] | undefined,
  readers: FilterReaders<R>,
): R[] {
  const tests = (filters ?? []).map((filter) => test(filter, readers));
  return [...resources].filter((resource) => tests.every((passes) => passes(resource)));
}

/** One page, and the token of the next one. */
export function page<R>(items: readonly R[], maxResults: number | undefined, token: string | undefined): Page<R> {
  const start = token === undefined ? 0 : decode(token);
  const end = maxResults === undefined ? items.length : start + maxResults;
  return { items: items.slice(start, end), ...(end < items.length ? { NextToken: encode(end) } : {}) };
}

export interface Page<R> {
  items: R[];
  NextToken?: string;
}

/** Throws unless the size of a page lies between what the API takes, and no ids are asked for at the same time. */
export function checkPaging(maxResults: number | undefined, ids: readonly string[] | undefined, idName: string): void {
  if (maxResults === undefined) return;
  if (ids?.length) {
    throw new AwsError(
      'InvalidParameterCombination',
      `The parameter ${idName} cannot be used with the parameter maxResults`,
    );
  }
  if (maxResults < 5 || maxResults > 1000) {
    throw new AwsError(
      'InvalidParameterValue',
      `Value ( ${maxResults} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.`,
    );
  }
}

const encode = (offset: number) => Buffer.from(`offset:${offset}`).toString('base64');

function decode(token: string): number {
  const offset = /^offset:(\d+)$/.exec(Buffer.from(token, 'base64').toString())?.[1];
  if (offset === undefined) throw new AwsError('InvalidNextToken', 'The specified NextToken is invalid');
  return Number(offset);
}

function test<R extends { tags: Tags }>(filter: Filter, readers: FilterReaders<R>): (resource: R) => boolean {
  const name = filter.Name ?? '';
  const patterns = filter.Values ?? [];
  if (patterns.length === 0) throw new AwsError('InvalidParameterValue', `The filter '${name}' has no values`);
  if (patterns.length > 200) throw new AwsError('FilterLimitExceeded', `The filter '${name}' has more than 200 values`);
  const exact = new Set(patterns.filter((pattern) => !/[*?]/.test(pattern)));
  const wildcards = patterns.filter((pattern) => !exact.has(pattern)).map(wildcard);
  if (name === 'tag-key' && wildcards.length === 0) return ({ tags }) => [...exact].some((key) => tags.has(key));
  const values = reader(name, readers);
  return (resource) =>
    values(resource).some((value) => exact.has(value) || wildcards.some((pattern) => pattern.test(value)));
}

function reader<R extends { tags: Tags }>(name: string, readers: FilterReaders<R>): (resource: R) => readonly string[] {
  if (name.startsWith('tag:')) {
    return ({ tags }) => {
      const value = tags.get(name.slice(4));
      return value === undefined ? [] : [value];
    };
  }
  if (name === 'tag-key') return ({ tags }) => [...tags.keys()];
  const known = readers[name];
  if (!known) throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid`);
  return known;
}

const wildcard = (value: string) =>
  new RegExp(
    `^${value
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );
