import { systemClock } from '../shared/clock.ts';
import {
  attachVolume,
  detachVolume,
  ec2Client,
  tagResources,
  untagResources,
  volumesById,
  volumesOfRestore,
} from '../shared/ec2.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { SwapVolumesInput } from '../shared/restore-contracts.ts';
import { step } from '../shared/step.ts';
import { swapVolumes } from './swap-volumes.ts';

const client = ec2Client({ attempts: 8 });

const ec2 = {
  ofRestore: volumesOfRestore(client),
  volumes: volumesById(client),
  tag: tagResources(client),
  untag: untagResources(client),
  attach: attachVolume(client),
  detach: detachVolume(client),
};

const STATE = { swap: RESTORE_STATES.swapVolumes, back: RESTORE_STATES.swapBack } as const;

export const handler = step(SwapVolumesInput, ({ act }) => STATE[act]).handler((input) =>
  swapVolumes(input, ec2, systemClock),
);
