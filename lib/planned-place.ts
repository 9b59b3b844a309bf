import type { Construct } from 'constructs';
import type { PlannedPlace } from '../lambdas/shared/contracts.ts';
import type { Destination } from './destinations.ts';
import { roleElsewhere } from './permissions.ts';

/** A destination as functions get it. */
export const plannedPlace = (scope: Construct, { region, account }: Destination): PlannedPlace => ({
  region,
  ...(account !== undefined && { account, roleArn: roleElsewhere(scope, account) }),
});
