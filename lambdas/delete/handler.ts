import { systemClock } from '../shared/clock.ts';
import { PruneState } from '../shared/contracts.ts';
import {
  deleteSnapshot,
  imagesOfSnapshots,
  livingInstances,
  lockedSnapshots,
  snapshotsOfInstance,
  tagResources,
} from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { clientIn } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { deleteSets } from './delete.ts';

export const handler = step(PruneState, PRUNE_STATES.delete).handler((state) => {
  const living = livingInstances(clientIn(state.home, { attempts: 8 }));
  return deleteSets(
    state,
    (place) => {
      const client = clientIn(place, { attempts: 8 });
      return {
        living,
        locked: lockedSnapshots(client),
        snapshotsOf: snapshotsOfInstance(client),
        imagesOf: imagesOfSnapshots(client),
        tag: tagResources(client),
        delete: deleteSnapshot(client),
      };
    },
    systemClock,
  );
});
