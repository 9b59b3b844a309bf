/** The examples synthesise as they stand, in apps that set no flag of the CDK's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readAssembly, type Stack } from '../lab/aws/template.ts';
import { FLEET } from '../lambdas/shared/names.ts';

const EXAMPLES = join(import.meta.dirname, '../examples');
const scratch = mkdtempSync(join(tmpdir(), 'freezeframe-examples-'));
after(() => rmSync(scratch, { recursive: true }));

const STACKS: Readonly<Record<string, readonly string[]>> = {
  'own-app': ['Backups'],
  windows: ['Backups'],
  accounts: [
    'Freezeframe-111122223333-eu-central-1',
    'Freezeframe-111122223333-eu-west-1',
    'Freezeframe-444455556666-eu-central-1',
  ],
  'stack-set': ['Freezeframe'],
};

/** Each as it stands, in one process, which loads the CDK once. */
const SYNTHESISE = `
for (const example of process.argv.slice(1)) {
  process.env.CDK_OUTDIR = ${JSON.stringify(scratch)} + '/' + example;
  await import(${JSON.stringify(EXAMPLES)} + '/' + example + '.ts');
}`;

/** The templates that an example has made, by their stacks. */
function templatesOf(example: string): Map<string, string> {
  const cwd = join(scratch, example);
  const files = globSync('*.template.json', { cwd });
  return new Map(files.map((file) => [basename(file, '.template.json'), readFileSync(join(cwd, file), 'utf8')]));
}

describe('examples', () => {
  before(() =>
    execFileSync(process.execPath, ['--input-type=module', '--eval', SYNTHESISE, ...Object.keys(STACKS)], {
      env: { ...process.env, CDK_VALIDATION: 'false' },
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );

  it('are all tried here', () =>
    assert.deepEqual(
      globSync('*.ts', { cwd: EXAMPLES }).sort(),
      Object.keys(STACKS)
        .map((name) => `${name}.ts`)
        .sort(),
    ));

  for (const [example, stacks] of Object.entries(STACKS)) {
    it(`${example} synthesises`, () => {
      const templates = templatesOf(example);
      assert.deepEqual([...templates.keys()].sort(), [...stacks].sort());
      for (const template of templates.values()) assert.match(template, /Freezeframe-Backup/);
    });
  }

  it('keep the results of a fleet, which the CDK drops where a flag is missing', () => {
    const { stateMachines }: Stack = readAssembly(join(scratch, 'own-app'));
    const fleet = stateMachines.find(({ name }) => name === FLEET)?.definition as unknown as {
      States: Record<string, { ResultWriter?: unknown }>;
    };
    assert.ok(fleet.States['For each target']?.ResultWriter);
  });

  it('stack-set bears no account and no Region, and asks for no bootstrap', () => {
    const template = readFileSync(join(scratch, 'stack-set/Freezeframe.template.json'), 'utf8');
    assert.doesNotMatch(template, /BootstrapVersion|cdk-hnb659fds|\b\d{12}\b/);
    assert.match(template, /example-org-freezeframe-\$\{AWS::Region\}/);
  });

  it('windows lets the role of the instance take its own sets', () =>
    assert.match(readFileSync(join(scratch, 'windows/Backups.template.json'), 'utf8'), /AmazonSSMManagedInstanceCore/));
});
