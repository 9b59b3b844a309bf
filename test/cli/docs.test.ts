/** docs/cli.md: what it shows of each command is what the command says. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { COMMANDS } from '../../cli/commands.ts';
import { EXIT } from '../../cli/failures.ts';
import { DRILL_PLACE } from '../../lab/synthesise.ts';
import { healthOf } from '../support/health.ts';
import { ModelAccount, stackOf } from '../support/model-account.ts';
import { freezeframe, OPERATOR } from '../support/operator.ts';

const PAGE = new URL('../../docs/cli.md', import.meta.url);
const page = readFileSync(PAGE, 'utf8');

/** The plan of the page's account. */
const POLICIES = {
  nightly: { schedule: 'cron(0 3 * * ? *)', retain: { last: 3, weekly: 4 }, drill: DRILL_PLACE },
  weekly: { schedule: 'cron(0 5 ? * SUN *)', grade: 'crash', retain: { last: 4 } },
};

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open({
    stack: await stackOf({ policies: POLICIES }),
    latency: { commandStartMs: 450, commandResultMs: 350, createSnapshotsMs: 1_100, snapshotCompletionMs: 90_000 },
  });
  healthOf(account);
  const first = account.launch({ mode: 'fs-freeze' });
  first.host.trouble.freezeMs = 600;
  const second = account.launch({ mode: 'fs-freeze' });
  for (const app of second.host.topology.apps) Object.assign(app, { ready: false, problem: 'Access denied for root' });
  account.launch({ policy: 'weekly' }).host.online = false;
});
after(() => account.close());

/** What the operator asked AWS for, by command. */
const asks = new Map<string, Set<string>>();

const BLOCK = /^```\n\$ freezeframe (.*)\n([\s\S]*?)```$/gm;

/** In the order of the page, which is one session. `UPDATE_SNAPSHOT=1` writes the outputs anew. */
it('every output on docs/cli.md is real', async () => {
  let updated = page;
  for (const [block, line = '', shown = ''] of page.matchAll(BLOCK)) {
    const from = account.world.log.length;
    const { out, err } = await freezeframe(account, line);
    const [name = ''] = line.split(' ');
    const actions = account.world.log
      .slice(from)
      .filter(({ principal }) => principal === OPERATOR)
      .map(({ service, action }) => `${service === 'monitoring' ? 'cloudwatch' : service}:${action}`);
    asks.set(name, new Set([...(asks.get(name) ?? []), ...actions]));
    const said = `${out}${err}`;
    updated = updated.replace(block, `\`\`\`\n$ freezeframe ${line}\n${said}\`\`\``);
    if (!process.env.UPDATE_SNAPSHOT) assert.equal(shape(shown), shape(said), `freezeframe ${line}`);
  }
  if (process.env.UPDATE_SNAPSHOT) writeFileSync(PAGE, updated);
});

it('docs/cli.md has the actions that each command asks AWS for', () => {
  let updated = page;
  for (const [row, name = '', actions] of page.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)) {
    const asked = [...(asks.get(name) ?? [])]
      .sort()
      .map((action) => `\`${action}\``)
      .join(', ');
    updated = updated.replace(row, `| \`${name}\` | ${asked} |`);
    if (!process.env.UPDATE_SNAPSHOT) assert.equal(actions, asked, name);
  }
  if (process.env.UPDATE_SNAPSHOT)
    writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(tableOf(page), tableOf(updated)));
  const needs = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(
    needs.sort(),
    COMMANDS.map(({ name }) => name)
      .filter((name) => name !== 'completion')
      .sort(),
  );
});

it('docs/cli.md has every exit code, and every command', () => {
  const codes = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(codes, Object.values(EXIT));
  for (const { name } of COMMANDS) assert.match(page, new RegExp(`freezeframe ${name}\\b`), name);
});

/** Times, sizes and lengths of bars are of one run alone. */
const shape = (text: string): string =>
  text
    .replaceAll(/\b\d+(\.\d+)? (ms|s|min|h|d)( \d+ (s|min|h))?\b/g, 'TIME')
    .replaceAll(/\d+(\.\d+)?/g, '#')
    .replaceAll(/^ +(TIME *)+$/gm, 'AXIS')
    .replaceAll(/[█░]+/g, '█')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/ $/gm, '');

const tableOf = (text: string): string => /^\| Command \| Actions[\s\S]*?\n\n/m.exec(text)?.[0] ?? '';
