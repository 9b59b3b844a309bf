import { EC2Client } from '@aws-sdk/client-ec2';
import { S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import { ManualClock } from '../../../lab/aws/clock.ts';
import { startAws } from '../../../lab/aws/server.ts';
import { type InstanceSpec, World, type WorldOptions } from '../../../lab/aws/world.ts';
import type { Agent, AgentStep, StepOutcome } from '../../../lab/ports.ts';
import { MemoryStore } from '../../support/memory-store.ts';

export const INSTANCE = 'i-0000000000000000a';
export const ROOT = 'vol-000000000000000a0';
export const DATA = ['vol-000000000000000a1', 'vol-000000000000000a2'] as const;
const PRINCIPAL = 'arn:aws:iam::111122223333:role/tester';

/** A world with a hand-moved clock behind real sockets, and unmodified SDK clients that reach it. */
export async function lab(options: Partial<WorldOptions> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const world = new World({ store, clock, ...options });
  const server = await startAws(world);
  const config = {
    endpoint: server.endpoint,
    region: world.region,
    credentials: { accessKeyId: world.accessKeyFor(PRINCIPAL), secretAccessKey: 'lab' },
    // A test sees each answer as it comes; retries of the SDK would wait in real time.
    maxAttempts: 1,
  };
  const [ec2, ssm, s3] = [new EC2Client(config), new SSMClient(config), new S3Client(config)];
  return {
    world,
    server,
    clock,
    store,
    ec2,
    ssm,
    s3,
    config,
    async [Symbol.asyncDispose]() {
      for (const client of [ec2, ssm, s3]) client.destroy();
      await server.close();
    },
  };
}

/** An instance with a root volume and two data volumes. */
export const instance = (more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  id: INSTANCE,
  tags: { 'freezeframe:policy': 'nightly' },
  volumes: [
    { id: ROOT, device: '/dev/xvda', sizeGiB: 8 },
    { id: DATA[0], device: '/dev/sdf', sizeGiB: 100, tags: { Name: 'data one', 'aws:owner': 'x' } },
    { id: DATA[1], device: '/dev/sdg', sizeGiB: 100 },
  ],
  ...more,
});

/** An agent whose steps end when the test says so. */
export class HeldAgent implements Agent {
  readonly version = '3.3.2746.0';
  online = true;
  readonly steps: { step: AgentStep; end: (outcome: Partial<StepOutcome>) => void }[] = [];

  run(step: AgentStep): Promise<StepOutcome> {
    return new Promise((resolve) => {
      const end = (outcome: Partial<StepOutcome>) =>
        resolve({ status: 'Success', code: 0, stdout: '', stderr: '', ...outcome });
      this.steps.push({ step, end });
    });
  }

  async cancel(commandId: string): Promise<void> {
    this.steps.find(({ step }) => step.commandId === commandId)?.end({ status: 'Cancelled', code: 137 });
  }
}

/** The name and message of the error that a promise rejects with. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).name;
  }
  return 'no error';
}
