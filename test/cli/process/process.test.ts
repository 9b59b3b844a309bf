/** The bundle as it ships, in processes of its own, against an account on loopback whose time is real. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, it } from 'node:test';
import { CLI } from '../../../build.ts';
import { type Deployment, deploy } from '../../../lab/aws/deploy.ts';
import { World } from '../../../lab/aws/world.ts';
import { USER_TAGS } from '../../../lambdas/shared/names.ts';
import { healthOf } from '../../support/health.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { stackOfTests } from '../../support/model-account.ts';
import { ModelHost } from '../../support/model-host.ts';
import { OPERATOR } from '../../support/operator.ts';

const INSTANCE = 'i-0123456789abcdef0';
const VOLUMES = ['vol-0000000000000000a', 'vol-0000000000000000b', 'vol-0000000000000000c'] as const;

let deployment: Deployment;
let host: ModelHost;
before(async () => {
  const store = new MemoryStore();
  // A set is on its way long enough for somebody to lose patience.
  const world = new World({ store, limits: { rates: {} }, latency: { snapshotCompletionMs: 60_000 } });
  deployment = await deploy(await stackOfTests(), world);
  healthOf({ world, deployment });
  host = new ModelHost({ rootVolume: VOLUMES[0], dataVolumes: VOLUMES.slice(1), database: true });
  host.watch(store, INSTANCE);
  world.ec2.addInstance({
    id: INSTANCE,
    tags: { [USER_TAGS.policy]: 'nightly' },
    agent: host,
    volumes: VOLUMES.map((id, at) => ({ id, device: `/dev/sd${'afg'[at]}`, sizeGiB: 8 })),
    rootDevice: '/dev/sda',
  });
});
after(() => deployment.close());

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** `onOutput`: sees all that was written so far. */
const run = (line: string, onOutput?: (out: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, ...line.split(' ')], {
      env: { PATH: process.env.PATH, HOME: '/nonexistent', ...deployment.server.environment(OPERATOR) },
    });
    const [out, err]: [string[], string[]] = [[], []];
    child.stdout.on('data', (data) => {
      out.push(String(data));
      onOutput?.(out.join(''), (signal) => child.kill(signal));
    });
    child.stderr.on('data', (data) => err.push(String(data)));
    child.on('close', (code) => resolve({ code, out: out.join(''), err: err.join('') }));
  });

it('doctor and plan read what every service answers', async () => {
  const doctor = await run('doctor --json');
  assert.equal(doctor.code, 0, doctor.out + doctor.err);
  const { findings } = JSON.parse(doctor.out);
  assert.ok(findings.some(({ check, level }: Record<string, string>) => check === 'schedules' && level === 'good'));
  const plan = await run('plan --json');
  assert.equal(plan.code, 0, plan.out + plan.err);
  assert.equal(JSON.parse(plan.out).plans[0].expected, 'application');
});

it('Ctrl-C ends the looking with 130 and the link, and never the run', async () => {
  const { code, out, err } = await run(`backup ${INSTANCE}`, (seen, kill) => {
    if (seen.includes('Store receipt')) kill('SIGINT');
  });
  assert.equal(code, 130);
  assert.match(
    err,
    /Nobody looks on any more; in AWS it goes on:\nhttps:\/\/eu-central-1\.console\.aws\.amazon\.com\//,
  );
  const [, name = ''] = /Freezeframe-Backup:(\S+)/.exec(out) ?? [];
  const execution = deployment.stepFunctions.executions.find((each) => each.name === name);
  assert.equal(execution?.status, 'RUNNING');
  assert.equal(host.frozen, false);

  const list = await run(`list ${INSTANCE}`);
  assert.match(list.out, new RegExp(`^${name} .* application .* pending \\d+ %$`, 'm'));
  const show = await run(`show ${name} --json`);
  assert.equal(show.code, 0, show.err);
  assert.equal(JSON.parse(show.out).fault, null);
});

it('a reader that has seen enough is no error', async () => {
  const { code } = await new Promise<{ code: number | null }>((resolve) => {
    const child = spawn('bash', ['-c', `set -o pipefail; "$1" "$2" help | head -1`, 'bash', process.execPath, CLI]);
    child.on('close', (exit) => resolve({ code: exit }));
  });
  assert.equal(code, 0);
});
