/**
 * `npm run bench:fleet -- 10000`: one firing for so many instances. The synthesised Fleet and Backup, the shipped bundles
 * and the unmodified SDK, against the lab's AWS with the rates that EC2 documents, and hosts that freeze and thaw, in
 * virtual time. Latencies and failures are drawn from a seed. For Run Command AWS documents no rate, so there is none,
 * unless `--commands 10` gives it so many SendCommand calls a second, and three times as many looks for their answers.
 */
import { parseArgs } from 'node:util';
import { BACKUP, FLEET, SET_TAGS, THAW_RESCUE } from '../lambdas/shared/names.ts';
import { FleetAccount } from './support/fleet-account.ts';
import { mayEndGreen } from './support/fleet-troubles.ts';
import { PRICES } from './support/prices.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { commands: { type: 'string' }, seed: { type: 'string', default: '6' } },
});
/** A guess at what Step Functions logs of an event without its payload, and Lambda of an invocation beside our line. */
const [EVENT_BYTES, INVOCATION_BYTES] = [400, 900];

/** Above the floor, in dollars for a backup, and for a Linux backup whose set is completed at the first look. */
const GOALS = { aboveFloor: 0.05, dollars: 0.0006, transitions: 14 };

const instances = positive(positionals[0] ?? '10000');
const commands = values.commands === undefined ? undefined : positive(values.commands);

const began = process.hrtime.bigint();
const fleet = await FleetAccount.open({ seed: Number(values.seed), commands });
for (let number = 0; number < instances; number += 1) fleet.launch();
await fleet.fire();

const { reached, missed, falselyGraded } = ends(fleet);
const frozen = [...fleet.members.values()].filter(({ server }) => server.host.frozen).length;
const floor = (instances - 100) / 5;
const took = (fleet.lastSetAt - fleet.firedAt) / 1_000;
const { backup, ofFleet, rescues } = transitions(fleet);
const costs = costsOf(fleet);
const rows: [string, string | number][] = [
  ['last set after', `${took.toFixed(0)} s`],
  [
    "floor that EC2's bucket sets, (n − 100) / 5 s",
    `${floor.toFixed(0)} s; ${((took / floor - 1) * 100).toFixed(1)} % above it`,
  ],
  ['firing ended after', `${((fleet.endedAt - fleet.firedAt) / 1_000).toFixed(0)} s`],
  ['instances with a set of grade application', reached.length],
  ['missed, as the report says', `${missed.length}: ${counts(missed.map(({ trouble = 'AWS stumbled' }) => trouble))}`],
  ['turns missed and taken again', backup.filter(({ name }) => name.endsWith('-2')).length],
  ['sets graded application that were not', falselyGraded.length],
  ['hosts left frozen', frozen],
  ['throttled calls while the instance was frozen', counts(fleet.throttledWhileFrozen) || 0],
  ['throttled calls in all', fleet.throttles],
  ['frozen window, median / 99 % / longest', windows(reached.map(({ windowMs }) => windowMs))],
  ['requests an instance', each([...fleet.calls.values()].reduce((sum, count) => sum + count, 0))],
  [
    'of them',
    [...fleet.calls]
      .sort(([, a], [, b]) => b - a)
      .map(([call, count]) => `${call} ${each(count)}`)
      .join(', '),
  ],
  ['transitions of a green Backup, median / mean', `${median(green(backup))} / ${mean(green(backup)).toFixed(2)}`],
  ['transitions of Fleet an instance', each(ofFleet)],
  ['transitions of rescues an instance', each(rescues)],
  ['Lambda an instance', `${each(fleet.gigabyteSeconds)} GB-s in ${each(fleet.invocations)} invocations`],
  ['1,000 backups cost', `$${(1_000 * costs.all).toFixed(2)}: ${costs.parts}`],
  ['peak memory of this process', `${(process.resourceUsage().maxRSS / 1_024).toFixed(0)} MB`],
  ['it took', `${(Number(process.hrtime.bigint() - began) / 1e9).toFixed(0)} s`],
];
console.log(`| ${instances} instances${commands ? `, Run Command at ${commands} a second` : ''} | |\n|---|---|`);
for (const [what, value] of rows) console.log(`| ${what} | ${value} |`);

const faults = [
  ...(frozen > 0 ? [`${frozen} hosts left frozen`] : []),
  ...falselyGraded.map((id) => `${id} bears a grade that its host did not see`),
  ...(missed.length === fleet.reported?.event.missed
    ? []
    : [`the report tells of ${fleet.reported?.event.missed} missed`]),
  ...reached
    .filter(({ trouble }) => !mayEndGreen(trouble))
    .map(({ id, trouble }) => `${id} reached its grade with ${trouble}`),
  ...(commands === undefined ? missedGoals() : []),
];
for (const fault of faults) console.error(fault);
// Virtual time keeps the process.
process.exit(faults.length > 0 ? 1 : 0);

/** Of an account whose Run Command is not throttled. */
function missedGoals(): string[] {
  return [
    ...fleet.throttledWhileFrozen.map((call) => `${call} was throttled in a frozen window`),
    // A small fleet is over before the floor says anything.
    ...(instances >= 10_000 && took > (1 + GOALS.aboveFloor) * floor ? [`${took} s are too far above the floor`] : []),
    ...(costs.all > GOALS.dollars ? [`a backup costs $${costs.all}`] : []),
    ...(median(green(backup)) > GOALS.transitions ? [`a green Backup makes ${median(green(backup))} transitions`] : []),
  ];
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`got ${text}; expected a whole number above 0`);
  return number;
}

/** What became of each instance, by its host and by the tags of its snapshots, whatever the report says. */
function ends({ account, members }: FleetAccount) {
  const sets = new Map<string, { id: string; windowMs: number; at: number; size: number }[]>();
  for (const { tags, startedAt } of account.world.ec2.snapshots.all.values()) {
    if (tags.get(SET_TAGS.grade) !== 'application') continue;
    const id = tags.get(SET_TAGS.instance) ?? '';
    const known = sets.get(id)?.find(({ at }) => at === startedAt);
    if (known) known.size += 1;
    else
      sets.set(id, [
        ...(sets.get(id) ?? []),
        { id, windowMs: Number(tags.get(SET_TAGS.windowMs)), at: startedAt, size: 1 },
      ]);
  }
  const whole = [...members].map(([id, { server, trouble }]) => {
    const set = sets.get(id)?.find(({ size }) => size === server.volumes.length);
    return { id, trouble, set, witnessed: server.host.witnessed };
  });
  const isQuiet = ({ set, witnessed }: (typeof whole)[number]) =>
    witnessed.some(
      ({ at, filesystems, apps, lvmSnapshots }) =>
        at === set?.at && (lvmSnapshots.length > 0 || (filesystems.length > 0 && apps.length > 0)),
    );
  return {
    reached: whole.flatMap(({ id, trouble, set }) => (set ? [{ id, trouble, windowMs: set.windowMs }] : [])),
    missed: whole.filter(({ set }) => !set),
    falselyGraded: whole.filter((each) => each.set && !isQuiet(each)).map(({ id }) => id),
  };
}

interface Ended {
  name: string;
  green: boolean;
  transitions: number;
}

/** As Step Functions bills them: each state, each retry, and each child that a Distributed Map starts. */
function transitions({ account, transitions: counted }: FleetAccount) {
  const [backup, others]: [Ended[], Map<string, number>] = [[], new Map()];
  for (const { arn, name, machine, status } of account.stepFunctions.executions) {
    const count = counted.get(arn) ?? 0;
    if (machine.name === BACKUP) backup.push({ name, green: status === 'SUCCEEDED', transitions: count });
    else {
      const started = machine.name.startsWith(`${FLEET}/`) ? 1 : 0;
      others.set(machine.name, (others.get(machine.name) ?? 0) + count + started);
    }
  }
  const of = (name: string) =>
    [...others].reduce((sum, [machine, count]) => sum + (machine.startsWith(name) ? count : 0), 0);
  return { backup, ofFleet: of(FLEET), rescues: of(THAW_RESCUE) };
}

/** Of one instance, in dollars; its snapshots come on top. */
function costsOf({ calls, gigabyteSeconds, invocations, logBytes, events, transitions: counted }: FleetAccount) {
  const billed = [...counted.values()].reduce((sum, count) => sum + count, 0) + instances;
  const called = (call: string) => calls.get(call) ?? 0;
  const parts = {
    'Step Functions': billed * PRICES.transition,
    Lambda: gigabyteSeconds * PRICES.gigabyteSecond + invocations * PRICES.invocation,
    logs: (logBytes + events * EVENT_BYTES + invocations * INVOCATION_BYTES) * PRICES.logByte,
    S3: called('s3:PutObject') * PRICES.put + called('s3:GetObject') * PRICES.get,
  };
  return {
    all: Object.values(parts).reduce((sum, part) => sum + part, 0) / instances,
    parts: Object.entries(parts)
      .map(([what, part]) => `${what} $${((1_000 * part) / instances).toFixed(3)}`)
      .join(', '),
  };
}

function each(count: number): string {
  return (count / instances).toFixed(2);
}

function counts(words: readonly string[]): string {
  const counted = new Map<string, number>();
  for (const word of words) counted.set(word, (counted.get(word) ?? 0) + 1);
  return [...counted].map(([word, count]) => `${count} ${word}`).join(', ');
}

function windows(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) =>
    `${((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) / 1_000).toFixed(1)} s`;
  return [0.5, 0.99, 1].map(at).join(' / ');
}

function green(runs: readonly Ended[]): number[] {
  return runs.filter((run) => run.green).map((run) => run.transitions);
}
function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
