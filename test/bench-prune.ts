/**
 * `npm run bench:prune -- 100000`: so many snapshots listed, decided on and pruned by the functions' own code and the
 * unmodified SDK, against the lab's EC2 with its documented rates, in virtual time.
 */
import { answerInProcess } from '../lab/aws/in-process.ts';
import { World } from '../lab/aws/world.ts';
import { VirtualTime } from '../lab/virtual-time.ts';
import { decidePart } from '../lambdas/decide/decide.ts';
import { deleteSets } from '../lambdas/delete/delete.ts';
import { listSets, SHARD_SNAPSHOTS } from '../lambdas/list-sets/list-sets.ts';
import { systemClock } from '../lambdas/shared/clock.ts';
import * as ec2 from '../lambdas/shared/ec2.ts';
import { MemoryStore } from './support/memory-store.ts';
import { putSet, setsIn } from './support/stored-sets.ts';

const DAY_MS = 86_400_000;
const [MEMBERS, NIGHTS, KEPT] = [4, 25, 24];
const snapshots = Number(process.argv[2] ?? 100_000);
const instances = Math.ceil(snapshots / MEMBERS / NIGHTS);

VirtualTime.begin();
const world = new World({ store: new MemoryStore() });
const { clock } = world;
for (let server = 0; server < instances; server += 1) {
  const instance = `i-${Math.imul(server + 1, 0x9e3779b1)
    .toString(16)
    .replace('-', '')
    .padStart(17, '0')}`;
  world.ec2.addInstance({ id: instance, volumes: [] });
  for (let night = 1; night <= NIGHTS; night += 1) {
    putSet(world, { instance, at: clock.now() - night * DAY_MS, members: MEMBERS });
  }
}
const server = answerInProcess(world, () => 10);
Object.assign(process.env, server.environment('bench'));

const client = ec2.ec2Client({ attempts: 8, region: world.region });
const living = ec2.livingInstances(client);
let [held, bytes, parts] = [0, 0, 0];
const note = (state: object) => {
  bytes = Math.max(bytes, JSON.stringify(state).length);
};
const retain = { last: KEPT, daily: 0, weekly: 0, monthly: 0, yearly: 0, days: 0, finalDays: 0 };
const policies = { nightly: { grade: 'application', timeZone: 'Europe/Berlin', retain } } as const;
const began = clock.now();
const home = { region: world.region, account: world.account };
let state = await listSets({ input: { dryRun: false }, policies, home, destinations: [] }, () =>
  ec2.pagesOfOurs(client),
);
while (state.next !== 'end') {
  note(state);
  if (state.next === 'decide') {
    parts += 1;
    const ofPart = ec2.snapshotsOfInstances(client);
    const counted = async (suffix: string) => {
      const found = await ofPart(suffix);
      held = Math.max(held, found.length);
      return found;
    };
    const region = { living, locked: ec2.lockedSnapshots(client), snapshots: counted };
    state = await decidePart(state, () => region, clock.now());
  } else {
    const region = {
      living,
      locked: ec2.lockedSnapshots(client),
      snapshotsOf: ec2.snapshotsOfInstance(client),
      imagesOf: ec2.imagesOfSnapshots(client),
      tag: ec2.tagResources(client),
      delete: ec2.deleteSnapshot(client),
    };
    state = await deleteSets(state, () => region, systemClock);
  }
}
const seconds = (clock.now() - began) / 1_000;
const throttled = world.log.filter(({ result }) => result === 'RequestLimitExceeded').length;
const left = setsIn(world);
const { deletedSnapshots: deleted, troubles } = state.report;
const faults = [
  ...(left.size === instances * KEPT ? [] : [`${left.size} sets are left, not ${instances * KEPT}`]),
  ...([...left.values()].every((members) => members === MEMBERS) ? [] : ['a set is left in part']),
  ...(held <= SHARD_SNAPSHOTS ? [] : ['a part is greater than it may be']),
  ...(bytes < 256 * 1_024 ? [] : ['a state is greater than an execution can carry']),
  ...troubles,
];
const rows: [string, string | number][] = [
  ['snapshots listed and decided on', instances * NIGHTS * MEMBERS],
  ['deleted', deleted],
  ['whole sets left, as many as are to be kept', left.size],
  ['took, in virtual time', `${seconds.toFixed(0)} s`],
  ['deletes a second, of the 5 that EC2 gives', (deleted / seconds).toFixed(2)],
  ['requests, and throttled ones among them', `${world.log.length}, ${throttled}`],
  ['parts', parts],
  ['most snapshots in memory at once', held],
  ['greatest state of the execution', `${Math.round(bytes / 1_024)} KiB of 256`],
];
for (const [what, value] of rows) console.log(`| ${what} | ${value} |`);
for (const fault of faults) console.error(fault);
await server.close();
if (faults.length > 0) process.exitCode = 1;
