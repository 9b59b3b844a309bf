/** A document of the user's own whose script is carried to the host as one more hook: never sent, never run by the agent. */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { Hook } from '../shared/contracts.ts';
import { HookDocumentError } from '../shared/errors.ts';
import { faultsOf } from '../shared/input-faults.ts';

/** A document as SSM gives it: `content` is JSON. */
export interface ReadDocument {
  version: string;
  type: string;
  status: string;
  content: string;
}

/** What Run Command takes, document and parameters together, is 64 KB, and the Freeze document takes up most of it. */
export const MOST_HOOK_BYTES = 4_096;

/** Called with these words, by way of the one parameter. */
const WORDS = ['freeze', 'held', 'thaw'] as const;

const A_COMMAND = 'a parameter of type String that allows freeze, held and thaw, put in as text';

const Command = z.object({
  type: z.literal('String', A_COMMAND),
  allowedValues: z.optional(
    z.array(z.string(), A_COMMAND).check(z.refine((values) => WORDS.every((word) => values.includes(word)), A_COMMAND)),
  ),
  interpolationType: z.optional(z.literal('STRING', A_COMMAND)),
});

/** Whatever else is there would mean something to the agent, and nothing to a hook. */
const only = <Shape extends z.core.$ZodShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `${Object.keys(shape).join(', ')} and nothing else, but not ${issue.keys?.join(', ')}`
        : undefined,
  });

const Step = only({
  action: z.literal('aws:runShellScript'),
  name: z.string(),
  precondition: z.optional(only({ StringEquals: z.tuple([z.literal('platformType'), z.literal('Linux')]) })),
  inputs: only({
    runCommand: z.array(z.string(), 'the lines of the script'),
    // A hook has its own limits.
    timeoutSeconds: z.optional(z.union([z.string(), z.number()])),
  }),
});

/** As much of a Command document as can mean the same when it is carried. */
const Content = only({
  schemaVersion: z.literal('2.2'),
  description: z.optional(z.string()),
  parameters: only({ command: Command }),
  mainSteps: z.array(Step).check(z.length(1, 'exactly one step')),
});

/** The hook in a document of this name; what can't be carried just as the agent would run it is refused. */
export const hookIn = (name: string, { version, type, status, content }: ReadDocument): Hook => {
  const refuse = (why: string) =>
    new HookDocumentError(
      `the document ${name}, version ${version}, can't be a hook: ${why}; mend it, or take the tag off the instance`,
    );
  if (type !== 'Command') throw refuse(`it is of type ${type}, expected Command`);
  if (status !== 'Active') throw refuse(`it is ${status}, expected Active`);
  const json: unknown = JSON.parse(content);
  const parsed = Content.safeParse(json);
  if (!parsed.success) throw refuse(faultsOf(parsed.error.issues, json));
  const [step] = parsed.data.mainSteps;
  const script = (step?.inputs.runCommand ?? []).join('\n').replace(PLACE, '{{ command }}');
  const fault = faultIn(script);
  if (fault) throw refuse(fault);
  return {
    document: name,
    version,
    hash: createHash('sha256').update(script).digest('hex'),
    script: Buffer.from(script).toString('base64'),
  };
};

/** The agent takes any blanks in it; the host looks for the one form. */
const PLACE = /\{\{\s*command\s*\}\}/g;

const faultIn = (script: string): string | undefined => {
  const bytes = Buffer.byteLength(script);
  if (!script.includes('{{ command }}')) {
    return 'its script does not have {{ command }}, so it would do the same at freeze, held and thaw';
  }
  const [stored] = /\{\{\s*ssm(-secure)?:[^}]*\}\}/.exec(script) ?? [];
  if (stored) return `its script has ${stored}, which is not looked up for a hook: let the host read what it needs`;
  if (script.includes('\0')) return 'its script has a NUL character, which no shell takes';
  return bytes > MOST_HOOK_BYTES
    ? `its script has ${bytes} bytes, and ${MOST_HOOK_BYTES} can be carried: put the rest into a file on the host`
    : undefined;
};
