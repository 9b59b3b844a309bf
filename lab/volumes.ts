import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.ts';
import type { BlockStore, TakenSnapshot } from './ports.ts';
import { createDisk, createOverlay, virtualSize } from './qemu-img.ts';
import { makeScratch, type Scratch } from './scratch.ts';

interface Volume {
  path: string;
  /** What it was made of: it reads there whatever it has not written itself. */
  image?: string;
  attachedTo?: string;
}

/** The Region's disks: qcow2 images in a folder that goes with this process, plugged into the machines by name. */
export class Volumes implements BlockStore {
  readonly #scratch: Scratch = makeScratch('volumes');
  readonly #machines = new Map<string, Machine>();
  readonly #volumes = new Map<string, Volume>();
  /** Images of deleted snapshots that volumes still read: EBS would have copied them. */
  readonly #outlived = new Set<string>();
  #lastImage = 0;

  /**
   * Makes a machine known. Its root disk is a volume like any other, except that it cannot be detached; `rootImage`: the
   * snapshot's image that it was made of.
   */
  addMachine(machine: Machine, rootVolumeId?: string, rootImage?: string): void {
    this.#machines.set(machine.instanceId, machine);
    if (rootVolumeId === undefined) return;
    const path = join(machine.folder, 'root.qcow2');
    const made = rootImage !== undefined && { image: rootImage };
    this.#volumes.set(rootVolumeId, { path, attachedTo: machine.instanceId, ...made });
  }

  /** The machine has stopped: its volumes are free. */
  removeMachine(instanceId: string): void {
    this.#machines.delete(instanceId);
    for (const volume of this.#volumes.values()) if (volume.attachedTo === instanceId) delete volume.attachedTo;
  }

  exists(volumeId: string): boolean {
    return this.#volumes.has(volumeId);
  }

  attachedTo(volumeId: string): string | undefined {
    return this.#volume(volumeId).attachedTo;
  }

  list(instanceId?: string): string[] {
    const all = [...this.#volumes].filter(([, volume]) => !instanceId || volume.attachedTo === instanceId);
    return all.map(([volumeId]) => volumeId);
  }

  async create(volumeId: string, sizeGiB: number, image?: string): Promise<void> {
    if (this.#volumes.has(volumeId)) throw new Error(`${volumeId} exists already`);
    const path = join(this.#scratch.folder, `${volumeId}.qcow2`);
    if (image === undefined) createDisk(path, `${Math.round(sizeGiB * 1024)}M`);
    else createOverlay(path, image, 'qcow2');
    this.#volumes.set(volumeId, { path, ...(image !== undefined && { image }) });
  }

  async remove(volumeId: string): Promise<void> {
    const { path, attachedTo } = this.#volume(volumeId);
    if (attachedTo) throw new Error(`${volumeId} is attached to ${attachedTo}`);
    this.#volumes.delete(volumeId);
    rmSync(path, { force: true });
    for (const image of this.#outlived) this.#removeUnlessRead(image);
  }

  async attach(instanceId: string, volumeId: string): Promise<void> {
    const volume = this.#volume(volumeId);
    if (volume.attachedTo) throw new Error(`${volumeId} is attached to ${volume.attachedTo}`);
    volume.attachedTo = instanceId;
    try {
      await this.#machine(instanceId).attach(volumeId, volume.path);
    } catch (error) {
      delete volume.attachedTo;
      throw error;
    }
  }

  async detach(instanceId: string, volumeId: string): Promise<void> {
    const volume = this.#attached(instanceId, volumeId);
    await this.#machine(instanceId).detach(volumeId);
    delete volume.attachedTo;
  }

  async snapshot(instanceId: string, volumeIds: readonly string[]): Promise<TakenSnapshot[]> {
    const targets = volumeIds.map((volumeId) => {
      const image = this.#newImage(volumeId);
      createDisk(image, `${virtualSize(this.#attached(instanceId, volumeId).path)}`);
      return { volumeId, image };
    });
    try {
      const completed = await this.#machine(instanceId).backup(targets);
      return targets.map((target, index) => ({ ...target, completed: completed[index] ?? Promise.resolve() }));
    } catch (error) {
      for (const { image } of targets) rmSync(image, { force: true });
      throw error;
    }
  }

  /** The bad example: one disk after the other, each at an instant of its own. */
  async snapshotOneByOne(instanceId: string, volumeIds: readonly string[], gapMs: number): Promise<TakenSnapshot[]> {
    const taken: TakenSnapshot[] = [];
    for (const volumeId of volumeIds) {
      if (taken.length > 0) await sleep(gapMs);
      taken.push(...(await this.snapshot(instanceId, [volumeId])));
    }
    return taken;
  }

  async deleteImage(image: string): Promise<void> {
    this.#outlived.add(image);
    this.#removeUnlessRead(image);
  }

  imageExists(image: string): boolean {
    return existsSync(image) && !this.#outlived.has(image);
  }

  async dispose(): Promise<void> {
    await this.#scratch.dispose();
  }

  #removeUnlessRead(image: string): void {
    if ([...this.#volumes.values()].some((volume) => volume.image === image)) return;
    this.#outlived.delete(image);
    rmSync(image, { force: true });
  }

  #newImage(volumeId: string): string {
    this.#lastImage += 1;
    return join(this.#scratch.folder, `snapshot-${this.#lastImage}-${volumeId}.qcow2`);
  }

  #attached(instanceId: string, volumeId: string): Volume {
    const volume = this.#volume(volumeId);
    if (volume.attachedTo !== instanceId) throw new Error(`${volumeId} is not attached to ${instanceId}`);
    return volume;
  }

  #volume(volumeId: string): Volume {
    const volume = this.#volumes.get(volumeId);
    if (!volume) throw new Error(`no volume ${volumeId}`);
    return volume;
  }

  #machine(instanceId: string): Machine {
    const machine = this.#machines.get(instanceId);
    if (!machine) throw new Error(`no machine ${instanceId}`);
    return machine;
  }
}
