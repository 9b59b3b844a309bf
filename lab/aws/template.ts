import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { holds, resolve, type Scope } from './intrinsics.ts';
import type { LambdaFunction } from './lambda.ts';
import type { CommandDocument } from './ssm-documents.ts';

/** A synthesised stack as if it had been deployed: every reference is a name or an ARN, the same one everywhere. */
export function readTemplate(template: object, options: TemplateOptions = {}): Stack {
  return new Reader(template as Template, options).stack();
}

/** Reads the one `*.template.json` in a directory that `cdk synth` wrote, or the one of the stack named. */
export function readAssembly(directory: string, options: TemplateOptions = {}): Stack {
  const suffix = '.template.json';
  const names = readdirSync(directory).filter((name) => name.endsWith(suffix));
  const wanted = options.stackName === undefined ? names : names.filter((name) => name === options.stackName + suffix);
  const [name, ...more] = wanted;
  if (name === undefined || more.length)
    throw new Error(`${directory}: expected one template, found ${names.join(', ')}`);
  const template = JSON.parse(readFileSync(join(directory, name), 'utf8')) as object;
  return readTemplate(template, { stackName: name.slice(0, -suffix.length), assembly: directory, ...options });
}

export interface TemplateOptions {
  readonly account?: string;
  readonly region?: string;
  /** @default Freezeframe */
  readonly stackName?: string;
  /** The directory that `cdk synth` wrote: there lie the Lambda bundles. */
  readonly assembly?: string;
  readonly parameters?: Record<string, string>;
}

/** What the lab deploys. */
export interface Stack {
  readonly account: string;
  readonly region: string;
  readonly stateMachines: StateMachineResource[];
  readonly functions: LambdaFunction[];
  readonly documents: { name: string; content: CommandDocument }[];
  readonly buckets: { name: string }[];
  readonly topics: { name: string; arn: string }[];
  readonly roles: RoleResource[];
  /** Managed policies that the stack offers. */
  readonly managedPolicies: { name: string; document: PolicyDocument }[];
  readonly rules: RuleResource[];
  readonly schedules: { name: string; expression: string; timeZone: string; target: RuleTarget }[];
  readonly alarms: AlarmResource[];
  readonly dashboards: { name: string; body: unknown }[];
  /** A resource's properties, resolved, by logical id. */
  properties(logicalId: string): Record<string, unknown>;
  /** Any value of the template, resolved. */
  resolve(value: unknown): unknown;
}

export interface StateMachineResource {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  readonly roleArn: string;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly definition: Definition;
}

/** A state machine in the Amazon States Language. */
export interface Definition {
  Comment?: string;
  StartAt: string;
  TimeoutSeconds?: number;
  QueryLanguage?: string;
  States: Record<string, StateDefinition>;
}

export type StateDefinition = { Type: string } & Record<string, unknown>;

export interface RoleResource {
  readonly name: string;
  readonly arn: string;
  readonly trust: unknown;
  /** Managed policies attached by ARN: the lab does not know what they allow. */
  readonly managed: string[];
  /** Inline policies and those of `AWS::IAM::Policy` resources. */
  readonly policies: { name: string; document: PolicyDocument }[];
}

export interface PolicyDocument {
  Version: string;
  Statement: Record<string, unknown>[];
}

export interface RuleResource {
  readonly name: string;
  readonly pattern: Record<string, unknown>;
  /** Of a rule that waits for no event, but for its time. */
  readonly schedule: string | undefined;
  readonly enabled: boolean;
  readonly targets: RuleTarget[];
}

/** An alarm on one metric. */
export interface AlarmResource {
  readonly name: string;
  /** Namespace and name: `AWS/States ExecutionsFailed`. */
  readonly metric: string;
  readonly dimensions: Record<string, string>;
  /** It rings above this, when each of so many periods was. */
  readonly threshold: number;
  /** For people. */
  readonly description: string;
  readonly periodSeconds: number;
  readonly periods: number;
}

export interface RuleTarget {
  readonly arn: string;
  readonly roleArn: string | undefined;
  readonly input: string | undefined;
  readonly inputPath: string | undefined;
  readonly transformer: { paths: Record<string, string>; template: string } | undefined;
  readonly deadLetterArn: string | undefined;
}

interface Template {
  Resources?: Record<string, Resource>;
  Parameters?: Record<string, { Default?: unknown }>;
  Conditions?: Record<string, unknown>;
  Mappings?: Record<string, Record<string, Record<string, unknown>>>;
}

interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
  Condition?: string;
}

/** Property that holds a resource's own name, and its ARN by that name. */
const NAMING: Record<string, [property: string, arn: (name: string, place: string) => string]> = {
  'AWS::Lambda::Function': ['FunctionName', (name, place) => `arn:aws:lambda:${place}:function:${name}`],
  'AWS::StepFunctions::StateMachine': [
    'StateMachineName',
    (name, place) => `arn:aws:states:${place}:stateMachine:${name}`,
  ],
  'AWS::SSM::Document': ['Name', (name, place) => `arn:aws:ssm:${place}:document/${name}`],
  'AWS::S3::Bucket': ['BucketName', (name) => `arn:aws:s3:::${name}`],
  'AWS::SNS::Topic': ['TopicName', (name, place) => `arn:aws:sns:${place}:${name}`],
  'AWS::SQS::Queue': ['QueueName', (name, place) => `arn:aws:sqs:${place}:${name}`],
  'AWS::IAM::Role': ['RoleName', (name, place) => `arn:aws:iam::${place.split(':')[1]}:role/${name}`],
  'AWS::Events::Rule': ['Name', (name, place) => `arn:aws:events:${place}:rule/${name}`],
  'AWS::Logs::LogGroup': ['LogGroupName', (name, place) => `arn:aws:logs:${place}:log-group:${name}:*`],
  'AWS::KMS::Key': ['KeyId', (name, place) => `arn:aws:kms:${place}:key/${name}`],
  'AWS::CloudWatch::Alarm': ['AlarmName', (name, place) => `arn:aws:cloudwatch:${place}:alarm:${name}`],
  'AWS::Scheduler::Schedule': ['Name', (name, place) => `arn:aws:scheduler:${place}:schedule/default/${name}`],
};

/** Types whose `Ref` is the ARN and not the name. */
const REF_IS_ARN = new Set(['AWS::StepFunctions::StateMachine', 'AWS::SNS::Topic', 'AWS::Lambda::Version']);

class Reader {
  readonly #template: Template;
  readonly #account: string;
  readonly #region: string;
  readonly #stackName: string;
  readonly #options: TemplateOptions;
  readonly #scope: Scope;

  constructor(template: Template, options: TemplateOptions) {
    this.#template = template;
    this.#options = options;
    this.#account = options.account ?? '111122223333';
    this.#region = options.region ?? 'eu-central-1';
    this.#stackName = options.stackName ?? 'Freezeframe';
    this.#scope = {
      ref: (id) => this.#ref(id),
      attribute: (id, attribute) => this.#attribute(id, attribute),
      condition: (name) => holds(template.Conditions?.[name], this.#scope),
      mapping: (map, top, second) => template.Mappings?.[map]?.[top]?.[second],
    };
  }

  stack(): Stack {
    return {
      account: this.#account,
      region: this.#region,
      stateMachines: this.#all('AWS::StepFunctions::StateMachine').map((id) => this.#stateMachine(id)),
      functions: this.#all('AWS::Lambda::Function').map((id) => this.#function(id)),
      documents: this.#all('AWS::SSM::Document').map((id) => ({
        name: this.#name(id),
        content: parsed(this.#properties(id).Content) as CommandDocument,
      })),
      buckets: this.#all('AWS::S3::Bucket').map((id) => ({ name: this.#name(id) })),
      topics: this.#all('AWS::SNS::Topic').map((id) => ({ name: this.#name(id), arn: this.#arn(id) })),
      roles: this.#all('AWS::IAM::Role').map((id) => this.#role(id)),
      managedPolicies: this.#all('AWS::IAM::ManagedPolicy').map((id) => {
        const { ManagedPolicyName, PolicyDocument: document } = this.#properties(id);
        return { name: String(ManagedPolicyName), document: document as PolicyDocument };
      }),
      rules: this.#all('AWS::Events::Rule').map((id) => this.#rule(id)),
      schedules: this.#all('AWS::Scheduler::Schedule').map((id) => {
        const { ScheduleExpression, ScheduleExpressionTimezone, Target } = this.#properties(id);
        return {
          name: this.#name(id),
          expression: String(ScheduleExpression),
          timeZone: String(ScheduleExpressionTimezone ?? 'UTC'),
          target: target(Target as Record<string, unknown>),
        };
      }),
      alarms: this.#all('AWS::CloudWatch::Alarm').map((id) => alarm(this.#properties(id))),
      dashboards: this.#all('AWS::CloudWatch::Dashboard').map((id) => {
        const { DashboardName, DashboardBody } = this.#properties(id);
        return { name: String(DashboardName), body: parsed(DashboardBody) };
      }),
      properties: (id) => this.#properties(id),
      resolve: (value) => resolve(value, this.#scope),
    };
  }

  #stateMachine(id: string): StateMachineResource {
    const properties = this.#properties(id);
    const substitutions = (properties.DefinitionSubstitutions ?? {}) as Record<string, unknown>;
    const text =
      typeof properties.DefinitionString === 'string'
        ? properties.DefinitionString
        : JSON.stringify(properties.Definition);
    const whole = text.replace(/\$\{([A-Za-z0-9_]+)\}/g, (all, name: string) => String(substitutions[name] ?? all));
    return {
      logicalId: id,
      name: this.#name(id),
      arn: this.#arn(id),
      roleArn: String(properties.RoleArn ?? ''),
      type: properties.StateMachineType === 'EXPRESS' ? 'EXPRESS' : 'STANDARD',
      definition: JSON.parse(whole) as Definition,
    };
  }

  #function(id: string): LambdaFunction {
    const properties = this.#properties(id);
    const { Variables = {} } = (properties.Environment ?? {}) as { Variables?: Record<string, string> };
    const handler = String(properties.Handler);
    return {
      name: this.#name(id),
      arn: this.#arn(id),
      handler,
      bundle: this.#bundle(properties.Code as Record<string, unknown>, handler),
      environment: Object.fromEntries(Object.entries(Variables).map(([key, value]) => [key, String(value)])),
      timeoutSeconds: Number(properties.Timeout ?? 3),
      memoryMB: Number(properties.MemorySize ?? 128),
      retries: this.#retries(this.#name(id)),
      role: String(properties.Role ?? ''),
      logGroup: String((properties.LoggingConfig as { LogGroup?: unknown } | undefined)?.LogGroup ?? ''),
    };
  }

  /** Of an asynchronous invocation. */
  #retries(functionName: string): number {
    const config = this.#all('AWS::Lambda::EventInvokeConfig')
      .map((id) => this.#properties(id))
      .find(({ FunctionName }) => FunctionName === functionName);
    return Number(config?.MaximumRetryAttempts ?? 2);
  }

  /** The module file in the assembly's asset directory; empty where the template alone was given. */
  #bundle(code: Record<string, unknown>, handler: string): string {
    const directory = this.#options.assembly;
    const key = String(code?.S3Key ?? '');
    if (directory === undefined || key === '') return '';
    const asset = join(directory, this.#assetPath(directory, key));
    const file = handler.split('.')[0];
    const found = ['mjs', 'js', 'cjs']
      .map((ending) => join(asset, `${file}.${ending}`))
      .find((path) => existsSync(path));
    if (!found) throw new Error(`template: ${asset} has no ${file}.mjs`);
    return found;
  }

  #assetPath(directory: string, key: string): string {
    for (const name of readdirSync(directory).filter((entry) => entry.endsWith('.assets.json'))) {
      const { files = {} } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
        files?: Record<string, { source: { path?: string }; destinations: Record<string, { objectKey: string }> }>;
      };
      for (const { source, destinations } of Object.values(files)) {
        if (source.path && Object.values(destinations).some(({ objectKey }) => objectKey === key)) return source.path;
      }
    }
    return `asset.${key.replace(/\.zip$/, '')}`;
  }

  #role(id: string): RoleResource {
    const properties = this.#properties(id);
    const name = this.#name(id);
    const attached = this.#all('AWS::IAM::Policy')
      .map((policy) => this.#properties(policy))
      .filter(({ Roles }) => (Roles as string[] | undefined)?.includes(name));
    const policies = [...((properties.Policies ?? []) as Record<string, unknown>[]), ...attached];
    return {
      name,
      arn: this.#arn(id),
      trust: properties.AssumeRolePolicyDocument,
      managed: ((properties.ManagedPolicyArns ?? []) as unknown[]).map(String),
      policies: policies.map(({ PolicyName, PolicyDocument }) => ({
        name: String(PolicyName),
        document: PolicyDocument as PolicyDocument,
      })),
    };
  }

  #rule(id: string): RuleResource {
    const { EventPattern, ScheduleExpression, State, Targets } = this.#properties(id);
    return {
      name: this.#name(id),
      pattern: (parsed(EventPattern) ?? {}) as Record<string, unknown>,
      schedule: ScheduleExpression === undefined ? undefined : String(ScheduleExpression),
      enabled: State !== 'DISABLED',
      targets: ((Targets ?? []) as Record<string, unknown>[]).map(target),
    };
  }

  /** Logical ids of a type whose condition holds. */
  #all(type: string): string[] {
    return Object.entries(this.#template.Resources ?? {})
      .filter(([, resource]) => resource.Type === type)
      .filter(([, { Condition }]) => Condition === undefined || this.#scope.condition(Condition))
      .map(([id]) => id);
  }

  #resource(id: string): Resource {
    const resource = this.#template.Resources?.[id];
    if (!resource) throw new Error(`template: there is no resource or parameter ${id}`);
    return resource;
  }

  #properties(id: string): Record<string, unknown> {
    return resolve(this.#resource(id).Properties ?? {}, this.#scope) as Record<string, unknown>;
  }

  #name(id: string): string {
    const { Type, Properties = {} } = this.#resource(id);
    const [property] = NAMING[Type] ?? ['Name'];
    const own = resolve(Properties[property], this.#scope);
    const name = typeof own === 'string' ? own : `${this.#stackName}-${id}`;
    return typeof own !== 'string' && Type === 'AWS::S3::Bucket' ? name.toLowerCase() : name;
  }

  #arn(id: string): string {
    const { Type } = this.#resource(id);
    const place = `${this.#region}:${this.#account}`;
    if (Type === 'AWS::Lambda::Version' || Type === 'AWS::Lambda::Alias') {
      return `${String(this.#properties(id).FunctionName)}:${this.#properties(id).Name ?? 1}`;
    }
    const arn = NAMING[Type]?.[1];
    if (Type === 'AWS::IAM::Role') {
      const path = String(this.#properties(id).Path ?? '/');
      return `arn:aws:iam::${this.#account}:role${path}${this.#name(id)}`;
    }
    return arn ? arn(this.#name(id), place) : `arn:aws:lab:${place}:${Type}/${this.#name(id)}`;
  }

  #ref(id: string): unknown {
    const pseudo: Record<string, string> = {
      'AWS::AccountId': this.#account,
      'AWS::Region': this.#region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': this.#stackName,
      'AWS::StackId': `arn:aws:cloudformation:${this.#region}:${this.#account}:stack/${this.#stackName}/lab`,
    };
    if (pseudo[id] !== undefined) return pseudo[id];
    const parameter = this.#template.Parameters?.[id];
    if (parameter) return this.#options.parameters?.[id] ?? parameter.Default ?? '';
    const { Type } = this.#resource(id);
    if (Type === 'AWS::SQS::Queue')
      return `https://sqs.${this.#region}.amazonaws.com/${this.#account}/${this.#name(id)}`;
    return REF_IS_ARN.has(Type) ? this.#arn(id) : this.#name(id);
  }

  #attribute(id: string, attribute: string): unknown {
    if (/Arn$/.test(attribute)) return this.#arn(id);
    if (/Name$/.test(attribute) || attribute === 'Id') return this.#name(id);
    return `${this.#name(id)}.${attribute}`;
  }
}

const parsed = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);

const target = (from: Record<string, unknown>): RuleTarget => {
  const transformer = from.InputTransformer as
    | { InputPathsMap?: Record<string, string>; InputTemplate: string }
    | undefined;
  const text = (key: string) => (from[key] === undefined ? undefined : String(from[key]));
  const { Arn: deadLetterArn } = (from.DeadLetterConfig ?? {}) as { Arn?: string };
  return {
    arn: String(from.Arn),
    roleArn: text('RoleArn'),
    input: text('Input'),
    inputPath: text('InputPath'),
    transformer: transformer && { paths: transformer.InputPathsMap ?? {}, template: transformer.InputTemplate },
    deadLetterArn,
  };
};

const alarm = (from: Record<string, unknown>): AlarmResource => ({
  name: String(from.AlarmName),
  metric: `${from.Namespace} ${from.MetricName}`,
  dimensions: Object.fromEntries(
    ((from.Dimensions ?? []) as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]),
  ),
  threshold: Number(from.Threshold),
  description: String(from.AlarmDescription ?? ''),
  periodSeconds: Number(from.Period),
  periods: Number(from.EvaluationPeriods),
});
