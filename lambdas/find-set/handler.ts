import { ec2Client, snapshotsOfInstance } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { FindSetInput } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { findSet } from './find-set.ts';

const sets = { ofInstance: snapshotsOfInstance(ec2Client()) };

export const handler = step(FindSetInput, RESTORE_STATES.findSet).handler((input) => findSet(input, sets));
