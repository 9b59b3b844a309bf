import { systemClock } from '../shared/clock.ts';
import { PruneState } from '../shared/contracts.ts';
import {
  archiveSnapshot,
  beingArchived,
  imagesOfSnapshots,
  livingInstances,
  lockedSnapshots,
  snapshotsOfInstance,
} from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { clientIn } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { archiveSets } from './archive.ts';

export const handler = step(PruneState, PRUNE_STATES.archive).handler((state) => {
  const client = clientIn(state.home, { attempts: 8 });
  return archiveSets(
    state,
    {
      living: livingInstances(client),
      locked: lockedSnapshots(client),
      snapshotsOf: snapshotsOfInstance(client),
      imagesOf: imagesOfSnapshots(client),
      underway: beingArchived(client),
      archive: archiveSnapshot(client),
    },
    systemClock,
  );
});
