import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../build.ts';
import type { GradeName } from '../lambdas/shared/names.ts';
import { readAssembly } from './aws/template.ts';

/** Where drills of the lab's and the tests' plans launch their instances. */
export const DRILL_PLACE = {
  schedule: 'rate(7 days)',
  vpcId: 'vpc-0123456789abcdef0',
  subnetId: 'subnet-0123456789abcdef0',
  imageId: 'ami-0123456789abcdef0',
} as const;

/** The policy `lab` of the lab's plan. */
export interface LabPolicy {
  readonly grade: GradeName;
  readonly onDowngrade: 'keep' | 'discard';
  /** An emulated processor is slow: leases are longer than anybody would have them on EC2. */
  readonly leaseSeconds: number;
}

/** Builds the bundles and synthesises the app with the lab's plan: what `cdk deploy` would send to AWS. */
export async function synthesise({ leaseSeconds, ...policy }: LabPolicy): Promise<ReturnType<typeof readAssembly>> {
  await build();
  // The template's validation is a check of `npm run synth`; it costs seconds.
  process.env.CDK_VALIDATION = 'false';
  const { freezeframeApp } = await import('../lib/app.ts');
  const { context } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8'));
  const lab = { schedule: 'rate(1 day)', retain: { last: 3 }, freeze: { leaseSeconds }, drill: DRILL_PLACE, ...policy };
  const outdir = mkdtempSync(join(tmpdir(), 'freezeframe-synth-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  freezeframeApp({ context: { ...context, freezeframe: { policies: { lab } } }, outdir }).synth();
  return readAssembly(outdir);
}
