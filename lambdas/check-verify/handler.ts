import { systemClock } from '../shared/clock.ts';
import { CheckVerifyInput } from '../shared/drill-contracts.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { checkVerify } from './check-verify.ts';

const host = commandChannel(ssmClient());

export const handler = step(CheckVerifyInput, DRILL_STATES.checkVerify).handler((input) =>
  checkVerify(input, host, systemClock),
);
