import { PlanDrillInput } from '../shared/drill-contracts.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { pinDocument, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { planDrill } from './plan-drill.ts';

const world = { pin: pinDocument(ssmClient()) };

export const handler = step(PlanDrillInput, DRILL_STATES.planDrill).handler((input) => planDrill(input, world));
