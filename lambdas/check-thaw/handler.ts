import { CheckThawInput } from '../shared/contracts.ts';
import { RESCUE_STATES } from '../shared/names.ts';
import { historyOf, sfnClient } from '../shared/sfn.ts';
import { step } from '../shared/step.ts';
import { checkThaw } from './check-thaw.ts';

const history = historyOf(sfnClient());

export const handler = step(CheckThawInput, RESCUE_STATES.checkThaw).handler((input) => checkThaw(input, history));
