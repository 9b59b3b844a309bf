import { systemClock } from '../shared/clock.ts';
import { ec2Client, volumesOfRestore } from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { RestoreHostInput } from '../shared/restore-contracts.ts';
import { commandChannel, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { restoreHost } from './restore-host.ts';

const host = commandChannel(ssmClient());
const volumes = { ofRestore: volumesOfRestore(ec2Client()) };

const STATE = {
  prepare: RESTORE_STATES.prepareHost,
  mount: RESTORE_STATES.mount,
  release: RESTORE_STATES.releaseHost,
  settle: RESTORE_STATES.settle,
  vacate: RESTORE_STATES.vacate,
  occupy: RESTORE_STATES.occupy,
  vacateCopies: RESTORE_STATES.vacateCopies,
  occupyOriginals: RESTORE_STATES.occupyOriginals,
} as const;

export const handler = step(RestoreHostInput, ({ act }) => STATE[act]).handler((input) =>
  restoreHost(input, volumes, host, systemClock),
);
