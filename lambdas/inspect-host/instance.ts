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
  if (instance.state !== 'running' && instance.state !== 'stopped') {
    throw new InstanceNotRunningError(
      `${instanceId} is ${instance.state}; a running instance can be frozen and the disks of a stopped one are at rest: start the run again when it is either`,
    );
  }
  return instance;
};
