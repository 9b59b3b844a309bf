/**
 * Bundles every Lambda state into `dist/<state>/index.mjs`, and the command line into `dist/cli/`: the very bytes that ship
 * are the bytes that the tests run.
 */
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build as esbuild, type Plugin } from 'esbuild';
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

/** Bundles all functions and the command line; the same sources give the same bytes. */
export async function build(): Promise<Bundle[]> {
  const [functions, cli] = await Promise.all([bundleFunctions(), bundleCli()]);
  return [...functions, cli];
}

/** All in one go: what they have in common, the SDK most of all, is read once. */
async function bundleFunctions(): Promise<Bundle[]> {
  const names = Object.keys(FUNCTIONS) as FunctionName[];
  await esbuild({
    ...COMMON,
    entryPoints: names.map((name) => ({ in: `lambdas/${name}/handler.ts`, out: `${name}/index` })),
    outdir: BUNDLES,
    outExtension: { '.js': '.mjs' },
    plugins: [literalKeys, environmentCredentials],
  });
  return names.map((name) => ({ name, ...sizes(bundlePath(name)) }));
}

/** With the SDK's whole chain of credentials: profiles, SSO and all. */
async function bundleCli(): Promise<Bundle> {
  await esbuild({
    ...COMMON,
    entryPoints: ['cli/freezeframe.ts'],
    outfile: CLI,
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
    plugins: [literalKeys],
  });
  chmodSync(CLI, 0o755);
  return { name: 'cli', ...sizes(CLI) };
}

const COMMON: BuildOptions = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  logLevel: 'warning',
};

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
  for (const { name, bytes, gzipBytes } of await build()) {
    const sizes = [bytes, gzipBytes].map((size) => `${(size / 1000).toFixed(0)} KB`.padStart(8));
    console.log(`${name.padEnd(18)}${sizes[0]}${styleText('dim', `${sizes[1]} gzip`)}`);
  }
}
