/** Step Functions: executions, what they have been through, and starting the rescue. */
import {
  DescribeExecutionCommand,
  type ExecutionStatus,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
  type HistoryEvent as ToldEvent,
} from '@aws-sdk/client-sfn';
import { ask } from './aws-errors.ts';
import type { HistoryEvent } from './owed-thaw.ts';

export const sfnClient = (): SFNClient =>
  new SFNClient({
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });

export interface ListedExecution {
  arn: string;
  name: string;
  startedAt: number;
  stoppedAt: number | undefined;
}

/** From the latest start on, back to those that started before `since`. */
export const executionsOf =
  (client: SFNClient) =>
  async (stateMachineArn: string, statusFilter: ExecutionStatus, since: number): Promise<ListedExecution[]> => {
    const found: ListedExecution[] = [];
    let nextToken: string | undefined;
    do {
      const page = await ask('states:ListExecutions', () =>
        client.send(
          new ListExecutionsCommand({
            stateMachineArn,
            statusFilter,
            maxResults: 1_000,
            ...(nextToken && { nextToken }),
          }),
        ),
      );
      for (const { executionArn = '', name = '', startDate, stopDate } of page.executions ?? []) {
        found.push({ arn: executionArn, name, startedAt: startDate?.getTime() ?? 0, stoppedAt: stopDate?.getTime() });
      }
      nextToken = page.nextToken;
    } while (nextToken && (found.at(-1)?.startedAt ?? 0) >= since);
    return found.filter(({ startedAt }) => startedAt >= since);
  };

/** What an execution went through, from its start on, without the states' data. */
export const historyOf = (client: SFNClient) =>
  async function* (executionArn: string): AsyncGenerator<HistoryEvent> {
    let nextToken: string | undefined;
    do {
      const page = await ask('states:GetExecutionHistory', () =>
        client.send(
          new GetExecutionHistoryCommand({
            executionArn,
            includeExecutionData: false,
            maxResults: 200,
            ...(nextToken && { nextToken }),
          }),
        ),
      );
      for (const event of page.events ?? []) {
        const state = event.stateEnteredEventDetails?.name ?? event.stateExitedEventDetails?.name ?? '';
        const error = errorIn(event);
        yield {
          type: event.type ?? '',
          state,
          at: event.timestamp?.getTime() ?? 0,
          ...(error !== undefined && { error }),
        };
      }
      nextToken = page.nextToken;
    } while (nextToken);
  };

const errorIn = (event: ToldEvent): string | undefined =>
  event.lambdaFunctionFailedEventDetails?.error ??
  event.lambdaFunctionTimedOutEventDetails?.error ??
  event.taskFailedEventDetails?.error ??
  event.taskTimedOutEventDetails?.error;

/** RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; undefined when there is no such execution. */
export const statusOf =
  (client: SFNClient) =>
  async (executionArn: string): Promise<ExecutionStatus | undefined> => {
    try {
      const { status } = await ask('states:DescribeExecution', () =>
        client.send(new DescribeExecutionCommand({ executionArn, includedData: 'METADATA_ONLY' })),
      );
      return status;
    } catch (error) {
      if ((error as Error).name === 'ExecutionDoesNotExist') return undefined;
      throw error;
    }
  };

/** The input that an execution was started with. */
export const inputOf =
  (client: SFNClient) =>
  async (executionArn: string): Promise<string> => {
    const { events = [] } = await ask('states:GetExecutionHistory', () =>
      client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1 })),
    );
    return events[0]?.executionStartedEventDetails?.input ?? '';
  };

/** False when an execution of that name was there already. */
export const startOnce =
  (client: SFNClient) =>
  async (stateMachineArn: string, name: string, input: object): Promise<boolean> => {
    try {
      await ask('states:StartExecution', () =>
        client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) })),
      );
      return true;
    } catch (error) {
      if ((error as Error).name === 'ExecutionAlreadyExists') return false;
      throw error;
    }
  };
