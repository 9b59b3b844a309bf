import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../build.ts';
import type { GradeName } from '../lambdas/shared/names.ts';
import { readAssembly } from './aws/template.ts';

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
  const lab = { schedule: 'rate(1 day)', retain: { last: 3 }, freeze: { leaseSeconds }, ...policy };
  const outdir = mkdtempSync(join(tmpdir(), 'freezeframe-synth-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  freezeframeApp({ context: { ...context, freezeframe: { policies: { lab } } }, outdir }).synth();
  return readAssembly(outdir);
}
