import { randomUUID } from 'node:crypto';
import type {
  CancelCommandCommandInput,
  Command,
  CommandInvocation,
  DescribeInstanceInformationCommandInput,
  DescribeInstanceInformationCommandOutput,
  GetCommandInvocationCommandInput,
  GetCommandInvocationCommandOutput,
  ListCommandInvocationsCommandInput,
  ListCommandInvocationsCommandOutput,
  SendCommandCommandInput,
  SendCommandResult,
} from '@aws-sdk/client-ssm';
import type { AgentStep } from '../ports.ts';
import { page } from './ec2-filters.ts';
import type { Instance } from './ec2-instance.ts';
import { AwsError } from './errors.ts';
import { Delivery, type Invocation } from './ssm-delivery.ts';
import { Documents } from './ssm-documents.ts';
import { boundParameters, script, stepTimeoutSeconds } from './ssm-parameters.ts';
import type { Operations, World } from './world.ts';

/** Run Command, and what Systems Manager knows of the instances. */
export class Ssm {
  readonly documents = new Documents();
  /** Every invocation ever, in the order of sending. */
  readonly invocations: Invocation[] = [];
  readonly operations: Operations;
  readonly #byId = new Map<string, Invocation>();
  readonly #world: World;
  readonly #delivery: Delivery;

  constructor(world: World) {
    this.#world = world;
    this.#delivery = new Delivery(world);
    this.operations = {
      ...this.documents.operations,
      DescribeInstanceInformation: (input) => this.#describeInstances(input),
      SendCommand: (input) => this.#send(input),
      GetCommandInvocation: (input) => this.#get(input),
      ListCommandInvocations: (input) => this.#list(input),
      CancelCommand: (input) => this.#cancel(input),
    };
  }

  #send(input: SendCommandCommandInput): SendCommandResult {
    checkSend(input);
    const document = this.documents.find(input.DocumentName, input.DocumentVersion);
    if (input.DocumentHash !== undefined && input.DocumentHash.toLowerCase() !== document.hash) {
      throw new AwsError('InvalidDocument', `The hash of ${document.name} version ${document.version} is another one`);
    }
    const values = boundParameters(document, input.Parameters);
    const instanceIds = input.InstanceIds ?? [];
    for (const id of instanceIds) this.#managed(id);
    const commandId = randomUUID();
    const sentAt = this.#world.clock.now();
    const deliverySeconds = input.TimeoutSeconds ?? 3600;
    for (const instanceId of instanceIds) {
      const invocation: Invocation = {
        commandId,
        instanceId,
        document: { name: document.name, version: document.version },
        pluginName: document.content.mainSteps[0]?.name ?? '',
        comment: input.Comment ?? '',
        sentAt,
        visibleAt: sentAt + this.#world.latency.invocationVisibleMs,
        deliverySeconds,
        status: 'Pending',
        details: 'Pending',
        code: -1,
        stdout: '',
        stderr: '',
        startedAt: undefined,
        endedAt: undefined,
        running: false,
        cancelled: false,
      };
      this.invocations.push(invocation);
      this.#byId.set(`${commandId} ${instanceId}`, invocation);
      const step: AgentStep = {
        commandId,
        document: document.name,
        parameters: values,
        script: script(document.content, values),
        timeoutSeconds: stepTimeoutSeconds(document.content, values),
      };
      void this.#delivery.run(invocation, step).catch((error: Error) => {
        // The emulated agent itself broke: shown as the real one's worker dying is, and never in silence.
        invocation.status = 'Failed';
        invocation.details = 'Failed';
        invocation.code = 1;
        invocation.stderr = `document process failed unexpectedly: ${error.stack ?? error.message}`;
      });
    }
    return {
      Command: {
        CommandId: commandId,
        DocumentName: document.name,
        DocumentVersion: document.version,
        Comment: input.Comment ?? '',
        InstanceIds: instanceIds,
        ...(input.Parameters ? { Parameters: input.Parameters } : {}),
        RequestedDateTime: new Date(sentAt),
        ExpiresAfter: new Date(sentAt + deliverySeconds * 1000),
        TimeoutSeconds: deliverySeconds,
        Status: 'Pending',
        StatusDetails: 'Pending',
        TargetCount: instanceIds.length,
      } satisfies Command,
    };
  }

  #get(input: GetCommandInvocationCommandInput): Partial<GetCommandInvocationCommandOutput> {
    const invocation = this.#byId.get(`${input.CommandId} ${input.InstanceId}`);
    if (!invocation || invocation.visibleAt > this.#world.clock.now()) throw new AwsError('InvocationDoesNotExist', '');
    if (input.PluginName !== undefined && input.PluginName !== invocation.pluginName) {
      throw new AwsError('InvalidPluginName', `The document has no step ${input.PluginName}`);
    }
    const { startedAt, endedAt } = invocation;
    return {
      CommandId: invocation.commandId,
      InstanceId: invocation.instanceId,
      Comment: invocation.comment,
      DocumentName: invocation.document.name,
      DocumentVersion: invocation.document.version,
      PluginName: invocation.pluginName,
      ResponseCode: invocation.code,
      ExecutionStartDateTime: startedAt === undefined ? '' : new Date(startedAt).toISOString(),
      ExecutionEndDateTime: ended(invocation) && endedAt !== undefined ? new Date(endedAt).toISOString() : '',
      ExecutionElapsedTime: elapsed(invocation),
      Status: invocation.status,
      StatusDetails: invocation.details,
      StandardOutputContent: invocation.stdout.slice(0, 24_000),
      StandardOutputUrl: '',
      StandardErrorContent: invocation.stderr.slice(0, 8_000),
      StandardErrorUrl: '',
      CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
    };
  }

  #list(input: ListCommandInvocationsCommandInput): Partial<ListCommandInvocationsCommandOutput> {
    const found = this.#visible().filter(
      ({ commandId, instanceId, status }) =>
        commandId === (input.CommandId ?? commandId) &&
        instanceId === (input.InstanceId ?? instanceId) &&
        (input.Filters ?? []).every(({ key, value }) => {
          if (key === 'Status') return status === value;
          throw new AwsError('InvalidFilterKey', `The lab does not play the filter ${key}`);
        }),
    );
    const { items, ...next } = page(found, input.MaxResults ?? 50, input.NextToken);
    return { ...next, CommandInvocations: items.map((invocation) => listed(invocation, input.Details ?? false)) };
  }

  async #cancel(input: CancelCommandCommandInput): Promise<object> {
    const invocations = this.invocations.filter(
      ({ commandId, instanceId }) => commandId === input.CommandId && (input.InstanceIds?.includes(instanceId) ?? true),
    );
    if (invocations.length === 0) throw new AwsError('InvalidCommandId', `There is no command ${input.CommandId}`);
    for (const invocation of invocations) {
      if (ended(invocation)) continue;
      const undelivered = invocation.status === 'Pending';
      invocation.cancelled = true;
      if (undelivered) {
        invocation.status = 'Cancelled';
        invocation.details = 'Cancelled';
      } else if (invocation.running) {
        await this.#world.ec2.instances.get(invocation.instanceId)?.agent?.cancel(invocation.commandId);
      }
    }
    return {};
  }

  #describeInstances(
    input: DescribeInstanceInformationCommandInput,
  ): Partial<DescribeInstanceInformationCommandOutput> {
    const filters = [
      ...(input.Filters ?? []).map(({ Key, Values }) => ({ key: Key, values: Values })),
      ...(input.InstanceInformationFilterList ?? []).map(({ key, valueSet }) => ({ key, values: valueSet })),
    ];
    const { instances } = this.#world.ec2;
    const named = filters.find(({ key }) => key === 'InstanceIds')?.values?.map((id) => instances.get(id));
    const managed = (named ?? [...instances.values()]).filter(
      (instance) => instance?.agent !== undefined,
    ) as Instance[];
    const found = managed.filter((instance) =>
      filters.every(({ key, values }) => {
        const value = information(instance, key ?? '');
        return values?.includes(value);
      }),
    );
    if (input.MaxResults !== undefined && (input.MaxResults < 5 || input.MaxResults > 50)) {
      throw new AwsError('ValidationException', `MaxResults ${input.MaxResults} is not between 5 and 50`);
    }
    const { items, ...next } = page(found, input.MaxResults ?? 10, input.NextToken);
    return {
      ...next,
      InstanceInformationList: items.map((instance) => ({
        InstanceId: instance.id,
        PingStatus: pingStatus(instance),
        LastPingDateTime: new Date(this.#world.clock.now()),
        AgentVersion: instance.agent?.version ?? '',
        IsLatestVersion: false,
        PlatformType: instance.platform ? 'Windows' : 'Linux',
        PlatformName: instance.platform ? 'Microsoft Windows Server' : 'Amazon Linux',
        ResourceType: 'EC2Instance',
        ComputerName: instance.id,
      })),
    };
  }

  #managed(id: string): Instance {
    const instance = this.#world.ec2.instances.get(id);
    if (!instance?.agent || instance.state !== 'running') {
      throw new AwsError(
        'InvalidInstanceId',
        `Instances [[${id}]] not in a valid state for account ${this.#world.account}`,
      );
    }
    return instance;
  }

  #visible(): Invocation[] {
    const now = this.#world.clock.now();
    return this.invocations.filter(({ visibleAt }) => visibleAt <= now);
  }
}

/** Limits that are in the service's model, but not in the SDK's schemas. */
function checkSend(input: SendCommandCommandInput): void {
  const refuse = (why: string) => new AwsError('ValidationException', `1 validation error detected: ${why}`);
  const { DocumentName = '', InstanceIds = [], TimeoutSeconds = 3600, Comment = '' } = input;
  if (!/^[a-zA-Z0-9_\-.:/]{3,128}$/.test(DocumentName)) throw refuse(`DocumentName '${DocumentName}' is malformed`);
  if (InstanceIds.length > 50) throw refuse(`InstanceIds has ${InstanceIds.length} members, at most 50 are allowed`);
  if (TimeoutSeconds < 30 || TimeoutSeconds > 2_592_000) throw refuse('TimeoutSeconds must lie in 30..2592000');
  if (Comment.length > 100) throw refuse('Comment is longer than 100 characters');
  if (input.Targets?.length) throw refuse('the lab plays InstanceIds only, not Targets');
  if (InstanceIds.length === 0) throw new AwsError('InvalidInstanceId', 'No instance was named');
  if (new Set(InstanceIds).size < InstanceIds.length)
    throw new AwsError('DuplicateInstanceId', 'An instance is named twice');
  if (input.DocumentHashType !== undefined && input.DocumentHashType !== 'Sha256') {
    throw new AwsError('ValidationException', `The lab plays Sha256, not ${input.DocumentHashType}`);
  }
}

function information(instance: Instance, key: string): string {
  switch (key) {
    case 'InstanceIds':
      return instance.id;
    case 'PingStatus':
      return pingStatus(instance);
    case 'AgentVersion':
      return instance.agent?.version ?? '';
    case 'PlatformTypes':
      return instance.platform ? 'Windows' : 'Linux';
    default:
      throw new AwsError('InvalidFilterKey', `The lab does not play the filter ${key}`);
  }
}

const pingStatus = (instance: Instance) =>
  instance.state === 'running' && instance.agent?.online ? ('Online' as const) : ('ConnectionLost' as const);

const ended = ({ status }: Invocation) => status !== 'Pending' && status !== 'InProgress';

function elapsed(invocation: Invocation): string {
  if (!ended(invocation) || invocation.startedAt === undefined || invocation.endedAt === undefined) return '';
  return `PT${((invocation.endedAt - invocation.startedAt) / 1000).toFixed(3)}S`;
}

const listed = (invocation: Invocation, details: boolean): CommandInvocation => ({
  CommandId: invocation.commandId,
  InstanceId: invocation.instanceId,
  Comment: invocation.comment,
  DocumentName: invocation.document.name,
  DocumentVersion: invocation.document.version,
  RequestedDateTime: new Date(invocation.sentAt),
  Status: invocation.status,
  StatusDetails: invocation.details,
  CommandPlugins: details
    ? [
        {
          Name: invocation.pluginName,
          Status: invocation.status,
          StatusDetails: invocation.details,
          ResponseCode: invocation.code,
          // A list brings only the head of a step's output.
          Output: invocation.stdout.slice(0, 2_500),
        },
      ]
    : [],
});
