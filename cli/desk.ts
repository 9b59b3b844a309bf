/** The desk's way to AWS: the clients, and what is deployed. The SDK's own chain finds credentials and Region. */
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  ListStateMachinesCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { ask } from '../lambdas/shared/aws-errors.ts';
import { type Clock, systemClock } from '../lambdas/shared/clock.ts';
import { ec2Client } from '../lambdas/shared/ec2.ts';
import { s3Client } from '../lambdas/shared/s3.ts';
import { sfnClient } from '../lambdas/shared/sfn.ts';
import { ssmClient } from '../lambdas/shared/ssm.ts';
import type { Definition } from './deployment.ts';
import { NotDeployedError, UsageError } from './failures.ts';

export interface Desk {
  readonly clock: Clock;
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;
  readonly sfn: SFNClient;
  readonly s3: S3Client;
  region(): Promise<string>;
  /** ARNs of the state machines that are there, by name. */
  machines(): Promise<ReadonlyMap<string, string>>;
  /** ARN of a state machine. */
  machine(name: string): Promise<string>;
  /** What is deployed as a state machine: the plan's policies stand in it. */
  definition(name: string): Promise<Definition>;
  /** Starts an execution and answers its ARN; the same name with the same input is the same execution. */
  start(machine: string, name: string, input: object): Promise<string>;
  describe(executionArn: string): Promise<Described>;
}

/** An execution as Step Functions describes it. */
export interface Described {
  name: string;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE';
  startedAt: number;
  stoppedAt: number | undefined;
  input: unknown;
  output: unknown;
  error: string | undefined;
  cause: string | undefined;
}

export const openDesk = (clock: Clock = systemClock): Desk => {
  const [ec2, ssm, sfn, s3] = [ec2Client(), ssmClient(), sfnClient(), s3Client()];
  const definitions = new Map<string, Promise<Definition>>();
  let known: Promise<ReadonlyMap<string, string>> | undefined;

  const machines = () => {
    known ??= listMachines(sfn);
    return known;
  };
  const region = async () => await ec2.config.region();
  const machine = async (name: string) => {
    const arn = (await machines()).get(name);
    if (arn) return arn;
    throw new NotDeployedError(
      `there is no state machine ${name} in ${await region()}: deploy Freezeframe here (npx cdk deploy), or give the --region and --profile where it is`,
    );
  };
  const definition = (name: string) => {
    const before = definitions.get(name);
    if (before) return before;
    const asked = machine(name).then((arn) => describeMachine(sfn, arn));
    definitions.set(name, asked);
    return asked;
  };
  return {
    clock,
    ec2,
    ssm,
    sfn,
    s3,
    region,
    machines,
    machine,
    definition,
    start: async (name, execution, input) => start(sfn, await machine(name), execution, input),
    describe: (arn) => describe(sfn, arn),
  };
};

/** All pages: an account may have ten thousand. */
const listMachines = async (sfn: SFNClient): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>();
  let nextToken: string | undefined;
  do {
    const page = await ask('states:ListStateMachines', () =>
      sfn.send(new ListStateMachinesCommand({ maxResults: 1_000, ...(nextToken && { nextToken }) })),
    );
    for (const { name = '', stateMachineArn = '' } of page.stateMachines ?? []) found.set(name, stateMachineArn);
    nextToken = page.nextToken;
  } while (nextToken);
  return found;
};

const describeMachine = async (sfn: SFNClient, stateMachineArn: string): Promise<Definition> => {
  const { definition = '{}' } = await ask('states:DescribeStateMachine', () =>
    sfn.send(new DescribeStateMachineCommand({ stateMachineArn })),
  );
  return JSON.parse(definition);
};

const start = async (sfn: SFNClient, stateMachineArn: string, name: string, input: object): Promise<string> => {
  try {
    const { executionArn = '' } = await ask('states:StartExecution', () =>
      sfn.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) })),
    );
    return executionArn;
  } catch (error) {
    if ((error as Error).name !== 'ExecutionAlreadyExists') throw error;
    throw new UsageError(`there was an execution ${name} already; wait a second, or give another --name`);
  }
};

const describe = async (sfn: SFNClient, executionArn: string): Promise<Described> => {
  const {
    name = '',
    status = 'RUNNING',
    startDate,
    stopDate,
    input,
    output,
    error,
    cause,
  } = await ask('states:DescribeExecution', () => sfn.send(new DescribeExecutionCommand({ executionArn })));
  return {
    name,
    status,
    startedAt: startDate?.getTime() ?? 0,
    stoppedAt: stopDate?.getTime(),
    input: JSON.parse(input ?? 'null'),
    output: JSON.parse(output ?? 'null'),
    error,
    cause,
  };
};

/** Where a person sees an execution. */
export const consoleLink = (executionArn: string): string => {
  const [, partition = 'aws', , region = ''] = executionArn.split(':');
  const host = CONSOLES[partition] ?? 'console.aws.amazon.com';
  return `https://${region}.${host}/states/home?region=${region}#/v2/executions/details/${executionArn}`;
};

const CONSOLES: Readonly<Record<string, string>> = {
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
};
