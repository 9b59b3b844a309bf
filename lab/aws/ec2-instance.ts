import type { InstanceState } from '@aws-sdk/client-ec2';
import type { Agent } from '../ports.ts';
import type { Tags } from './ec2-filters.ts';
import { AwsError } from './errors.ts';

export interface Instance {
  readonly id: string;
  tags: Tags;
  state: keyof typeof STATE_CODES;
  readonly type: string;
  readonly platform: 'windows' | undefined;
  /** Name of its instance profile. */
  readonly profile: string | undefined;
  readonly availabilityZone: string;
  readonly rootDevice: string;
  /** Device name to volume id, in the order of attachment. */
  readonly devices: Map<string, string>;
  agent: Agent | undefined;
  readonly launchedAt: number;
  /** An instance that was just launched does not show at once. @default launchedAt */
  readonly visibleAt?: number;
}

const STATE_CODES = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48, stopped: 80 } as const;

/** As EC2 tells it. */
export const stateOf = ({ state }: Instance): InstanceState => ({ Code: STATE_CODES[state], Name: state });

/** `now`: asked by a call that does not see an instance at once. */
export function findInstance(
  instances: ReadonlyMap<string, Instance>,
  id: string | undefined,
  now = Number.POSITIVE_INFINITY,
): Instance {
  if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id ?? '')) {
    throw new AwsError('InvalidInstanceID.Malformed', `Invalid id: "${id}"`);
  }
  const instance = instances.get(id as string);
  if (!instance || (instance.visibleAt ?? 0) > now)
    throw new AwsError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  return instance;
}

/** A dry run that would have been allowed answers with an error of its own, 412. */
export function refuseDryRun(dryRun: boolean | undefined): void {
  if (dryRun) throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}
