import { systemClock } from '../shared/clock.ts';
import { PruneState } from '../shared/contracts.ts';
import {
  deleteSnapshot,
  ec2Client,
  imagesOfSnapshots,
  livingInstances,
  lockedSnapshots,
  snapshotsOfInstance,
  tagResources,
} from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { deleteSets } from './delete.ts';

export const handler = step(PruneState, PRUNE_STATES.delete).handler((state) => {
  const living = livingInstances(ec2Client({ attempts: 8, region: state.home }));
  return deleteSets(
    state,
    (region) => {
      const client = ec2Client({ attempts: 8, region });
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
