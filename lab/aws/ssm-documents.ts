import { createHash } from 'node:crypto';
import type {
  DescribeDocumentCommandInput,
  DescribeDocumentCommandOutput,
  GetDocumentCommandInput,
  GetDocumentCommandOutput,
} from '@aws-sdk/client-ssm';
import { AwsError } from './errors.ts';
import type { Operations } from './world.ts';

/** Command documents with their versions, as CloudFormation puts them there (`updateMethod: NewVersion`). */
export class Documents {
  readonly operations: Operations;
  readonly #versions = new Map<string, DocumentVersion[]>();

  constructor() {
    this.operations = {
      DescribeDocument: (input) => this.#describe(input),
      GetDocument: (input) => this.#get(input),
    };
  }

  /** Adds a version and makes it the default one, which is what NewVersion does. */
  put(name: string, content: CommandDocument): DocumentVersion {
    if (/^(aws|amazon|amzn)/i.test(name)) throw new AwsError('InvalidDocumentContent', `${name}: the name is reserved`);
    return this.#add(name, content);
  }

  /** A document of AWS's own, which is there in every account. */
  putOwned(name: string, content: CommandDocument): DocumentVersion {
    return this.#add(name, content);
  }

  #add(name: string, content: CommandDocument): DocumentVersion {
    const text = JSON.stringify(content);
    if (Buffer.byteLength(text) > MOST_BYTES) throw new AwsError('MaxDocumentSizeExceeded', `${name} exceeds 64 KB`);
    checkDocument(name, content);
    const versions = this.#versions.get(name) ?? [];
    const version = {
      name,
      version: String(versions.length + 1),
      content,
      text,
      hash: createHash('sha256').update(text).digest('hex'),
    };
    versions.push(version);
    this.#versions.set(name, versions);
    return version;
  }

  remove(name: string): void {
    this.#versions.delete(name);
  }

  /** A version by its number, `$DEFAULT` or `$LATEST`. */
  find(name: string | undefined, version = '$DEFAULT'): DocumentVersion {
    // A document may be named by its ARN.
    const versions = this.#versions.get((name ?? '').replace(/^arn:aws:ssm:.*:document\//, ''));
    if (!versions) throw new AwsError('InvalidDocument', `Document with name ${name} does not exist.`);
    const found =
      version === '$DEFAULT' || version === '$LATEST' ? versions.at(-1) : versions.find((v) => v.version === version);
    if (!found) throw new AwsError('InvalidDocumentVersion', `Version ${version} of ${name} does not exist.`);
    return found;
  }

  #describe(input: DescribeDocumentCommandInput): Partial<DescribeDocumentCommandOutput> {
    const found = this.find(input.Name, input.DocumentVersion);
    const latest = this.find(input.Name).version;
    return {
      Document: {
        Name: found.name,
        Hash: found.hash,
        HashType: 'Sha256',
        DocumentVersion: found.version,
        LatestVersion: latest,
        DefaultVersion: latest,
        DocumentType: 'Command',
        DocumentFormat: 'JSON',
        SchemaVersion: found.content.schemaVersion,
        Status: 'Active',
        ...(found.content.description ? { Description: found.content.description } : {}),
        Parameters: Object.entries(found.content.parameters ?? {}).map(([Name, parameter]) => ({
          Name,
          Type: parameter.type,
          ...(parameter.description ? { Description: parameter.description } : {}),
          ...(parameter.default === undefined ? {} : { DefaultValue: String(parameter.default) }),
        })),
        PlatformTypes: ['Linux'],
        TargetType: '/AWS::EC2::Instance',
      },
    };
  }

  #get(input: GetDocumentCommandInput): Partial<GetDocumentCommandOutput> {
    const found = this.find(input.Name, input.DocumentVersion);
    return {
      Name: found.name,
      Content: found.text,
      DocumentVersion: found.version,
      DocumentType: 'Command',
      DocumentFormat: 'JSON',
      Status: 'Active',
    };
  }
}

/** Limit of one document, with the parameters of a run. */
export const MOST_BYTES = 64 * 1024;

export interface DocumentVersion {
  readonly name: string;
  readonly version: string;
  readonly content: CommandDocument;
  readonly text: string;
  /** SHA-256 of the content, in hexadecimal. */
  readonly hash: string;
}

/** A Command document of schema 2.2. */
export interface CommandDocument {
  schemaVersion: string;
  description?: string;
  parameters?: Record<string, DocumentParameter>;
  mainSteps: DocumentStep[];
}

export interface DocumentParameter {
  type: 'String' | 'StringList';
  description?: string;
  default?: string | string[];
  allowedPattern?: string;
  allowedValues?: string[];
  minChars?: number;
  maxChars?: number;
  interpolationType?: string;
}

export interface DocumentStep {
  action: string;
  name: string;
  precondition?: unknown;
  inputs: { runCommand: string[] | string; timeoutSeconds?: string | number; workingDirectory?: string };
}

/** What the service or the agent would choke on; found here, it names the field. */
function checkDocument(name: string, { schemaVersion, parameters = {}, mainSteps }: CommandDocument): void {
  const refuse = (why: string) => new AwsError('InvalidDocumentContent', `${name}: ${why}`);
  if (schemaVersion !== '2.2') throw refuse(`schemaVersion '${schemaVersion}', the lab plays 2.2`);
  const [step, ...more] = mainSteps ?? [];
  if (!step || more.length) throw refuse('the lab plays documents of exactly one step');
  if (!['aws:runShellScript', 'aws:runPowerShellScript'].includes(step.action)) {
    throw refuse(`the lab does not play action '${step.action}'`);
  }
  for (const [key, parameter] of Object.entries(parameters)) {
    // The agent turns any other name into the text "null".
    if (!/^[a-zA-Z0-9]+$/.test(key)) throw refuse(`parameter '${key}' must be of letters and digits`);
    if (!['String', 'StringList'].includes(parameter.type))
      throw refuse(`parameter '${key}' has type ${parameter.type}`);
    if (!isRe2(parameter.allowedPattern ?? '')) throw refuse(`allowedPattern of '${key}' is not RE2`);
  }
}

/** The agent's RE2 knows no look-around, no back-references and no count above 1000: every run would fail. */
const isRe2 = (pattern: string): boolean =>
  !/\(\?[=!<]|\\\d/.test(pattern) &&
  [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].every(
    ([, from, to]) => Math.max(Number(from), Number(to ?? 0)) <= 1_000,
  );
