import type { PlannedPlace } from '../lambdas/shared/contracts.ts';
import type { CopyWish } from '../lambdas/shared/copy-contracts.ts';
import type { Plan } from './plan.ts';
import { rpoHours } from './rpo.ts';

/** Where copies go, and how each policy wants them there. */
export interface Destination {
  readonly region: string;
  /** Undefined: the stack's own. */
  readonly account: string | undefined;
  readonly wishes: Readonly<Record<string, CopyWish>>;
}

/** Each place of the stack's own account that any policy copies to, once. Copies to other accounts are not there yet. */
export function destinationsOf({ policies }: Plan): Destination[] {
  const places = new Map<string, { region: string; account: string | undefined; wishes: Record<string, CopyWish> }>();
  for (const [name, policy] of Object.entries(policies)) {
    for (const { region, account, kmsKeyArn, completionMinutes } of policy.copyTo) {
      if (account !== undefined) continue;
      const key = placeId({ region, account });
      const place = places.get(key) ?? { region, account, wishes: {} };
      places.set(key, place);
      place.wishes[name] = {
        ...(kmsKeyArn !== undefined && { kmsKeyArn }),
        ...(completionMinutes !== undefined && { completionMinutes }),
        ...(policy.lock && { lock: policy.lock }),
        rpoHours: rpoHours(policy),
      };
    }
  }
  return [...places.values()];
}

/** A word for a place: `eu-west-1`, `eu-north-1-210987654321`. */
export const placeId = ({ region, account }: Pick<Destination, 'region' | 'account'>): string =>
  account === undefined ? region : `${region}-${account}`;

/** Of these, the Regions that are in the stack's own account. */
export const ownRegions = (destinations: readonly Destination[]): string[] =>
  destinations.filter(({ account }) => account === undefined).map(({ region }) => region);

/** As functions get it. */
export const plannedPlace = ({ region, account }: Destination): PlannedPlace => ({
  region,
  ...(account !== undefined && { account }),
});
