import type * as z from 'zod/mini';

/** What is wrong with a value, one phrase for each fault: path, value, and what was expected. */
export const faultsOf = (issues: readonly z.core.$ZodIssue[], value: unknown): string =>
  issues
    .map((issue) => `${pathOf(issue.path)} is ${shown(at(value, issue.path))}, expected ${expected(issue)}`)
    .join('; ');

const pathOf = (path: readonly PropertyKey[]): string => (path.length ? path.map(String).join('.') : 'the whole');

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);

const shown = (value: unknown): string => {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

/** zod/mini carries no messages of its own, so that bundles stay small. */
const expected = (issue: z.core.$ZodIssue): string => {
  if (issue.message && issue.message !== 'Invalid input') return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `a value of type ${issue.expected}`;
    case 'invalid_value':
      return issue.values.length === 1 ? JSON.stringify(issue.values[0]) : `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return `at least ${issue.minimum}`;
    case 'too_big':
      return `at most ${issue.maximum}`;
    default:
      return issue.code;
  }
};
