import type { Agent } from '../ports.ts';
import type { Tags } from './ec2-filters.ts';
import { AwsError } from './errors.ts';

export interface Instance {
  readonly id: string;
  tags: Tags;
  state: 'running' | 'stopped';
  readonly type: string;
  readonly platform: 'windows' | undefined;
  readonly availabilityZone: string;
  readonly rootDevice: string;
  /** Device name to volume id, in the order of attachment. */
  readonly devices: Map<string, string>;
  agent: Agent | undefined;
  readonly launchedAt: number;
}

export function findInstance(instances: ReadonlyMap<string, Instance>, id: string | undefined): Instance {
  if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id ?? '')) {
    throw new AwsError('InvalidInstanceID.Malformed', `Invalid id: "${id}"`);
  }
  const instance = instances.get(id as string);
  if (!instance) throw new AwsError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  return instance;
}

/** A dry run that would have been allowed answers with an error of its own, 412. */
export function refuseDryRun(dryRun: boolean | undefined): void {
  if (dryRun) throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}
