import { systemClock } from '../shared/clock.ts';
import { PruneState } from '../shared/contracts.ts';
import { ec2Client, livingInstances, lockedSnapshots, snapshotsOfInstances } from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { decidePart } from './decide.ts';

export const handler = step(PruneState, PRUNE_STATES.decide).handler((state) => {
  // Copies lie elsewhere; the instances themselves are where the stack is.
  const living = livingInstances(ec2Client({ attempts: 8, region: state.home }));
  return decidePart(
    state,
    (region) => {
      const client = ec2Client({ attempts: 8, region });
      return { living, locked: lockedSnapshots(client), snapshots: snapshotsOfInstances(client) };
    },
    systemClock.now(),
  );
});
