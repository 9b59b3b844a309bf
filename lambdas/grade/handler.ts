import { systemClock } from '../shared/clock.ts';
import { GradeInput } from '../shared/contracts.ts';
import { ec2Client, snapshotsOfRun, tagResources } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { gradeRun } from './grade-run.ts';

const client = ec2Client({ attempts: 5 });

const catalogue = { ofRun: snapshotsOfRun(client), tag: tagResources(client) };

export const handler = step(GradeInput, STATES.grade).handler((input) => gradeRun(input, catalogue, systemClock));
