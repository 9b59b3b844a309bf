import { systemClock } from '../shared/clock.ts';
import { VerifyInput } from '../shared/drill-contracts.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { verify } from './verify.ts';

// Sent once: a second verification of the same restore would wait for the first.
const host = commandChannel(ssmClient({ attempts: 1 }));

export const handler = step(VerifyInput, DRILL_STATES.verify).handler((input) => verify(input, host, systemClock));
