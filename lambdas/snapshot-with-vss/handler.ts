import { systemClock } from '../shared/clock.ts';
import { SnapshotWithVssInput } from '../shared/contracts.ts';
import { STATES } from '../shared/names.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { snapshotWithVss } from './snapshot-with-vss.ts';

// A command whose answer was lost must not be sent again: there would be two sets.
const channel = commandChannel(ssmClient({ attempts: 1 }));

export const handler = step(SnapshotWithVssInput, STATES.snapshotWithVss).handler((input) =>
  snapshotWithVss(input, channel, systemClock),
);
