import type {
  DescribeExecutionCommandInput,
  DescribeExecutionCommandOutput,
  GetExecutionHistoryCommandInput,
  GetExecutionHistoryCommandOutput,
  ListExecutionsCommandInput,
  ListExecutionsCommandOutput,
  StartExecutionCommandInput,
  StartExecutionCommandOutput,
  StopExecutionCommandInput,
  StopExecutionCommandOutput,
} from '@aws-sdk/client-sfn';
import { page } from './ec2-filters.ts';
import { AwsError } from './errors.ts';
import type { Execution } from './execution.ts';
import { historyAsTold } from './execution-history.ts';
import { machineOperations } from './states-machines.ts';
import type { StepFunctions } from './step-functions.ts';
import type { Operations } from './world.ts';

/** The part of the Step Functions API that a desk or a Lambda uses. */
export function statesOperations(engine: StepFunctions): Operations {
  const find = (arn: string | undefined): Execution => {
    const found = engine.find(arn ?? '');
    if (!found) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return found;
  };
  return {
    ...machineOperations(engine),
    StartExecution: (input: StartExecutionCommandInput): Partial<StartExecutionCommandOutput> => {
      const value = parsed(input.input ?? '{}');
      const execution = engine.start(input.stateMachineArn ?? '', value, input.name);
      return { executionArn: execution.arn, startDate: new Date(execution.startedAt) };
    },
    DescribeExecution: (input: DescribeExecutionCommandInput): Partial<DescribeExecutionCommandOutput> => {
      const execution = find(input.executionArn);
      return {
        ...summary(execution),
        input: JSON.stringify(execution.input),
        ...(execution.status === 'SUCCEEDED' ? { output: JSON.stringify(execution.output) } : {}),
        ...(execution.error === undefined ? {} : { error: execution.error }),
        ...(execution.cause === undefined ? {} : { cause: execution.cause }),
      };
    },
    StopExecution: async (input: StopExecutionCommandInput): Promise<Partial<StopExecutionCommandOutput>> => {
      const execution = find(input.executionArn);
      execution.stop(input.error, input.cause);
      await execution.ended;
      return { stopDate: new Date(execution.stoppedAt ?? 0) };
    },
    GetExecutionHistory: (input: GetExecutionHistoryCommandInput): Partial<GetExecutionHistoryCommandOutput> => {
      const events = historyAsTold(find(input.executionArn), input.includeExecutionData ?? true);
      const ordered = input.reverseOrder ? events.reverse() : events;
      const { items, NextToken } = page(ordered, input.maxResults ?? 100, input.nextToken);
      return { events: items, ...(NextToken ? { nextToken: NextToken } : {}) };
    },
    ListExecutions: (input: ListExecutionsCommandInput): Partial<ListExecutionsCommandOutput> => {
      const machine = engine.machine(input.stateMachineArn ?? '');
      const found = engine.executions
        .filter(
          (execution) => execution.machine === machine && execution.status === (input.statusFilter ?? execution.status),
        )
        .reverse();
      const { items, NextToken } = page(found, input.maxResults ?? 100, input.nextToken);
      return { executions: items.map(summary), ...(NextToken ? { nextToken: NextToken } : {}) };
    },
  };
}

const summary = (execution: Execution) => ({
  executionArn: execution.arn,
  stateMachineArn: execution.machine.arn,
  name: execution.name,
  status: execution.status,
  startDate: new Date(execution.startedAt),
  ...(execution.stoppedAt === undefined ? {} : { stopDate: new Date(execution.stoppedAt) }),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AwsError('InvalidExecutionInput', 'Invalid State Machine Execution Input: it is no JSON');
  }
}
