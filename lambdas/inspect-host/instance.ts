import { InstanceNotRunningError, NotAnInstanceError } from '../shared/errors.ts';

export interface Instance {
  state: string;
  type: string;
  windows: boolean;
  tags: Record<string, string>;
  rootDevice: string;
  devices: { device: string; volumeId: string; status: string }[];
}

/** The instance, once it is known to be one that can be asked. */
export const refuseInstance = (instanceId: string, instance: Instance | undefined): Instance => {
  if (!instance || instance.state === 'terminated') {
    throw new NotAnInstanceError(
      `there is no instance ${instanceId} in this account and Region; look for a typing error, or whether it was terminated`,
    );
  }
  if (instance.state !== 'running') {
    throw new InstanceNotRunningError(
      `${instanceId} is ${instance.state}, and only a running instance can be frozen; start it, or take its policy tag off while it is not needed`,
    );
  }
  return instance;
};
