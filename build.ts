/**
 * Bundles every Lambda state into `dist/<state>/index.mjs`, and the command line into `dist/cli/`: the very bytes that ship
 * are the bytes that the tests run.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, type BuildResult, build as esbuild, type Plugin } from 'esbuild';
import { BUNDLES, FUNCTIONS, type FunctionName } from './lib/functions.ts';

export interface Bundle {
  readonly name: FunctionName | 'cli';
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** Where the bundle of a function lies. */
export const bundlePath = (name: FunctionName): string => join(BUNDLES, name, 'index.mjs');

/** The command line, in one file. */
export const CLI = join(BUNDLES, 'cli', 'freezeframe.mjs');

/** Bundles all functions and the command line, unless they are there and all that they were made of is as it was. */
export async function build(): Promise<void> {
  if (isCurrent()) return;
  remember(await Promise.all([bundleFunctions(), bundleCli()]));
}

/** What is there. */
export const bundles = (): Bundle[] => [
  ...NAMES.map((name) => ({ name, ...sizes(bundlePath(name)) })),
  { name: 'cli', ...sizes(CLI) },
];

const NAMES = Object.keys(FUNCTIONS) as FunctionName[];

/** Every file that went into the bundles, and the bundles themselves, with its hash. */
const MADE_OF = join(BUNDLES, 'made-of.json');
/** What esbuild does not tell: how it was asked. */
const ASKED_BY = ['build.ts', 'lib/functions.ts', 'package-lock.json', 'tsconfig.json'];

/** Whether all files of a record are as they were. */
export function isCurrent(record = MADE_OF): boolean {
  if (!existsSync(record)) return false;
  const files: Record<string, string> = JSON.parse(readFileSync(record, 'utf8'));
  return Object.entries(files).every(([file, hash]) => hashOf(file) === hash);
}

function remember(results: readonly BuildResult<{ metafile: true }>[]): void {
  const files = results.flatMap(({ metafile }) => [...Object.keys(metafile.inputs), ...Object.keys(metafile.outputs)]);
  const hashes = Object.fromEntries([...ASKED_BY, ...files].map((file) => [file, hashOf(file)]));
  // Others may read it meanwhile.
  const unfinished = `${MADE_OF}.${process.pid}`;
  writeFileSync(unfinished, JSON.stringify(hashes));
  renameSync(unfinished, MADE_OF);
}

export function hashOf(file: string): string | undefined {
  const path = resolve(import.meta.dirname, file);
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined;
}

/** All in one go: what they have in common, the SDK most of all, is read once. */
function bundleFunctions() {
  return esbuild({
    ...COMMON,
    entryPoints: NAMES.map((name) => ({ in: `lambdas/${name}/handler.ts`, out: `${name}/index` })),
    outdir: BUNDLES,
    outExtension: { '.js': '.mjs' },
    plugins: [literalKeys, environmentCredentials],
  });
}

/** With the SDK's whole chain of credentials: profiles, SSO and all. */
async function bundleCli() {
  const result = await esbuild({
    ...COMMON,
    entryPoints: ['cli/freezeframe.ts'],
    outfile: CLI,
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
    plugins: [literalKeys],
  });
  chmodSync(CLI, 0o755);
  return result;
}

const COMMON = {
  absWorkingDir: import.meta.dirname,
  metafile: true,
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

/** Some packages of the chain are CommonJS, and ask for Node's own modules by `require`. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

const sizes = (path: string) => {
  const code = readFileSync(path);
  return { bytes: code.length, gzipBytes: gzipSync(code).length };
};

/**
 * The SDK's schemas name their keys by constants (`{ [_eQN]: … }`), which esbuild can't prove to be without effect, so
 * it keeps all schemas of all operations. With literal keys the unused ones fall away: EC2 shrinks from 850 to 300 KB.
 */
const literalKeys: Plugin = {
  name: 'literal-keys',
  setup(esbuild) {
    esbuild.onLoad({ filter: /schemas[\\/]schemas_0\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const constants = new Map([...source.matchAll(/^const (_\w+) = ("[^"]*");/gm)].map((m) => [m[1], m[2]]));
      const contents = source.replace(/\[(_\w+)\]:/g, (key, name) =>
        constants.has(name) ? `${constants.get(name)}:` : key,
      );
      return { loader: 'js', contents };
    });
  },
};

/**
 * Lambda hands credentials over in environment variables. The SDK's default chain goes on to profiles, SSO, web identity
 * and instance metadata, which would bring 135 KB of clients for other services into each bundle.
 */
const environmentCredentials: Plugin = {
  name: 'environment-credentials',
  setup(esbuild) {
    esbuild.onLoad({ filter: /@aws-sdk[\\/]credential-provider-node[\\/]dist-es[\\/]index\.js$/ }, () => ({
      contents: `export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';`,
    }));
  },
};

if (import.meta.main) {
  rmSync(BUNDLES, { recursive: true, force: true });
  await build();
  for (const { name, bytes, gzipBytes } of bundles()) {
    const sizes = [bytes, gzipBytes].map((size) => `${(size / 1000).toFixed(0)} KB`.padStart(8));
    console.log(`${name.padEnd(18)}${sizes[0]}${styleText('dim', `${sizes[1]} gzip`)}`);
  }
}
