/** backup, list and show in an account whose workflow, functions and hosts are played: what they say is what is there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { SET_TAGS } from '../../lambdas/shared/names.ts';
import { ModelAccount, type Server } from '../support/model-account.ts';
import { freezeframe, type Said } from '../support/operator.ts';

let account: ModelAccount;
before(async () => {
  account = await ModelAccount.open();
});
after(() => account.close());

const operator = (line: string, options?: { tty?: number }): Promise<Said> => freezeframe(account, line, options);

const backedUp = async (options: Parameters<ModelAccount['launch']>[0] = {}) => {
  const server = account.launch(options);
  const said = await operator(`backup ${server.id} --json`);
  return { server, said, run: said.json.runs[0] };
};

describe('backup', () => {
  it('follows a run to its green end, and says what its set is', async () => {
    const { server, said, run } = await backedUp({ mode: 'fs-freeze' });
    assert.equal(said.exit, 0, said.err);
    const snapshots = account.snapshotsOf(run.run).map(({ id }) => id);
    assert.deepEqual(
      [run.instance, run.status, run.grade, run.error, run.snapshots],
      [server.id, 'SUCCEEDED', 'application', null, snapshots.sort()],
    );
    assert.match(run.run, new RegExp(`^${server.id}-\\d{4}-\\d\\d-\\d\\dT\\d{6}Z$`));
    assert.match(
      run.link,
      /^https:\/\/eu-central-1\.console\.aws\.amazon\.com\/states\/home\?region=eu-central-1#\/v2\/executions\/details\/arn:aws:states:/,
    );
  });

  it('writes a line for each state into a pipe, once, and leaves stdout to the JSON', async () => {
    const server = account.launch();
    const said = await operator(`backup ${server.id}`);
    const states = [...said.out.matchAll(/^ {2}✔ ([A-Z][a-z ]*?) {2,}/gm)].map(([, state]) => state);
    assert.deepEqual(states, [
      'Inspect host',
      'Rehearse',
      'Freeze',
      'Create snapshots',
      'Thaw',
      'Grade',
      'Store receipt',
      'Check snapshots',
    ]);
    assert.match(said.out, /is complete\. Its set has grade application: 3 snapshots, frozen for /);
    assert.equal(said.out, stripVTControlCharacters(said.out));
  });

  it('shows on a terminal what is under way, and wipes it', async () => {
    const server = account.launch();
    const said = await operator(`backup ${server.id}`, { tty: 100 });
    assert.match(said.out, /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] [A-Z]\w+/);
    const shown = played(said.out);
    assert.ok(!/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/.test(shown), shown);
    assert.match(shown, /✔ Create snapshots .*\n {2}✔ Thaw/);
  });

  it('ends with 1 when a run ends red, with its error, and the set that was left all the same', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
    const said = await operator(`backup ${server.id}`);
    assert.equal(said.exit, 1);
    assert.match(said.out, /✘ Freeze .* LockTimeoutError/);
    assert.match(said.out, /ended red\. LockTimeoutError: /);
    assert.match(said.out, /Its set has grade crash: 3 snapshots/);
  });

  it('says why an instance without the tag is refused', async () => {
    const server = account.launch({ policy: '' });
    const said = await operator(`backup ${server.id} --json`);
    assert.equal(said.exit, 1);
    assert.equal(said.json.runs[0].error.name, 'NotTaggedError');
    assert.match(
      said.json.runs[0].error.cause,
      /has no tag freezeframe:policy; set it to a policy of the plan: nightly/,
    );
  });

  it('follows several runs at once, and is as good as the worst of them', async () => {
    const [good, bad] = [account.launch(), account.launch({ policy: 'unknown' })];
    const said = await operator(`backup ${good.id} ${bad.id} --json`);
    assert.equal(said.exit, 1);
    assert.deepEqual(
      said.json.runs.map(({ status }: { status: string }) => status),
      ['SUCCEEDED', 'FAILED'],
    );
  });

  it('looks again where Step Functions does not tell of the run yet, throttles, or does not answer', async () => {
    const server = account.launch();
    const faults = [
      { action: 'DescribeExecution', nth: [1, 2], fault: { kind: 'error', code: 'ExecutionDoesNotExist' } },
      { action: 'GetExecutionHistory', nth: [3, 4, 5, 6, 7, 8], fault: { kind: 'error', code: 'ThrottlingException' } },
      { action: 'DescribeExecution', nth: 5, fault: { kind: 'lostAnswer' } },
    ] as const;
    const over = faults.map((fault) => account.world.faults.add(fault));
    const said = await operator(`backup ${server.id} --json`);
    for (const end of over) end();
    assert.equal(said.exit, 0, said.err);
    assert.equal(said.json.runs[0].status, 'SUCCEEDED');
  });

  it('says where the run goes on when the looking must end', async () => {
    const server = account.launch();
    const over = account.world.faults.add({
      action: 'DescribeExecution',
      fault: { kind: 'error', code: 'ExpiredTokenException' },
    });
    const { exit, err, out } = await operator(`backup ${server.id}`);
    over();
    assert.equal(exit, 3);
    assert.match(err, /Nobody looks on any more; in AWS it goes on:\nhttps:.*Freezeframe-Backup/);
    const [, name] = /Freezeframe-Backup:(\S+)/.exec(out) ?? [];
    assert.equal(
      (await account.stepFunctions.executions.find((each) => each.name === name)?.ended)?.status,
      'SUCCEEDED',
    );
  });

  it('starts without looking on where that is asked', async () => {
    const server = account.launch();
    const { exit, json } = await operator(`backup ${server.id} --no-wait --json`);
    assert.equal(exit, 0);
    const execution = account.stepFunctions.executions.find(({ name }) => name === json.runs[0].run);
    assert.equal((await execution?.ended)?.status, 'SUCCEEDED');
  });
});

describe('list', () => {
  it('has every set of an instance, the newest first, as its tags tell it', async () => {
    const { server, run } = await backedUp({ mode: 'fs-freeze' });
    await account.backup(server);
    const { exit, json } = await operator(`list ${server.id} --json`);
    assert.equal(exit, 0);
    const [newest, oldest] = json.sets;
    assert.deepEqual(
      [oldest.set, oldest.grade, oldest.mode, oldest.state, oldest.sizeGiB],
      [run.run, 'application', 'fs-freeze', 'whole', 208],
    );
    assert.ok(Date.parse(newest.startedAt) > Date.parse(oldest.startedAt));
    assert.deepEqual((await operator(`list ${server.id} --limit 1 --json`)).json.sets, [newest]);
    assert.deepEqual((await operator(`list ${server.id} --grade crash --json`)).json.sets, []);
    assert.match(
      (await operator(`list ${server.id}`)).out,
      new RegExp(`^${run.run} .* nightly +application +fs-freeze .* 3 +whole$`, 'm'),
    );
  });

  it('calls a set that lost a member broken, and names what belongs to none', async () => {
    const { server, run } = await backedUp();
    const [first, second] = account.snapshotsOf(run.run);
    assert.ok(first && second);
    first.deleted = true;
    second.tags.delete(SET_TAGS.set);
    const said = await operator(`list ${server.id}`);
    assert.match(said.out, new RegExp(`^${run.run} .* broken$`, 'm'));
    assert.match(said.out, new RegExp(`1 snapshot of ours belong to no set: .*${second.id}`));
  });

  it('says that there is none', async () =>
    assert.match(
      (await operator('list i-0000000000000dead')).out,
      /^There are no such sets in this account and Region\./,
    ));
});

describe('show', () => {
  let server: Server;
  let run: string;
  before(async () => {
    ({
      server,
      run: { run },
    } = await backedUp({ mode: 'fs-freeze' }));
  });

  it('shows a set by its id, and the newest one by its instance', async () => {
    const byId = await operator(`show ${run}`);
    assert.equal(byId.exit, 0, byId.err);
    for (const line of [
      /^MariaDB 10\.11\.6 held +█+/m,
      /^\/srv\/data frozen +█+/m,
      /^CreateSnapshots +█+/m,
      /thawed by: asked; lease 30 s/,
      /\/srv\/data: found frozen when thawed/,
      /writes while frozen: dm-0 0/,
    ]) {
      assert.match(byId.out, line);
    }
    for (const { id } of account.snapshotsOf(run)) assert.ok(byId.out.includes(id));
    assert.equal((await operator(`show ${server.id} --json`)).json.set.set, run);
  });

  it('draws the picture and the page into files', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'freezeframe-show-'));
    after(() => rmSync(directory, { recursive: true, force: true }));
    const [svg, html] = [join(directory, 'run.svg'), join(directory, 'run.html')];
    const said = await operator(`show ${run} --svg ${svg} --html ${html} --json`);
    assert.deepEqual(said.json.written, [svg, html]);
    assert.match(readFileSync(svg, 'utf8'), /^<svg [\s\S]*<\/svg>\n$/);
    assert.ok(readFileSync(html, 'utf8').includes(run));
    assert.equal((await operator(`show ${run} --svg -`)).out, readFileSync(svg, 'utf8'));
  });

  it('notices evidence that is not the one the set was graded by', async () => {
    const { server, run } = await backedUp();
    const [bucket] = account.deployment.stack.buckets;
    const key = `sets/${server.id}/${run.run}.json`;
    const object = account.world.s3.get(bucket?.name ?? '', key);
    const forged = { ...JSON.parse(object.body.toString()), reasons: ['none at all'] };
    account.world.s3.put(bucket?.name ?? '', key, Buffer.from(JSON.stringify(forged)), 'application/json');
    const said = await operator(`show ${run.run}`);
    assert.equal(said.exit, 1);
    assert.match(said.out, /its evidence is not the one that it was graded by/);
  });

  it('tells of a run whose set was discarded', async () => {
    const server = account.launch({ policy: 'strict', mode: 'fs-freeze' });
    server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
    const { json } = await operator(`backup ${server.id} --json`);
    const said = await operator(`show ${json.runs[0].run}`);
    assert.equal(said.exit, 0);
    assert.match(said.out, /discarded or gone: there are no snapshots/);
    assert.match(said.out, /How the run ended\n {2}LockTimeoutError/);
  });

  it('ends with 5 where there is no such set', async () => {
    for (const name of ['i-0000000000000dead', 'no-such-run']) {
      const said = await operator(`show ${name}`);
      assert.equal(said.exit, 5, said.out);
      assert.match(
        said.err,
        name === 'no-such-run' ? /no set and no run no-such-run/ : /has no set in this account and Region; start one/,
      );
    }
  });
});

describe('whatever AWS refuses', () => {
  it('ends with 4, and names the action that is not allowed', async () => {
    account.world.authorize = ({ action }) => action !== 'DescribeSnapshots';
    const said = await operator('list');
    account.world.authorize = undefined;
    assert.equal(said.exit, 4);
    assert.match(said.err, /ec2:DescribeSnapshots is not allowed here; allow it/);
  });

  it('ends with 6 where it throttles', async () => {
    const over = account.world.faults.add({
      action: 'DescribeSnapshots',
      fault: { kind: 'error', code: 'RequestLimitExceeded', status: 503 },
    });
    const said = await operator('list');
    over();
    assert.equal(said.exit, 6);
    assert.match(said.err, /ec2:DescribeSnapshots was throttled/);
  });

  it('ends with 3 where the credentials are over', async () => {
    const over = account.world.faults.add({
      action: 'ListStateMachines',
      fault: { kind: 'error', code: 'ExpiredTokenException' },
    });
    const said = await operator(`backup ${account.launch().id}`);
    over();
    assert.equal(said.exit, 3);
    assert.match(said.err, /the AWS credentials are over: log in again/);
  });

  it('ends with 5 where Freezeframe is not deployed', async () => {
    const { stack } = account.deployment;
    const machines = stack.stateMachines.splice(0);
    const said = await operator(`backup ${account.launch().id}`);
    stack.stateMachines.push(...machines);
    assert.equal(said.exit, 5);
    assert.match(said.err, /there is no state machine Freezeframe-Backup in eu-central-1: deploy Freezeframe here/);
  });
});

const ESC = String.fromCharCode(27);
const UP = new RegExp(`(${ESC}\\[\\d+A${ESC}\\[J)`);

/** What a terminal shows in the end: cursor up, wipe to the end. */
function played(text: string): string {
  const lines: string[] = [];
  for (const part of text.split(UP)) {
    if (UP.test(part)) lines.splice(lines.length - Number.parseInt(part.slice(2), 10));
    else lines.push(...part.split('\n').slice(0, -1));
  }
  return stripVTControlCharacters(lines.join('\n'));
}
