import { systemClock } from '../shared/clock.ts';
import { ec2Client, snapshotsById, tagResources, untagResources } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { HoldSetInput } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { holdSet } from './hold-set.ts';

const client = ec2Client();

const snapshots = { tag: tagResources(client), untag: untagResources(client), ofIds: snapshotsById(client) };

const STATE = { hold: RESTORE_STATES.holdSet, letGo: RESTORE_STATES.letGoOfSet } as const;

export const handler = step(HoldSetInput, ({ act }) => STATE[act]).handler((input) =>
  holdSet(input, snapshots, systemClock),
);
