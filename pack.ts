/**
 * `npm run package`: the npm package, in `package/` and as a tarball beside it. JavaScript and types of the construct, the
 * bundles of the functions, the scripts of the documents, the command.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FUNCTIONS } from './lib/functions.ts';

const ROOT = import.meta.dirname;

export const PACKAGE = join(ROOT, 'package');

/** As they stand. Of dist/ the bundles alone: the tests keep there what they have made of them. */
const COPIED = [
  ...Object.keys(FUNCTIONS).map((name) => `dist/${name}`),
  'dist/cli',
  ...['ssm-documents', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE'],
];

/** Makes `package/` of what has been built; answers the path of the tarball. */
export function pack(): string {
  rmSync(PACKAGE, { recursive: true, force: true });
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '--singleThreaded', '-p', 'tsconfig.package.json'];
  execFileSync(process.execPath, tsc, { cwd: ROOT, stdio: 'inherit' });
  for (const name of COPIED) cpSync(join(ROOT, name), join(PACKAGE, name), { recursive: true });
  writeFileSync(join(PACKAGE, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  const packed = execFileSync('npm', ['pack', '--json'], { cwd: PACKAGE, encoding: 'utf8' });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  return join(PACKAGE, filename);
}

/** What the package says of itself: what the repository does, without what is needed to work on it. */
function manifest(): object {
  const { name, version, description, license, type, engines, bin, keywords, dependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  const range = (dependency: string) => `^${dependencies[dependency]}`;
  return {
    name,
    version,
    description,
    keywords,
    license,
    type,
    engines,
    ...(bin && { bin }),
    exports: { '.': { types: './lib/index.d.ts', default: './lib/index.js' }, './package.json': './package.json' },
    dependencies: { zod: range('zod') },
    peerDependencies: { 'aws-cdk-lib': range('aws-cdk-lib'), constructs: range('constructs') },
  };
}

if (import.meta.main) console.log(pack());
