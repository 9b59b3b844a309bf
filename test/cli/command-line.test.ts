/** The command line as it ships, in a process of its own: before it ever reaches an account. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { build, CLI } from '../../build.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { VERSION } from '../../cli/version.ts';

await build();

const home = mkdtempSync(join(tmpdir(), 'freezeframe-home-'));
after(() => rmSync(home, { recursive: true, force: true }));

/** Nobody: no profile, no keys, no instance whose role could be asked for. */
const NOBODY = { PATH: process.env.PATH, HOME: home, AWS_EC2_METADATA_DISABLED: 'true' };

const run = (args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', env: { ...NOBODY, ...env }, timeout: 60_000 });

const complete = (shell: string, args: readonly string[]) =>
  spawnSync(shell, args, { encoding: 'utf8', env: { ...NOBODY, TERM: 'dumb' } });

describe('freezeframe', () => {
  it('says its version', () => assert.equal(run(['--version']).stdout, `${VERSION}\n`));

  it('explains itself without an account, and each command with examples of itself', () => {
    const { status, stdout } = run([]);
    assert.equal(status, 0);
    for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
    assert.equal(run(['help', 'backup']).stdout, run(['backup', '--help']).stdout);
    for (const { name, examples } of COMMANDS) {
      const help = run([name, '--help']);
      assert.equal(help.status, 0);
      for (const [line] of examples)
        assert.ok(help.stdout.includes(line) && line.includes(`freezeframe ${name}`), line);
      assert.deepEqual(
        help.stdout
          .split('\n')
          .filter((text) => text.length > 80 && !text.startsWith('  freezeframe') && !text.includes(': ')),
        [],
      );
    }
  });

  for (const [args, said] of [
    [['bakup'], /there is no command bakup; do you mean backup\?/],
    [['show'], /show needs <set>; see freezeframe show --help/],
    [['show', 'a', 'b'], /b is more than show takes/],
    [['list', '--grade', 'good'], /--grade is good; it may be crash, filesystem, application, unproven/],
    [['list', '--color'], /Unknown option '--color'; see freezeframe list --help/],
    [['list', '--limit', 'all'], /--limit is all; it may be 1 or more/],
    [['prune', 'web-1', '--dry-run'], /web-1 is no instance id/],
    [['completion', 'tcsh'], /<shell> is tcsh; it may be bash, zsh, fish/],
    [['backup', 'web-1'], /web-1 is no instance id/],
  ] as const) {
    it(`refuses "${args.join(' ')}" with 2, and says why`, () => {
      const { status, stderr, stdout } = run(args, { AWS_REGION: 'eu-central-1' });
      assert.equal(status, 2, stderr);
      assert.match(stderr, said);
      assert.equal(stdout, '');
    });
  }

  it('ends with 3 where no Region is set, and says where it can be', () => {
    const { status, stderr } = run(['list']);
    assert.equal(status, 3);
    assert.match(stderr, /no Region is set: give --region, set AWS_REGION/);
  });

  it('ends with 3 where there are no credentials, and says how to get some', () => {
    const { status, stderr } = run(['list', '--region', 'eu-central-1']);
    assert.equal(status, 3);
    assert.match(stderr, /no AWS credentials were found: name a profile \(--profile, AWS_PROFILE\), log in/);
  });

  it('takes the Region of a profile, and its keys', () => {
    const config = join(home, 'config');
    writeFileSync(
      config,
      '[profile backups]\nregion = eu-west-1\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n',
    );
    // Nothing listens on port 9: that it is asked shows that Region and keys were found.
    const { status, stderr } = run(['list', '--profile', 'backups'], {
      AWS_CONFIG_FILE: config,
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    });
    assert.match(stderr, /AWS did not answer: look at network, proxy and Region, then try again \(.*127\.0\.0\.1:9/);
    assert.equal(status, 6);
  });

  it('says an error as JSON where that was asked for', () => {
    const { status, stdout } = run(['list', '--json']);
    assert.equal(status, 3);
    assert.deepEqual(Object.keys(JSON.parse(stdout).error), ['name', 'message', 'exit']);
  });

  it('colours nothing in a pipe', () => assert.ok(!run([]).stdout.includes('\u001b')));
});

describe('shell completion', () => {
  const script = (shell: string) => run(['completion', shell]).stdout;
  const bash = (...words: string[]) => {
    const { stdout, stderr, status } = complete('bash', [
      '-c',
      `${script('bash')}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _freezeframe; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]);
    assert.equal(status, 0, stderr);
    return stdout.split('\n').filter(Boolean);
  };

  it('of bash completes commands', () => assert.deepEqual(bash('freezeframe', 'ba'), ['backup']));

  it('of bash completes options of the command, and those of all', () => {
    assert.deepEqual(bash('freezeframe', 'backup', '--p'), ['--policy', '--profile']);
    assert.deepEqual(bash('freezeframe', 'show', '--s'), ['--svg']);
  });

  it('of bash completes the values that are known', () => {
    assert.deepEqual(bash('freezeframe', 'list', '--grade', 'f'), ['filesystem']);
    assert.deepEqual(bash('freezeframe', 'completion', 'z'), ['zsh']);
    assert.deepEqual(bash('freezeframe', 'backup', '--policy', ''), []);
  });

  it('of zsh and of fish is read without a complaint, where they are installed', () => {
    for (const [shell, args] of [
      ['zsh', ['-f', '-c', `autoload -Uz compinit; compinit -D; ${script('zsh')}\nwhence _freezeframe`]],
      ['fish', ['--no-config', '-c', `${script('fish')}\ncomplete -C 'freezeframe list --grade f'`]],
    ] as const) {
      const { status, stdout, stderr, error } = complete(shell, args);
      if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') continue;
      assert.equal(status, 0, stderr);
      assert.equal(stderr, '');
      assert.match(stdout, shell === 'zsh' ? /_freezeframe/ : /^filesystem/);
    }
  });
});
