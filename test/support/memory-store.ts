import type { BlockStore, TakenSnapshot } from '../../lab/ports.ts';

/** Disks in memory: an image remembers what its volume held; whether anything was frozen is the model host's matter. */
export class MemoryStore implements BlockStore {
  /** Content of each volume: a counter of writes, which is all that a test needs to tell two points in time apart. */
  readonly volumes = new Map<string, number>();
  readonly images = new Map<string, number>();
  readonly attached = new Map<string, string>();
  /** The next snapshots' completion: resolves at once unless a test says otherwise. */
  completion: () => Promise<void> = () => Promise.resolve();
  /** Whether the guest still uses a disk: then it can't be had from it. */
  isInUse: (instanceId: string, volumeId: string) => boolean = () => false;
  /** Looked at when a set is taken: the model host tells here whether everything was quiet. */
  onSnapshot: (instanceId: string, volumeIds: readonly string[]) => void | Promise<void> = () => {};
  #images = 0;

  async create(volumeId: string, _sizeGiB: number, image?: string): Promise<void> {
    if (image !== undefined && !this.images.has(image)) throw new Error(`there is no image ${image}`);
    this.volumes.set(volumeId, image === undefined ? 0 : (this.images.get(image) ?? 0));
  }

  async remove(volumeId: string): Promise<void> {
    this.volumes.delete(volumeId);
  }

  async snapshot(instanceId: string, volumeIds: readonly string[]): Promise<TakenSnapshot[]> {
    await this.onSnapshot(instanceId, volumeIds);
    return volumeIds.map((volumeId) => {
      this.#images += 1;
      const image = `image-${this.#images}`;
      this.images.set(image, this.volumes.get(volumeId) ?? 0);
      return { volumeId, image, completed: this.completion() };
    });
  }

  async deleteImage(image: string): Promise<void> {
    this.images.delete(image);
  }

  async attach(instanceId: string, volumeId: string): Promise<void> {
    this.attached.set(volumeId, instanceId);
  }

  async detach(instanceId: string, volumeId: string): Promise<void> {
    if (this.isInUse(instanceId, volumeId)) throw new Error(`${instanceId} still uses ${volumeId}`);
    this.attached.delete(volumeId);
  }
}
