import { answerInProcess, inProcessEnvironments } from './in-process.ts';
import { Lambdas } from './lambda.ts';
import { type AwsServer, startAws } from './server.ts';
import { StepFunctions, type StepFunctionsOptions } from './step-functions.ts';
import type { Stack } from './template.ts';
import type { World } from './world.ts';

/** Puts a synthesised stack into a world and starts everything that runs it. */
export async function deploy(stack: Stack, world: World, options: DeployOptions = {}): Promise<Deployment> {
  for (const { name, content } of stack.documents) world.ssm.documents.put(name, content);
  for (const { name } of stack.buckets) world.s3.addBucket(name);
  const { inProcess } = options;
  const server = inProcess ? answerInProcess(world, inProcess.requestMs) : await startAws(world);
  const lambdas = new Lambdas({
    environment: ({ role }) => server.environment(role),
    ...(options.lambdaTimeScale !== undefined && { timeScale: options.lambdaTimeScale }),
    ...(inProcess && { start: inProcessEnvironments(), computeMs: inProcess.computeMs }),
  });
  for (const spec of stack.functions) lambdas.add(spec);
  const stepFunctions = new StepFunctions({
    ...options,
    clock: world.clock,
    stack,
    lambdas,
    sdkConfig: (roleArn) => ({
      endpoint: server.endpoint,
      region: world.region,
      credentials: { accessKeyId: world.accessKeyFor(roleArn), secretAccessKey: 'lab' },
    }),
  });
  world.register('states', stepFunctions.operations);
  return {
    stack,
    world,
    server,
    lambdas,
    stepFunctions,
    async close() {
      stepFunctions.close();
      await stepFunctions.idle();
      await lambdas.close();
      await server.close();
    },
  };
}

export interface DeployOptions extends Pick<StepFunctionsOptions, 'timeScale' | 'timeoutScale' | 'integrations'> {
  /** Multiplies the timeouts of the functions. @default 1 */
  readonly lambdaTimeScale?: number;
  /** No sockets and no threads: what virtual time needs. Milliseconds are drawn anew at every use. */
  readonly inProcess?: {
    /** On the way of every request. */
    readonly requestMs: () => number;
    /** Of an invocation, beside its waiting. */
    readonly computeMs: () => number;
  };
}

export interface Deployment {
  readonly stack: Stack;
  readonly world: World;
  readonly server: AwsServer;
  readonly lambdas: Lambdas;
  readonly stepFunctions: StepFunctions;
  /** Stops every execution and closes everything. */
  close(): Promise<void>;
}
