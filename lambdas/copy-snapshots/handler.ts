import { systemClock } from '../shared/clock.ts';
import { CopyState } from '../shared/copy-contracts.ts';
import {
  copySnapshot,
  deleteSnapshot,
  lockedSnapshots,
  lockSnapshot,
  shareSnapshot,
  snapshotsById,
  tagResources,
} from '../shared/ec2.ts';
import { COPY_STATES } from '../shared/names.ts';
import { clientIn } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { copySnapshots } from './copy-snapshots.ts';

export const handler = step(CopyState, COPY_STATES.copySnapshots).handler((state) => {
  const [home, there] = [clientIn(state.home, { attempts: 8 }), clientIn(state.destination, { attempts: 8 })];
  return copySnapshots(
    state,
    { byId: snapshotsById(home), tag: tagResources(home), share: shareSnapshot(home) },
    {
      byId: snapshotsById(there),
      // CopySnapshot can't be told from a second one: an answer that is lost is never asked for again.
      copy: copySnapshot(clientIn(state.destination, { attempts: 1 })),
      tag: tagResources(there),
      lock: lockSnapshot(there),
      locked: lockedSnapshots(there),
      delete: deleteSnapshot(there),
    },
    systemClock,
  );
});
