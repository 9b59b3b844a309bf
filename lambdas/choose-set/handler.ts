import { systemClock } from '../shared/clock.ts';
import { ChooseSetInput } from '../shared/drill-contracts.ts';
import { ec2Client, snapshotsOfInstance, snapshotsOfPolicy } from '../shared/ec2.ts';
import { DRILL_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { chooseSet } from './choose-set.ts';

const client = ec2Client();
const snapshots = { ofInstance: snapshotsOfInstance(client), ofPolicy: snapshotsOfPolicy(client) };

export const handler = step(ChooseSetInput, DRILL_STATES.chooseSet).handler((input) =>
  chooseSet(input, snapshots, systemClock.now()),
);
