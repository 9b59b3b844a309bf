import { systemClock } from '../shared/clock.ts';
import { JudgeInput } from '../shared/drill-contracts.ts';
import { ec2Client, tagResources } from '../shared/ec2.ts';
import { writeMetrics } from '../shared/metrics.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { stamp } from './stamp.ts';

const ledger = { tag: tagResources(ec2Client({ attempts: 8 })), metrics: writeMetrics };

export const handler = step(JudgeInput, DRILL_STATES.judge).handler((input) => stamp(input, ledger, systemClock.now()));
