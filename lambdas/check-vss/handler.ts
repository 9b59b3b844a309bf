import { systemClock } from '../shared/clock.ts';
import { CheckVssInput } from '../shared/contracts.ts';
import { ec2Client, snapshotsOfRun } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { commandOf, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { checkVss } from './check-vss.ts';

const outlook = { command: commandOf(ssmClient()), ofRun: snapshotsOfRun(ec2Client()) };

export const handler = step(CheckVssInput, STATES.checkVss).handler((input) => checkVss(input, outlook, systemClock));
