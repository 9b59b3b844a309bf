import { USER_TAGS } from './names.ts';

/** The policies that an instance's tag names, whether or not the plan has them. */
export const policiesOf = (tags: Readonly<Record<string, string>>): string[] => wordsIn(tags[USER_TAGS.policy] ?? '');

/** The words of a tag's value: blanks or commas between them. */
export const wordsIn = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');
