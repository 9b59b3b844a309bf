import type {
  DescribeStateMachineCommandInput,
  DescribeStateMachineCommandOutput,
  ListStateMachinesCommandInput,
  ListStateMachinesCommandOutput,
} from '@aws-sdk/client-sfn';
import { page } from './ec2-filters.ts';
import type { StepFunctions } from './step-functions.ts';
import type { StateMachineResource } from './template.ts';
import type { Operations } from './world.ts';

/** Which state machines there are, and what each of them is. */
export function machineOperations(engine: StepFunctions): Operations {
  return {
    ListStateMachines: (input: ListStateMachinesCommandInput): Partial<ListStateMachinesCommandOutput> => {
      const { items, NextToken } = page(engine.machines, input.maxResults ?? 100, input.nextToken);
      return { stateMachines: items.map(summary), ...(NextToken ? { nextToken: NextToken } : {}) };
    },
    DescribeStateMachine: (input: DescribeStateMachineCommandInput): Partial<DescribeStateMachineCommandOutput> => {
      const machine = engine.machine(input.stateMachineArn ?? '');
      return {
        ...summary(machine),
        status: 'ACTIVE',
        roleArn: machine.roleArn,
        definition: JSON.stringify(machine.definition),
      };
    },
  };
}

const summary = ({ name, arn, type }: StateMachineResource) => ({
  stateMachineArn: arn,
  name,
  type,
  creationDate: new Date(0),
});
