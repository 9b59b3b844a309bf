import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, bundlePath, bundles } from '../../build.ts';
import type { FunctionName } from '../../lib/functions.ts';
import { type Machine, measuredOn, type Part, table } from './page.ts';
import { type Spread, spreadOf, told } from './spread.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Results {
  machine: Machine;
  bundles: { name: string; bytes: number; gzipBytes: number; importMs: Spread; memoryMiB: Spread }[];
  synthMs: Spread;
  /** `npm test`, its build and all. */
  test: { tests: number; ms: Spread };
}

/** What ships, and what it takes to load it. */
export const sizes: Part = {
  async measure({ rounds = 9 }) {
    await build();
    const built = bundles().flatMap(({ name, ...size }) => (name === 'cli' ? [] : [{ name, ...size }]));
    const times = Object.fromEntries(built.map(({ name }) => [name, [] as Loaded[]]));
    // Round by round, so that a busy minute falls on all of them.
    for (let round = 0; round < rounds; round += 1) for (const { name } of built) times[name]?.push(load(name));
    const synths: number[] = [];
    for (let round = 0; round < Math.ceil(rounds / 3); round += 1) synths.push(synthMs());
    const suites = Array.from({ length: Math.ceil(rounds / 3) }, tested);
    return {
      bundles: built.map(({ name, bytes, gzipBytes }) => ({
        name,
        bytes,
        gzipBytes,
        importMs: spreadOf((times[name] ?? []).map(({ ms }) => ms)),
        memoryMiB: spreadOf((times[name] ?? []).map(({ mib }) => mib)),
      })),
      synthMs: spreadOf(synths),
      test: { tests: suites[0]?.tests ?? 0, ms: spreadOf(suites.map(({ ms }) => ms)) },
    } satisfies Omit<Results, 'machine'>;
  },

  render(results: Results) {
    const [first] = results.bundles;
    const bundles = results.bundles.toSorted((a, b) => b.bytes - a.bytes);
    return `
${measuredOn(results)} ${first?.importMs.times} processes each; the middle one, and the least and the most of them.
Importing is what a cold start adds to Lambda's own; the memory is what the process needs more than an empty one.

${table(
  ['Function', 'Bundle KB', 'gzip KB', 'import ms', 'memory MiB'],
  bundles.map(({ name, bytes, gzipBytes, importMs, memoryMiB }) => [
    `\`${name}\``,
    (bytes / 1000).toFixed(0),
    (gzipBytes / 1000).toFixed(0),
    told(importMs),
    told(memoryMiB),
  ]),
)}

Synthesising the stack, with its bundles at hand and the plan of \`cdk.json\`: ${told(spreadToSeconds(results.synthMs), 1)} s.
\`npm test\`, its ${results.test.tests} tests with the build before them: ${told(spreadToSeconds(results.test.ms))} s.
`;
  },
};

interface Loaded {
  ms: number;
  mib: number;
}

/** One bundle in a process of its own, as Lambda loads it. */
const load = (name: FunctionName): Loaded =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `const before = process.memoryUsage().rss, began = performance.now();
         await import(${JSON.stringify(pathToFileURL(bundlePath(name)).href)});
         const ms = performance.now() - began;
         console.log(JSON.stringify({ ms, mib: (process.memoryUsage().rss - before) / 2 ** 20 }));`,
      ],
      { encoding: 'utf8', env: { ...process.env, AWS_REGION: 'eu-central-1' } },
    ),
  );

/** The app as the CDK starts it, without the CDK. */
function synthMs(): number {
  const CDK_OUTDIR = mkdtempSync(join(tmpdir(), 'freezeframe-synth-'));
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const env = { ...process.env, CDK_OUTDIR, CDK_CONTEXT_JSON: JSON.stringify(context) };
  const began = performance.now();
  execFileSync(process.execPath, [join(ROOT, 'lib/app.ts')], { stdio: ['ignore', 'ignore', 'inherit'], env });
  const ms = performance.now() - began;
  rmSync(CDK_OUTDIR, { recursive: true });
  return ms;
}

/** Fails with the tests. */
function tested(): { tests: number; ms: number } {
  const began = performance.now();
  const said = execFileSync('npm', ['test'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const ms = performance.now() - began;
  const [, tests] = /^\S* ?tests (\d+)$/m.exec(said) ?? [];
  if (tests === undefined) throw new Error('npm test does not say how many tests there are');
  return { tests: Number(tests), ms };
}

const spreadToSeconds = ({ median, least, most, times }: Spread): Spread => ({
  median: median / 1000,
  least: least / 1000,
  most: most / 1000,
  times,
});
