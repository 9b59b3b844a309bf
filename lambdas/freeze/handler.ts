import { systemClock } from '../shared/clock.ts';
import { Run } from '../shared/contracts.ts';
import { STATES } from '../shared/names.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { freeze } from './freeze.ts';

// A freeze whose answer was lost must not be sent again: by then the host may be frozen, and Thaw comes next.
const host = commandChannel(ssmClient({ attempts: 1 }));

export const handler = step(Run, STATES.freeze).handler((run) => freeze(run, host, systemClock));
