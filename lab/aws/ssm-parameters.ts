import { AwsError } from './errors.ts';
import { type CommandDocument, type DocumentParameter, type DocumentVersion, MOST_BYTES } from './ssm-documents.ts';

/** The values a command runs with: what was sent, checked as the service does, over the document's defaults. */
export function boundParameters(
  document: DocumentVersion,
  sent: Record<string, string[]> = {},
): Record<string, string> {
  const declared = document.content.parameters ?? {};
  for (const name of Object.keys(sent)) {
    if (!declared[name])
      throw new AwsError('InvalidParameters', `Parameter ${name} is not declared in ${document.name}`);
  }
  const bytes = Buffer.byteLength(document.text) + Buffer.byteLength(JSON.stringify(sent));
  if (bytes > MOST_BYTES)
    throw new AwsError('MaxDocumentSizeExceeded', `${document.name} and its parameters exceed 64 KB`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, parameter]) => [name, bound(name, parameter, sent[name])]),
  );
}

/** The step's script, as the agent makes it: plain text replacement, once, with `$$` of a value becoming `$`. */
export function script(document: CommandDocument, values: Record<string, string>): string {
  const { runCommand } = (document.mainSteps[0] as CommandDocument['mainSteps'][0]).inputs;
  return substituted([runCommand].flat().join('\n'), values);
}

/** The step's own limit: outside 5..172800 seconds, or unreadable, the agent takes one hour without a word. */
export function stepTimeoutSeconds(document: CommandDocument, values: Record<string, string>): number {
  const { timeoutSeconds } = (document.mainSteps[0] as CommandDocument['mainSteps'][0]).inputs;
  const seconds = Number.parseInt(substituted(String(timeoutSeconds ?? ''), values), 10);
  return seconds >= 5 && seconds <= 172_800 ? seconds : 3600;
}

/** A text with its declared parameters in place; what is not declared stays as it is. */
export function substituted(text: string, values: Record<string, string>): string {
  return text.replace(/\{\{\s*([a-zA-Z0-9]+)\s*\}\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : value.replaceAll('$$', () => '$');
  });
}

function bound(name: string, parameter: DocumentParameter, sent: string[] | undefined): string {
  const values = sent ?? (parameter.default === undefined ? undefined : [parameter.default].flat());
  if (!values) throw new AwsError('InvalidParameters', `Parameter ${name} has no value`);
  if (parameter.type === 'String' && values.length !== 1) {
    throw new AwsError('InvalidParameters', `Parameter ${name} takes one value, got ${values.length}`);
  }
  for (const value of values) checkValue(name, parameter, value);
  return parameter.type === 'String' ? (values[0] as string) : JSON.stringify(values);
}

function checkValue(name: string, parameter: DocumentParameter, value: string): void {
  const refuse = (why: string) => new AwsError('InvalidParameters', `Parameter ${name}: '${value}' ${why}`);
  const { allowedPattern, allowedValues, minChars, maxChars } = parameter;
  if (allowedPattern !== undefined && !new RegExp(`^(?:${allowedPattern})$`).test(value)) {
    throw refuse(`does not match ${allowedPattern}`);
  }
  if (allowedValues && !allowedValues.includes(value)) throw refuse(`is none of ${allowedValues.join(', ')}`);
  if (minChars !== undefined && value.length < minChars) throw refuse(`is shorter than ${minChars} characters`);
  if (maxChars !== undefined && value.length > maxChars) throw refuse(`is longer than ${maxChars} characters`);
}
