import { ec2Client, instanceOf, volumesById } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { PlanRestoreInput } from '../shared/restore-contracts.ts';
import { agentOf, pinDocument, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { planRestore } from './plan-restore.ts';

const ssm = ssmClient();
const ec2 = ec2Client();
const world = { instance: instanceOf(ec2), volumes: volumesById(ec2), agent: agentOf(ssm), pin: pinDocument(ssm) };

export const handler = step(PlanRestoreInput, RESTORE_STATES.planRestore).handler((input) => planRestore(input, world));
