import { systemClock } from '../shared/clock.ts';
import { PruneState } from '../shared/contracts.ts';
import { livingInstances, lockedSnapshots, snapshotsOfInstances } from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { clientIn } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { decidePart } from './decide.ts';

export const handler = step(PruneState, PRUNE_STATES.decide).handler((state) => {
  // Copies lie elsewhere; the instances themselves are where the stack is.
  const living = livingInstances(clientIn(state.home, { attempts: 8 }));
  return decidePart(
    state,
    (place) => {
      const client = clientIn(place, { attempts: 8 });
      return { living, locked: lockedSnapshots(client), snapshots: snapshotsOfInstances(client) };
    },
    systemClock.now(),
  );
});
