/**
 * What the emulated AWS needs of an instance and of its disks. The QEMU guest answers it for real (lab/guest-host.ts);
 * the workflow tests answer it with a model that has state (test/support/model-host.ts).
 */

/** One document step, ready to run: parameters are already substituted into the script, as the SSM agent does. */
export interface AgentStep {
  commandId: string;
  /** Document name and parameters, for models that do not run bash. */
  document: string;
  parameters: Record<string, string>;
  script: string;
  /** Seconds until the agent kills the step's process group. */
  timeoutSeconds: number;
}

/** What the agent reports of a step. `TimedOut` and `Cancelled` come with code 137. */
export interface StepOutcome {
  status: 'Success' | 'Failed' | 'TimedOut' | 'Cancelled';
  code: number;
  stdout: string;
  stderr: string;
}

/** The SSM agent of one instance. */
export interface Agent {
  readonly version: string;
  /** Whether the agent is registered and answers. A stopped agent accepts nothing; its commands stay Pending. */
  readonly online: boolean;
  run(step: AgentStep): Promise<StepOutcome>;
  /** SIGKILL to the step's process group, if it still runs. */
  cancel(commandId: string): Promise<void>;
}

/** What instances run on, where the lab can launch any. */
export interface Machines {
  /**
   * Resolves with the agent when it has started. The root volume is made and attached here, of `rootImage` where the
   * instance boots from a snapshot; `dataVolumes` are there and are attached before it boots.
   */
  start(launch: {
    instanceId: string;
    rootVolumeId: string;
    rootImage?: string | undefined;
    dataVolumes: readonly string[];
  }): Promise<Agent>;
  /** Its disks are free when this resolves, its root volume gone. */
  stop(instanceId: string): Promise<void>;
}

/** One snapshot as it was taken: the image is a point in time already, `completed` resolves when it is whole. */
export interface TakenSnapshot {
  volumeId: string;
  /** Opaque reference that the same store can make a volume from. */
  image: string;
  completed: Promise<void>;
}

/** The disks of the Region. */
export interface BlockStore {
  /** A new volume, empty or from a snapshot's image. */
  create(volumeId: string, sizeGiB: number, image?: string): Promise<void>;
  remove(volumeId: string): Promise<void>;
  /** One point in time over all the volumes, which are attached to `instanceId`. */
  snapshot(instanceId: string, volumeIds: readonly string[]): Promise<TakenSnapshot[]>;
  deleteImage(image: string): Promise<void>;
  attach(instanceId: string, volumeId: string): Promise<void>;
  detach(instanceId: string, volumeId: string): Promise<void>;
}
