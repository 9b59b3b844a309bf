import { systemClock } from '../shared/clock.ts';
import { InspectHostInput } from '../shared/contracts.ts';
import { ec2Client, instanceOf, volumesOf } from '../shared/ec2.ts';
import { STATES } from '../shared/names.ts';
import { agentOf, commandChannel, pinDocument, readDocument, ssmClient } from '../shared/ssm.ts';
import { step } from '../shared/step.ts';
import { inspectHost, type World } from './inspect-host.ts';

const ec2 = ec2Client();
const ssm = ssmClient();

const world: World = {
  instance: instanceOf(ec2),
  volumes: volumesOf(ec2),
  agent: agentOf(ssm),
  pin: pinDocument(ssm),
  read: readDocument(ssm),
  // A throttle is to be seen: by the SDK's own tries, a fleet would only make more of them.
  host: commandChannel(ssmClient({ attempts: 1 })),
};

export const handler = step(InspectHostInput, STATES.inspect).handler((input) =>
  inspectHost(input, world, systemClock),
);
