import { systemClock } from '../shared/clock.ts';
import { WaitForAgentInput } from '../shared/drill-contracts.ts';
import { ec2Client, instanceOf } from '../shared/ec2.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { agentOf, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { waitForAgent } from './wait-for-agent.ts';

const world = { instance: instanceOf(ec2Client()), agent: agentOf(ssmClient()) };

export const handler = step(WaitForAgentInput, DRILL_STATES.waitForAgent).handler((input) =>
  waitForAgent(input, world, systemClock),
);
