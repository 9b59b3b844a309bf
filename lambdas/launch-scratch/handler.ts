import { systemClock } from '../shared/clock.ts';
import { PlannedDrill } from '../shared/drill-contracts.ts';
import { ec2Client, runInstance } from '../shared/ec2.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { launchScratch } from './launch-scratch.ts';

const run = runInstance(ec2Client({ attempts: 5 }));

export const handler = step(PlannedDrill, DRILL_STATES.launchScratch).handler((planned) =>
  launchScratch(planned, run, systemClock),
);
