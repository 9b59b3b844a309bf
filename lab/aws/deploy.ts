import { FastClock } from './clock.ts';
import { Lambdas } from './lambda.ts';
import { type AwsServer, startAws } from './server.ts';
import { StepFunctions, type StepFunctionsOptions } from './step-functions.ts';
import type { Stack } from './template.ts';
import type { World } from './world.ts';

/** Puts a synthesised stack into a world and starts everything that runs it. */
export async function deploy(stack: Stack, world: World, options: DeployOptions = {}): Promise<Deployment> {
  for (const { name, content } of stack.documents) world.ssm.documents.put(name, content);
  for (const { name } of stack.buckets) world.s3.addBucket(name);
  const server = await startAws(world);
  const fast = world.clock instanceof FastClock ? world.clock : undefined;
  const scale = fast ? 1 / fast.speed : 1;
  const lambdas = new Lambdas({
    environment: ({ role }) => server.environment(role),
    timeScale: options.lambdaTimeScale ?? scale,
    ...(fast && { time: { origin: fast.origin, speed: fast.speed } }),
  });
  for (const spec of stack.functions) lambdas.add(spec);
  const stepFunctions = new StepFunctions({
    timeScale: scale,
    timeoutScale: scale,
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
  /** Multiplies the timeouts of the functions. @default 1, or what the world's clock says; so are the other scales */
  readonly lambdaTimeScale?: number;
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
