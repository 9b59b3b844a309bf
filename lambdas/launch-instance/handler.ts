import { systemClock } from '../shared/clock.ts';
import { ec2Client, instanceOf } from '../shared/ec2.ts';
import { imageOfTemplate, imagesNamed, registerImage, runInstance } from '../shared/ec2-launch.ts';
import { RESTORE_STATES } from '../shared/names.ts';
import { Restore } from '../shared/restore-contracts.ts';
import { agentOf, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { launchInstance } from './launch-instance.ts';
import { templateOf } from './launch-request.ts';

const client = ec2Client({ attempts: 8 });

const imageOf = imageOfTemplate(client);
const world = {
  imageOf: (launch: NonNullable<Restore['launch']>) => imageOf(templateOf(launch)),
  images: imagesNamed(client),
  registerImage: registerImage(client),
  run: runInstance(client),
  instance: instanceOf(client),
  agent: agentOf(ssmClient()),
};

export const handler = step(Restore, RESTORE_STATES.launchInstance).handler((restore) =>
  launchInstance(restore, world, systemClock),
);
