import { Graded } from '../shared/contracts.ts';
import { deleteSnapshot, ec2Client, snapshotsById, snapshotsOfRun } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { discard } from './discard.ts';

// Nothing waits for it, and DeleteSnapshot refills at 5/s for the whole account: patience is right here.
const client = ec2Client({ attempts: 8 });

const sets = { ofRun: snapshotsOfRun(client), byId: snapshotsById(client), delete: deleteSnapshot(client) };

export const handler = step(Graded, STATES.discard).handler((graded) => discard(graded, sets));
