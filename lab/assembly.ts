/**
 * What `cdk synth` writes, for the lab and the tests: synthesised once for all their processes, and again when anything that
 * it is made of has changed. No CLI, no account, no network.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../build.ts';

const ROOT = join(import.meta.dirname, '..');
/** Beside the bundles, which a build removes together with all that was made of them. */
const CACHE = join(ROOT, 'dist/assemblies');
/** lib/ imports nothing else of lambdas/. */
const SOURCES = [
  'lib/**/*.ts',
  'lambdas/shared/**/*.ts',
  'ssm-documents/**',
  'dist/*/*.mjs',
  'cdk.json',
  'package-lock.json',
];

/** The directory of the app with a plan, by default with the repository's own. */
export const assemblyOf = (plan?: object): Promise<string> =>
  cached(plan ?? 'own', async (outdir) => {
    const { freezeframeApp } = await import('../lib/app.ts');
    freezeframeApp({ context: contextWith(plan), outdir }).synth();
  });

/** The directory of the app for an account that gets copies. */
export const destinationAssembly = (): Promise<string> =>
  cached('destination', async (outdir) => {
    const { copyDestinationApp } = await import('../lib/copy-destination-app.ts');
    copyDestinationApp({ outdir }).synth();
  });

/** What cdk.json has, with another plan. */
export function contextWith(plan?: object): Record<string, unknown> {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  return { ...context, ...(plan && { freezeframe: plan }) };
}

async function cached(what: unknown, synthesise: (outdir: string) => Promise<void>): Promise<string> {
  await build();
  const hash = createHash('sha256').update(JSON.stringify(what));
  for (const file of globSync(SOURCES, { cwd: ROOT, withFileTypes: true }).filter((entry) => entry.isFile())) {
    hash.update(file.name).update(readFileSync(join(file.parentPath, file.name)));
  }
  const directory = join(CACHE, hash.digest('hex').slice(0, 16));
  if (existsSync(directory)) return directory;

  // The template's own validation costs two seconds; `npm run synth` and the app's test have it.
  process.env.CDK_VALIDATION ??= 'false';
  mkdirSync(CACHE, { recursive: true });
  const unfinished = mkdtempSync(join(CACHE, 'unfinished-'));
  try {
    await synthesise(unfinished);
    renameSync(unfinished, directory);
  } catch (error) {
    // Another process may have been first: its work is as good as ours.
    if (!existsSync(directory)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return directory;
}
