/** Bundles every Lambda state into `dist/<state>/index.mjs`: the very bytes that ship are the bytes that the tests run. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build as esbuild, type Plugin } from 'esbuild';
import { BUNDLES, FUNCTIONS, type FunctionName } from './lib/functions.ts';

export interface Bundle {
  readonly name: FunctionName;
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** Where the bundle of a function lies. */
export const bundlePath = (name: FunctionName): string => join(BUNDLES, name, 'index.mjs');

/** Bundles all functions; the same sources give the same bytes. */
export async function build(): Promise<Bundle[]> {
  return Promise.all(Object.keys(FUNCTIONS).map((name) => bundle(name as FunctionName)));
}

async function bundle(name: FunctionName): Promise<Bundle> {
  await esbuild({
    absWorkingDir: import.meta.dirname,
    entryPoints: [`lambdas/${name}/handler.ts`],
    outfile: bundlePath(name),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [literalKeys, environmentCredentials],
  });
  const code = readFileSync(bundlePath(name));
  return { name, bytes: code.length, gzipBytes: gzipSync(code).length };
}

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
