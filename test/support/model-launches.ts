import type { MemoryStore } from './memory-store.ts';
import { LAUNCH_ROLE, type ModelAccount } from './model-account.ts';
import { ModelHost } from './model-host.ts';

/** A launch template whose instances the account can run, and the hosts of those that it does. */
export class ModelLaunches {
  readonly template = 'app-server';
  readonly zone = 'eu-central-1b';
  /** By instance. */
  readonly hosts = new Map<string, ModelHost>();
  /** What an instance is like before it boots; an agent that never starts answers false. */
  boots: (host: ModelHost) => boolean = () => true;

  constructor({ world, clock }: ModelAccount) {
    const { launches } = world.ec2;
    const store = world.store as MemoryStore;
    launches.images.set('ami-0123456789abcdef0', { rootGiB: 8, architecture: 'arm64' });
    launches.subnets.set('subnet-0123456789abcdef0', { availabilityZone: this.zone });
    launches.templates.set(this.template, {
      imageId: 'ami-0123456789abcdef0',
      type: 'm7g.large',
      subnetId: 'subnet-0123456789abcdef0',
      role: LAUNCH_ROLE,
    });
    launches.machines = {
      start: async ({ instanceId, rootVolumeId, rootImage, dataVolumes }) => {
        await store.create(rootVolumeId, 8, rootImage);
        for (const id of [rootVolumeId, ...dataVolumes]) await store.attach(instanceId, id);
        const host = new ModelHost({ rootVolume: rootVolumeId, dataVolumes, database: dataVolumes.length > 0, clock });
        host.sees = (volumeId) => store.attached.get(volumeId) === instanceId;
        this.hosts.set(instanceId, host);
        if (!this.boots(host)) throw new Error('its agent does not start');
        return host;
      },
      stop: async (instanceId) => {
        this.hosts.delete(instanceId);
        for (const [volumeId, at] of store.attached) if (at === instanceId) store.attached.delete(volumeId);
      },
    };
  }
}
