import type { RegisterImageRequest, RunInstancesRequest } from '@aws-sdk/client-ec2';
import { LAUNCH_MS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { BadTemplateError, LaunchFailedError, LaunchTimeoutError } from '../shared/errors.ts';
import type { Restore } from '../shared/restore-contracts.ts';
import { imageName, imageRequest, launchRequest, type TemplateImage } from './launch-request.ts';

export interface World {
  /** Undefined: the template names no image, or one that is gone. */
  imageOf(launch: NonNullable<Restore['launch']>): Promise<TemplateImage | undefined>;
  /** Images of ours by their name. */
  images(name: string): Promise<{ imageId: string; state: string }[]>;
  registerImage(request: RegisterImageRequest): Promise<string>;
  /** Answers the instance's id. */
  run(request: RunInstancesRequest): Promise<string>;
  /** Undefined while EC2 does not show it. */
  instance(instanceId: string): Promise<{ state: string; zone: string; stateReason: string } | undefined>;
  agent(instanceId: string): Promise<{ ping: string } | undefined>;
}

const LOOK_EVERY_MS = 5_000;

/** Launches the restore's instance and waits until its agent can be asked. Asked again it launches none twice. */
export const launchInstance = async (restore: Restore, world: World, clock: Clock): Promise<Restore> => {
  const { launch } = restore;
  if (!launch) throw new BadTemplateError(`restore ${restore.restore} names no launch template`);
  const until = clock.now() + LAUNCH_MS;
  const imageId = launch.rootDevice ? await imageFor(restore, launch.rootDevice, world, until, clock) : undefined;
  const instanceId = await usable(launch, () => world.run(launchRequest(restore, imageId)));
  for (let seen = ''; ; await clock.sleep(LOOK_EVERY_MS)) {
    const instance = await world.instance(instanceId);
    if (instance && ['shutting-down', 'terminated', 'stopped'].includes(instance.state)) {
      throw new LaunchFailedError(
        `${instanceId} was launched and is ${instance.state} (${instance.stateReason || 'EC2 says no reason'}); see to that, then start the restore again`,
      );
    }
    const agent = instance?.state === 'running' ? await world.agent(instanceId) : undefined;
    if (instance && agent?.ping === 'Online') return { ...restore, instanceId, zone: instance.zone };
    seen = `${instance?.state ?? 'not to be seen'}, its SSM agent ${agent?.ping ?? 'unknown'}`;
    if (clock.now() > until) {
      throw new LaunchTimeoutError(
        `${instanceId} is ${seen} ${LAUNCH_MS / 1000} s after its launch; the template needs an image with amazon-ssm-agent, a role with AmazonSSMManagedInstanceCore, and a way to SSM`,
      );
    }
  }
};

/** What EC2 says of a template, or of what it names, with what to look at. */
const usable = async <Answer>(
  { template, version, subnetId }: NonNullable<Restore['launch']>,
  call: () => Promise<Answer>,
): Promise<Answer> => {
  try {
    return await call();
  } catch (error) {
    const { name, message } = error as Error;
    if (!/^(Invalid|Missing)/.test(name)) throw error;
    throw new BadTemplateError(
      `launch template ${template} (${version})${subnetId ? ` with ${subnetId}` : ''} can't be used: ${name}: ${message}; mend it, or name another one`,
      { cause: error },
    );
  }
};

const imageFor = async (
  restore: Restore,
  rootDevice: string,
  world: World,
  until: number,
  clock: Clock,
): Promise<string> => {
  const launch = restore.launch as NonNullable<Restore['launch']>;
  const { template, version } = launch;
  const like = await usable(launch, () => world.imageOf(launch));
  if (!like) {
    throw new BadTemplateError(
      `launch template ${template} (${version}) has no image that is there; it tells of which architecture the set's root volume is: give it one of the same`,
    );
  }
  const name = imageName(restore.restore);
  const [made] = await world.images(name);
  const imageId = made?.imageId ?? (await world.registerImage(imageRequest(restore, rootDevice, like)));
  for (;;) {
    const state = (await world.images(name)).find((image) => image.imageId === imageId)?.state;
    if (state === 'available') return imageId;
    if (state === 'failed' || clock.now() > until) {
      throw new LaunchFailedError(`the image ${imageId} of the set's root volume is ${state ?? 'not to be seen'}`);
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
};
