/** Volumes on their way to an instance and back: what EC2 calls done, and how long that may take. */
import { ATTACH_MS, DETACH_MS } from './budget.ts';
import type { Clock } from './clock.ts';
import { AttachTimeoutError, DetachTimeoutError } from './errors.ts';

export interface AttachableVolume {
  volumeId: string;
  attachment: { instanceId: string; device: string; state: string } | undefined;
}

type Look<Seen> = () => Promise<Seen[]>;

const LOOK_EVERY_MS = 2_000;

/** Waits until every volume is attached. */
export const untilAttached = async <Seen extends AttachableVolume>(
  instanceId: string,
  look: Look<Seen>,
  clock: Clock,
): Promise<Seen[]> => {
  const [open, volumes] = await settled(look, ({ attachment }) => attachment?.state === 'attached', ATTACH_MS, clock);
  if (open.length === 0) return volumes;
  throw new AttachTimeoutError(
    `${open.map(({ volumeId, attachment }) => `${volumeId} is ${attachment?.state ?? 'not attached'}`).join(', ')} at ${instanceId} after ${ATTACH_MS / 1000} s; an instance of another kind, or one with fewer volumes, may take it`,
  );
};

/** Waits until no volume is attached any more. */
export const untilDetached = async (look: Look<AttachableVolume>, clock: Clock): Promise<void> => {
  const [open] = await settled(look, ({ attachment }) => attachment === undefined, DETACH_MS, clock);
  if (open.length === 0) return;
  throw new DetachTimeoutError(
    `${open.map(({ volumeId, attachment }) => `${volumeId} is ${attachment?.state} at ${attachment?.instanceId}`).join(', ')} after ${DETACH_MS / 1000} s: something on the instance still uses it; see lsblk there`,
  );
};

/** Those that are not done when the time is over, and all as they were seen last. */
const settled = async <Seen extends AttachableVolume>(
  look: Look<Seen>,
  isDone: (volume: Seen) => boolean,
  withinMs: number,
  clock: Clock,
): Promise<[open: Seen[], all: Seen[]]> => {
  const until = clock.now() + withinMs;
  for (;;) {
    const volumes = await look();
    const open = volumes.filter((volume) => !isDone(volume));
    if (open.length === 0 || clock.now() > until) return [open, volumes];
    await clock.sleep(LOOK_EVERY_MS);
  }
};
