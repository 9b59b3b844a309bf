import { ec2Client, instanceOf } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { PlanRestoreInput } from '../shared/restore-contracts.ts';
import { agentOf, pinDocument, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { planRestore } from './plan-restore.ts';

const ssm = ssmClient();
const world = { instance: instanceOf(ec2Client()), agent: agentOf(ssm), pin: pinDocument(ssm) };

export const handler = step(PlanRestoreInput, RESTORE_STATES.planRestore).handler((input) => planRestore(input, world));
