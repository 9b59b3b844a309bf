/** The Regions and accounts that sets are in, and who may look and act there. */

import type { EC2Client } from '@aws-sdk/client-ec2';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { Home, Place, PlannedPlace } from './contracts.ts';
import { type ClientOptions, ec2Client, type FoundSnapshot } from './ec2.ts';
import { SET_TAGS } from './names.ts';

/** How the tag on a copy says where its set was taken. */
export const originTag = ({ account, region }: Home): string => `${account}/${region}`;

/** For people: the Region, and the account where it is another one. */
export const placeName = ({ account, region }: Home, home: Home): string =>
  account === home.account ? region : `${region} of account ${account}`;

/** A client for a place, as the function itself or in the role that is there for it. */
export const clientIn = ({ region, roleArn }: Place, options: Omit<ClientOptions, 'region'> = {}): EC2Client =>
  ec2Client({
    ...options,
    region,
    ...(roleArn !== undefined && {
      credentials: fromTemporaryCredentials({
        params: { RoleArn: roleArn, RoleSessionName: 'Freezeframe' },
        // This account may not have opted in to the Region of the place.
        clientConfig: { region: process.env.AWS_REGION as string },
      }),
    }),
  });

/** What the plan names, as seen from home: in its own account no role is needed. */
export const placeOf = ({ region, account = '', roleArn }: PlannedPlace, home: Home): Place =>
  account === '' || account === home.account
    ? { region, account: home.account }
    : { region, account, ...(roleArn !== undefined && { roleArn }) };

export const isHome = (place: Home, home: Home): boolean =>
  place.region === home.region && place.account === home.account;

/**
 * Whether this deployment sees to a snapshot that lies in a place: at home to what was taken there, elsewhere to what was
 * copied from home. The rest is of a deployment that lives there or copies there, too.
 */
export const isOurs = ({ tags }: Pick<FoundSnapshot, 'tags'>, place: Home, home: Home): boolean =>
  tags[SET_TAGS.origin] === (isHome(place, home) ? undefined : originTag(home));
