import { createHash } from 'node:crypto';
import type { RunInstancesRequest } from '@aws-sdk/client-ec2';
import { SCRATCH_GRACE_MINUTES } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import type { Launched, PlannedDrill, Scratch } from '../shared/drill-contracts.ts';
import { LaunchFailedError, NoScratchError, NotPermittedError, ThrottledError } from '../shared/errors.ts';
import { DRILL_TAG, SCRATCH_POLICY, USER_TAGS } from '../shared/names.ts';

/** Launches the machine of a drill. Asked again it launches none twice. */
export const launchScratch = async (
  planned: PlannedDrill,
  run: (request: RunInstancesRequest) => Promise<string>,
  clock: Clock,
): Promise<Launched> => {
  const { drill, policy, scratch } = planned;
  if (!scratch) throw new NoScratchError(`the plan does not say where to drill the sets of policy ${policy}`);
  const at = clock.now();
  try {
    return { instanceId: await run(launchRequest(planned, scratch)), at };
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    // No capacity is an error of the service's, and no less an answer.
    const refused = $metadata?.httpStatusCode !== undefined;
    if (error instanceof NotPermittedError || error instanceof ThrottledError || !refused) throw error;
    throw new LaunchFailedError(
      `EC2 would not launch the scratch instance of drill ${drill} (${name}: ${message}): look at "drill" of policy ${policy} in the plan`,
      { cause: error },
    );
  }
};

/**
 * Tags travel in the request, so that no instance exists without them; its policy tag lets our documents be sent to it. It
 * ends by itself when nobody else ends it.
 */
export const launchRequest = (
  { drill, verifyMinutes }: Pick<PlannedDrill, 'drill' | 'verifyMinutes'>,
  { subnetId, securityGroupId, imageId, instanceType, instanceProfileArn }: Scratch,
): RunInstancesRequest => {
  const tags = [{ Key: DRILL_TAG, Value: drill }];
  const shutDown = `#!/bin/bash\nshutdown -h +${verifyMinutes + SCRATCH_GRACE_MINUTES}\n`;
  return {
    ImageId: imageId,
    InstanceType: instanceType as NonNullable<RunInstancesRequest['InstanceType']>,
    SubnetId: subnetId,
    SecurityGroupIds: [securityGroupId],
    IamInstanceProfile: { Arn: instanceProfileArn },
    MinCount: 1,
    MaxCount: 1,
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: { HttpTokens: 'required' },
    UserData: Buffer.from(shutDown).toString('base64'),
    ClientToken: createHash('sha256').update(`drill ${drill}`).digest('hex'),
    TagSpecifications: [
      {
        ResourceType: 'instance',
        Tags: [...tags, { Key: USER_TAGS.policy, Value: SCRATCH_POLICY }, { Key: 'Name', Value: 'Freezeframe drill' }],
      },
      // Its root volume goes with it; the tag is for whoever looks at the bill.
      { ResourceType: 'volume', Tags: tags },
    ],
  };
};
