/** SSM: the way to the host, what is known of its agent, and our documents. */
import {
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  type InstanceInformation,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { ask } from './aws-errors.ts';
import type { PinnedDocument } from './contracts.ts';
import { DocumentMissingError } from './errors.ts';
import { USER_TAGS } from './names.ts';
import type { CommandChannel } from './run-command.ts';

/** `attempts`: 1 where an answer that was lost must not lead to a second command. */
export const ssmClient = ({ attempts }: { attempts?: number } = {}): SSMClient =>
  new SSMClient({
    ...(attempts ? { maxAttempts: attempts } : {}),
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 8_000, throwOnRequestTimeout: true },
  });

export const commandChannel = (client: SSMClient): CommandChannel => ({
  send: async ({ document, pinned, instanceId, parameters, comment }, deliveryTimeoutSeconds) => {
    const sent = await ask(`ssm:SendCommand ${document}`, () =>
      client.send(
        new SendCommandCommand({
          DocumentName: document,
          ...(pinned && { DocumentVersion: pinned.version, DocumentHash: pinned.hash, DocumentHashType: 'Sha256' }),
          InstanceIds: [instanceId],
          Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
          TimeoutSeconds: deliveryTimeoutSeconds,
          Comment: comment.slice(0, 100),
        }),
      ),
    );
    return sent.Command?.CommandId ?? '';
  },
  look: async (commandId, instanceId) => {
    try {
      const seen = await ask('ssm:GetCommandInvocation', () =>
        client.send(new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId })),
      );
      return {
        details: seen.StatusDetails ?? seen.Status ?? '',
        code: seen.ResponseCode ?? -1,
        stdout: seen.StandardOutputContent ?? '',
        stderr: seen.StandardErrorContent ?? '',
      };
    } catch (error) {
      if ((error as Error).name === 'InvocationDoesNotExist') return undefined;
      throw error;
    }
  },
});

/**
 * A command with all its steps: GetCommandInvocation tells of one step, and AWS's documents have several. Undefined while
 * the service does not know it yet.
 */
export const commandOf = (client: SSMClient) => async (commandId: string, instanceId: string) => {
  const { CommandInvocations: [seen] = [] } = await ask('ssm:ListCommandInvocations', () =>
    client.send(new ListCommandInvocationsCommand({ CommandId: commandId, InstanceId: instanceId, Details: true })),
  );
  return (
    seen && {
      details: (seen.StatusDetails ?? seen.Status ?? '').replaceAll(' ', ''),
      output: (seen.CommandPlugins ?? []).map(({ Output }) => Output ?? '').join('\n'),
    }
  );
};

export interface Agent {
  version: string;
  /** Can be minutes old. */
  ping: string;
  platform: string;
}

/** The agent as SSM knows it; undefined when it never registered. */
export const agentOf =
  (client: SSMClient) =>
  async (instanceId: string): Promise<Agent | undefined> => {
    const { InstanceInformationList: [agent] = [] } = await ask('ssm:DescribeInstanceInformation', () =>
      client.send(
        new DescribeInstanceInformationCommand({
          Filters: [{ Key: 'InstanceIds', Values: [instanceId] }],
          MaxResults: 5,
        }),
      ),
    );
    return agent && agentIn(agent);
  };

/** All agents that SSM knows, online or not, by their instance. */
export const agents = (client: SSMClient) => async (): Promise<Map<string, Agent>> => {
  const found = new Map<string, Agent>();
  let next: string | undefined;
  do {
    const page = await ask('ssm:DescribeInstanceInformation', () =>
      client.send(new DescribeInstanceInformationCommand({ MaxResults: 50, ...(next && { NextToken: next }) })),
    );
    for (const agent of page.InstanceInformationList ?? []) found.set(agent.InstanceId ?? '', agentIn(agent));
    next = page.NextToken;
  } while (next);
  return found;
};

const agentIn = ({ AgentVersion, PingStatus, PlatformType }: InstanceInformation): Agent => ({
  version: AgentVersion ?? '',
  ping: PingStatus ?? '',
  platform: PlatformType ?? '',
});

/** The version of a document that is the default now, with its hash: the run keeps to it. */
export const pinDocument = (client: SSMClient, now = () => Date.now()) =>
  keptAMinute(now, (name) =>
    orMissing(name, 'deploy Freezeframe here', async (): Promise<PinnedDocument> => {
      const { Document: found } = await ask(`ssm:DescribeDocument ${name}`, () =>
        client.send(new DescribeDocumentCommand({ Name: name })),
      );
      return { version: found?.DocumentVersion ?? '', hash: found?.Hash ?? '' };
    }),
  );

/** A document of the user's own in its default version, as JSON whatever it was written in. */
export const readDocument = (client: SSMClient, now = () => Date.now()) =>
  keptAMinute(now, (name) =>
    orMissing(name, `make it there, or take it out of the tag ${USER_TAGS.hookDocument}`, async () => {
      const found = await ask(`ssm:GetDocument ${name}`, () =>
        client.send(new GetDocumentCommand({ Name: name, DocumentVersion: '$DEFAULT', DocumentFormat: 'JSON' })),
      );
      return {
        version: found.DocumentVersion ?? '',
        type: found.DocumentType ?? '',
        status: found.Status ?? '',
        content: found.Content ?? '',
      };
    }),
  );

/**
 * A fleet would ask three times for each instance. Versions stay when a new one is deployed, and a new deployment of the
 * functions begins with new environments, which know nothing yet.
 */
const keptAMinute = <Found>(now: () => number, find: (name: string) => Promise<Found>) => {
  const known = new Map<string, { found: Promise<Found>; at: number }>();
  return (name: string): Promise<Found> => {
    const kept = known.get(name);
    if (kept && now() - kept.at < 60_000) return kept.found;
    const found = find(name);
    known.set(name, { found, at: now() });
    found.catch(() => known.delete(name));
    return found;
  };
};

const orMissing = async <Found>(name: string, what: string, find: () => Promise<Found>): Promise<Found> => {
  try {
    return await find();
  } catch (error) {
    if ((error as Error).name !== 'InvalidDocument') throw error;
    throw new DocumentMissingError(`the SSM document ${name} is not there in this Region; ${what}`, { cause: error });
  }
};
