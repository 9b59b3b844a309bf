import { systemClock } from '../shared/clock.ts';
import { ThawInput } from '../shared/contracts.ts';
import { STATES } from '../shared/names.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { thaw } from './thaw.ts';

const host = commandChannel(ssmClient());

export const handler = step(ThawInput, STATES.thaw).handler((input) => thaw(input, host, systemClock));
