import { AGENT_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { Ready, WaitForAgentInput } from '../shared/drill-contracts.ts';
import { LaunchFailedError, ScratchSilentError } from '../shared/errors.ts';

export interface World {
  instance(instanceId: string): Promise<{ state: string } | undefined>;
  agent(instanceId: string): Promise<{ ping: string } | undefined>;
}

const LOOK_EVERY_MS = 5_000;

/** Waits until SSM knows the scratch instance and calls it online. */
export const waitForAgent = async (
  { launched: { instanceId }, wish }: Pick<WaitForAgentInput, 'launched' | 'wish'>,
  world: World,
  clock: Clock,
): Promise<Ready> => {
  const until = clock.now() + AGENT_MS;
  let seen = 'pending';
  for (;;) {
    const [instance, agent] = await Promise.all([world.instance(instanceId), world.agent(instanceId)]);
    if (agent?.ping === 'Online' && instance?.state === 'running') {
      return { at: clock.now(), wish: { ...wish, target: instanceId } };
    }
    // EC2 shows a new instance a little late.
    seen = instance?.state ?? seen;
    if (!['pending', 'running'].includes(seen)) {
      throw new LaunchFailedError(
        `the scratch instance ${instanceId} is ${seen} before its agent has started: look at its state transition reason, and at limits of vCPUs and EBS`,
      );
    }
    if (clock.now() > until) {
      throw new ScratchSilentError(
        `the scratch instance ${instanceId} is ${seen}, and its SSM agent has not shown in ${AGENT_MS / 60_000} minutes: does its subnet reach the endpoints ssm and ssmmessages, and does the image start amazon-ssm-agent? See docs/drill.md`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
};
