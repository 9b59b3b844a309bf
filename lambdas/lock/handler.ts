import { LockInput } from '../shared/contracts.ts';
import { ec2Client, lockedSnapshots, lockSnapshot } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { lockSet } from './lock.ts';

// Nothing waits for it, and LockSnapshot refills at 5/s for the whole account.
const client = ec2Client({ attempts: 8 });

const locks = { lock: lockSnapshot(client), locked: lockedSnapshots(client) };

export const handler = step(LockInput, STATES.lock).handler((input) => lockSet(input, locks));
