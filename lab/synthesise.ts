import type { GradeName } from '../lambdas/shared/names.ts';
import { assemblyOf } from './assembly.ts';
import { readAssembly } from './aws/template.ts';

/** Where drills of the lab's and the tests' plans launch their instances. */
export const DRILL_PLACE = {
  schedule: 'rate(7 days)',
  vpcId: 'vpc-0123456789abcdef0',
  subnetId: 'subnet-0123456789abcdef0',
  imageId: 'ami-0123456789abcdef0',
} as const;

/** The launch template of the lab, and the role that its instances have. */
export const LAUNCH = { template: 'lab-server', role: 'arn:aws:iam::111122223333:role/lab-server' } as const;

/** The policy `lab` of the lab's plan. */
export interface LabPolicy {
  readonly grade: GradeName;
  readonly onDowngrade: 'keep' | 'discard';
  /** An emulated processor is slow: leases are longer than anybody would have them on EC2. */
  readonly leaseSeconds: number;
}

/** What `cdk deploy` would send to AWS with the lab's plan. */
export async function synthesise(
  { leaseSeconds, ...policy }: LabPolicy,
  hookDocuments?: readonly string[],
): Promise<ReturnType<typeof readAssembly>> {
  const lab = { schedule: 'rate(1 day)', retain: { last: 3 }, freeze: { leaseSeconds }, drill: DRILL_PLACE, ...policy };
  const restore = { roles: [LAUNCH.role] };
  return readAssembly(await assemblyOf({ policies: { lab }, restore, ...(hookDocuments && { hookDocuments }) }));
}
