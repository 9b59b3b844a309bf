import { systemClock } from '../shared/clock.ts';
import { GradeInput } from '../shared/contracts.ts';
import { ec2Client, snapshotsOfRun, tagResources } from '../shared/ec2.ts';
import { writeMetrics } from '../shared/metrics.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { gradeRun } from './grade-run.ts';
import { runMetrics } from './run-metrics.ts';

const client = ec2Client({ attempts: 5 });

const catalogue = { ofRun: snapshotsOfRun(client), tag: tagResources(client) };

export const handler = step(GradeInput, STATES.grade).handler(async (input) => {
  const graded = await gradeRun(input, catalogue, systemClock);
  const { values, more } = runMetrics(input, graded.verdict);
  writeMetrics(input.policy.name, values, systemClock.now(), more);
  return graded;
});
