/** Whether an event fits an EventBridge pattern: every field of the pattern, any of its values. */
export function matches(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(pattern)) {
    const values = Array.isArray(event) ? event : [event];
    return pattern.some((wanted) => values.some((value) => fits(wanted, value)));
  }
  if (!isObject(pattern)) return false;
  return Object.entries(pattern).every(([key, wanted]) => {
    if (key === '$or') return (wanted as unknown[]).some((option) => matches(option, event));
    return matches(wanted, isObject(event) ? event[key] : undefined);
  });
}

/** One element of a pattern's list: a literal, or a comparison such as `{"prefix": "x"}`. */
function fits(wanted: unknown, value: unknown): boolean {
  if (!isObject(wanted)) return wanted === value;
  const [[operator, operand] = ['', undefined]] = Object.entries(wanted) as [string, unknown][];
  const text = typeof value === 'string' ? value : undefined;
  switch (operator) {
    case 'exists':
      return (value !== undefined) === operand;
    case 'prefix':
      return text?.startsWith(String(operand)) ?? false;
    case 'suffix':
      return text?.endsWith(String(operand)) ?? false;
    case 'equals-ignore-case':
      return text?.toLowerCase() === String(operand).toLowerCase();
    case 'wildcard':
      return (
        text !== undefined && new RegExp(`^${String(operand).split('*').map(escapeRegex).join('.*')}$`, 's').test(text)
      );
    case 'anything-but':
      return value !== undefined && !(isObject(operand) ? fits(operand, value) : [operand].flat().includes(value));
    default:
      throw new Error(`event pattern: the lab does not know '${operator}'`);
  }
}

/** What a target gets of an event: all of it, a part, a constant, or a template with parts filled in. */
export function targetInput(
  event: Record<string, unknown>,
  target: {
    input: string | undefined;
    inputPath: string | undefined;
    transformer: { paths: Record<string, string>; template: string } | undefined;
  },
): unknown {
  if (target.input !== undefined) return JSON.parse(target.input);
  if (target.inputPath !== undefined) return at(event, target.inputPath);
  if (!target.transformer) return event;
  const { paths, template } = target.transformer;
  const filled = template.replace(/"?<([^<>]+)>"?/g, (whole, name: string) => {
    const path = name.startsWith('aws.events.') ? undefined : paths[name];
    const value = name === 'aws.events.event' || name === 'aws.events.event.json' ? event : path && at(event, path);
    // In quotes of the template's own, or inside a longer text, a string goes in without quotes.
    if (whole.startsWith('"') && whole.endsWith('"')) return JSON.stringify(value ?? '');
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
    return whole.replace(
      `<${name}>`,
      whole === `<${name}>` && typeof value === 'string' ? JSON.stringify(value) : text,
    );
  });
  return JSON.parse(filled);
}

/** `$.detail.name`: EventBridge's paths are dots only. */
const at = (event: unknown, path: string): unknown =>
  path
    .replace(/^\$\.?/, '')
    .split('.')
    .filter(Boolean)
    .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), event);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const escapeRegex = (text: string) => text.replace(/[.+^${}()|[\]\\?]/g, '\\$&');
