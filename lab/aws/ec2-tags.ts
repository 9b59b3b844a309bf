import type { Tag, TagSpecification } from '@aws-sdk/client-ec2';
import type { Tags } from './ec2-filters.ts';
import { AwsError } from './errors.ts';

/** Most tags of the user's own that a resource can bear. */
const MOST_TAGS = 50;

/** `tags` with `more` put over it, or the error that EC2 gives. */
export function tagged(tags: Tags, more: readonly Tag[] | undefined): Tags {
  const result = new Map(tags);
  for (const { Key = '', Value = '' } of more ?? []) {
    if (/^aws:/i.test(Key)) {
      throw new AwsError('InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use");
    }
    if (Key.length < 1 || Key.length > 128) {
      throw new AwsError('InvalidParameterValue', `Tag key '${Key}' must have 1 to 128 characters`);
    }
    if (Value.length > 256) throw new AwsError('InvalidParameterValue', `Tag value of '${Key}' exceeds 256 characters`);
    result.set(Key, Value);
  }
  const own = [...result.keys()].filter((key) => !key.startsWith('aws:'));
  if (own.length > MOST_TAGS) throw new AwsError('TagLimitExceeded', `More than ${MOST_TAGS} tags on one resource`);
  return result;
}

/** The tags that a call gives to the one kind of resource that it creates. */
export function specified(specifications: readonly TagSpecification[] | undefined, type: string): Tag[] {
  const tags: Tag[] = [];
  for (const { ResourceType, Tags } of specifications ?? []) {
    if (ResourceType !== type) {
      throw new AwsError(
        'InvalidParameterValue',
        `'${ResourceType}' is not a valid taggable resource type for this operation.`,
      );
    }
    tags.push(...(Tags ?? []));
  }
  const keys = tags.map(({ Key }) => Key);
  if (new Set(keys).size < keys.length) {
    throw new AwsError('InvalidParameterValue', 'Duplicate tag key in TagSpecification');
  }
  return tags;
}

/** Tags that a snapshot takes over from its volume: AWS's own stay behind. */
export const copied = (tags: Tags): Tags => new Map([...tags].filter(([key]) => !key.startsWith('aws:')));

export const tagList = (tags: Tags): Tag[] => [...tags].map(([Key, Value]) => ({ Key, Value }));
