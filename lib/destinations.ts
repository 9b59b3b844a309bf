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

/** Each place that any policy copies to, once. */
export function destinationsOf({ policies }: Plan): Destination[] {
  const places = new Map<string, { region: string; account: string | undefined; wishes: Record<string, CopyWish> }>();
  for (const [name, policy] of Object.entries(policies)) {
    for (const { region, account, kmsKeyArn, completionMinutes } of policy.copyTo) {
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

/** Whom and what rights are for. */
export const rightsFor = (destinations: readonly Destination[]) => ({
  regions: destinations.filter(({ account }) => account === undefined).map(({ region }) => region),
  accounts: [...new Set(destinations.flatMap(({ account = [] }) => account))],
});

/** Name of the role that an account has for copies of another one's sets. */
export const copiesRoleName = (homeAccount: string): string => `Freezeframe-CopiesOf-${homeAccount}`;

/** Path of the roles of those who may take on that one: so it knows them whatever the rest of their names is. */
export const COPIES_PATH = '/freezeframe/copies/';
