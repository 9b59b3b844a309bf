/** The template of the app as it ships, with every reference resolved. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemblyOf } from '../../lab/assembly.ts';
import { BACKUP, THAW_RESCUE } from '../../lambdas/shared/names.ts';

/** A place to live in for names that only a deployment knows. */
export const ACCOUNT = '123456789012';
export const REGION = 'eu-central-1';

export interface Synthesised {
  readonly resources: Readonly<Record<string, Resource>>;
  /** The definition of the Backup state machine, every reference resolved. */
  readonly definition: StateMachineDefinition;
  /** The definition of the rescue. */
  readonly rescue: StateMachineDefinition;
  /** Puts names where the template has references. */
  readonly resolve: (value: unknown) => unknown;
}

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a CloudFormation resource is whatever its type says
  readonly Properties: Readonly<Record<string, any>>;
}

export interface StateMachineDefinition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

export interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: ReadonlyArray<{ readonly Next: string }>;
  readonly Catch?: ReadonlyArray<{
    readonly ErrorEquals: readonly string[];
    readonly Next: string;
    readonly ResultPath: string;
  }>;
  readonly Retry?: readonly Retry[];
  readonly TimeoutSeconds?: number;
  readonly Resource?: string;
  readonly ResultPath?: string | null;
  readonly Parameters?: Readonly<Record<string, unknown>>;
}

export interface Retry {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds: number;
  readonly BackoffRate: number;
  readonly MaxAttempts: number;
  readonly MaxDelaySeconds?: number;
}

let known: Synthesised | undefined;

export async function synth(): Promise<Synthesised> {
  known ??= await synthOnce();
  return known;
}

/** The resources of the template that another plan makes, by default the repository's own. */
export async function resourcesOf(plan?: object): Promise<Readonly<Record<string, Resource>>> {
  const assembly = await assemblyOf(plan);
  const [template = ''] = globSync('*.template.json', { cwd: assembly });
  return JSON.parse(readFileSync(join(assembly, template), 'utf8')).Resources;
}

/** Of another plan. */
export async function synthOf(plan: object): Promise<Synthesised> {
  return await synthOnce(plan);
}

async function synthOnce(plan?: object): Promise<Synthesised> {
  const resources = await resourcesOf(plan);
  const resolve = resolver(resources);
  const definitionOf = (name: string) =>
    JSON.parse(String(resolve(stateMachine(resources, name).Properties.DefinitionString)));
  return { resources, definition: definitionOf(BACKUP), rescue: definitionOf(THAW_RESCUE), resolve };
}

/** A state machine of the template by its name. */
export function stateMachine(resources: Readonly<Record<string, Resource>>, name: string): Resource {
  const found = Object.values(resources).find(({ Properties }) => Properties?.StateMachineName === name);
  if (!found) throw new Error(`the template has no state machine ${name}`);
  return found;
}

function resolver(resources: Readonly<Record<string, Resource>>): (value: unknown) => unknown {
  const pseudo: Record<string, string> = {
    'AWS::Partition': 'aws',
    'AWS::Region': REGION,
    'AWS::AccountId': ACCOUNT,
    'AWS::URLSuffix': 'amazonaws.com',
  };
  const nameOf = (id: string): string => pseudo[id] ?? physicalName(resources[id]) ?? id;
  /** A reference to a state machine is its ARN. */
  const refOf = (id: string): string =>
    resources[id]?.Type === 'AWS::StepFunctions::StateMachine'
      ? arnOf(id, nameOf(id), resources[id]?.Type)
      : nameOf(id);
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    if ('Ref' in value) return refOf(String(value.Ref));
    if ('Fn::GetAtt' in value) {
      const [id, attribute] = value['Fn::GetAtt'] as [string, string];
      if (attribute === 'Name') return nameOf(id);
      return attribute === 'Arn' ? arnOf(id, nameOf(id), resources[id]?.Type) : `${id}.${attribute}`;
    }
    if ('Fn::Join' in value) {
      const [delimiter, parts] = value['Fn::Join'] as [string, unknown[]];
      return parts.map(resolve).join(delimiter);
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolve(member)]));
  };
  return resolve;
}

const physicalName = (resource: Resource | undefined): string | undefined => {
  const { Name, StateMachineName, BucketName } = resource?.Properties ?? {};
  return [Name, StateMachineName, BucketName].find((name) => typeof name === 'string');
};

function arnOf(id: string, name: string, type: string | undefined): string {
  switch (type) {
    case 'AWS::S3::Bucket':
      return `arn:aws:s3:::${name.toLowerCase()}`;
    case 'AWS::Lambda::Function':
      return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
    case 'AWS::Logs::LogGroup':
      return `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}:*`;
    case 'AWS::StepFunctions::StateMachine':
      return `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`;
    case 'AWS::SQS::Queue':
      return `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
    case 'AWS::Events::Rule':
      return `arn:aws:events:${REGION}:${ACCOUNT}:rule/${name}`;
    case 'AWS::IAM::InstanceProfile':
      return `arn:aws:iam::${ACCOUNT}:instance-profile/${name}`;
    case 'AWS::IAM::Role':
      return `arn:aws:iam::${ACCOUNT}:role/${name}`;
    default:
      throw new Error(`no ARN known for ${id} of type ${type}`);
  }
}
