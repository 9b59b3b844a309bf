import { systemClock } from '../shared/clock.ts';
import { PlanCopiesInput } from '../shared/copy-contracts.ts';
import { livingInstances, pagesOfCopies, pagesOfOurs } from '../shared/ec2.ts';
import { writeMetrics } from '../shared/metrics.ts';
import { COPY_STATES, METRICS } from '../shared/names.ts';
import { clientIn, originTag } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { lookAtBoth } from './look-at-both.ts';

export const handler = step(PlanCopiesInput, COPY_STATES.planCopies).handler((input) => {
  const home = clientIn(input.home, { attempts: 8 });
  return lookAtBoth(
    input,
    {
      originals: () => pagesOfOurs(home),
      copiesIn: (place) => pagesOfCopies(clientIn(place, { attempts: 8 }))(originTag(input.home)),
      living: livingInstances(home),
    },
    systemClock.now(),
    (policy, late, oldestHours, now) =>
      writeMetrics(policy, { [METRICS.lateCopies]: late, [METRICS.oldestLackingHours]: oldestHours }, now),
  );
});
