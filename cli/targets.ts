import { type TaggedInstance, taggedInstances } from '../lambdas/shared/ec2.ts';
import { DRILL_TAG } from '../lambdas/shared/names.ts';
import type { Desk } from './desk.ts';

/** What is backed up: bears the policy tag, and is there. Machines of drills bear it too, for their documents' sake. */
export const targetsOf = async (desk: Desk): Promise<TaggedInstance[]> =>
  (await taggedInstances(desk.ec2)()).filter(
    ({ state, tags }) => state !== 'terminated' && state !== 'shutting-down' && tags[DRILL_TAG] === undefined,
  );
