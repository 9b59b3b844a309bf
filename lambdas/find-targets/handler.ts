import { systemClock } from '../shared/clock.ts';
import { FindTargetsInput } from '../shared/contracts.ts';
import { ec2Client, taggedInstances } from '../shared/ec2.ts';
import { FLEET_STATES, FLEETS_PREFIX } from '../shared/names.ts';
import { getJson, putJson, s3Client } from '../shared/s3.ts';
import { agents, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import type { Booking } from './bookings.ts';
import { type Account, findTargets } from './find-targets.ts';

// Nothing is frozen yet, and pages of a large account may well be throttled.
const ec2 = ec2Client({ attempts: 8 });
const ssm = ssmClient({ attempts: 8 });
const s3 = s3Client();
const [get, put] = [getJson(s3), putJson(s3)];
const BOOKINGS = `${FLEETS_PREFIX}bookings.json`;

const account: Account = {
  tagged: taggedInstances(ec2),
  managed: async () => new Set((await agents(ssm)()).keys()),
  ledger: (bucket) => ({
    read: async () => {
      const stored = await get(bucket, BOOKINGS);
      return stored && { bookings: stored.json as Booking[], etag: stored.etag };
    },
    write: (bookings, replaces) => put(bucket, BOOKINGS, bookings, replaces),
  }),
  put,
};

export const handler = step(FindTargetsInput, FLEET_STATES.findTargets).handler((input) =>
  findTargets(input, account, systemClock.now()),
);
