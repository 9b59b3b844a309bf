import { styleText } from 'node:util';
import type { Judged } from '../../lambdas/shared/drill-contracts.ts';
import { DRILL_STATES, DRILL_TAG, SET_TAGS } from '../../lambdas/shared/names.ts';
import type { Account, Instance } from '../account.ts';
import type { Execution } from '../aws/execution.ts';
import type { Progress } from './progress.ts';
import { timeline } from './summary.ts';
import type { Span } from './window.ts';

/** What a drill in the lab was seen to do; `--json` prints it as it is. */
export interface DrillOutcome {
  drill: string;
  set: string;
  status: string;
  error: string | undefined;
  cause: string | undefined;
  judged: Judged | undefined;
  spans: Span[];
  /** The tag on the snapshots of the set, each value once. */
  stamps: string[];
  /** Instances and volumes of the drill that are still there, and machines that still run. */
  left: string[];
  faults: string[];
  proven: boolean;
}

/** Backs the source up, and drills the set on a machine that the workflow launches itself. */
export async function playDrill(account: Account, progress: Progress, source: Instance): Promise<DrillOutcome> {
  progress.title('Backup: the workflow as it is synthesised');
  account.deployment.stepFunctions.onEvent = (event) => progress.state(event);
  const backup = await account.backup(source).ended;
  if (backup.status !== 'SUCCEEDED') throw new Error(`the backup ended ${backup.status}: ${backup.cause}`);

  progress.title('Drill: restored on a machine of its own, verified, thrown away');
  // Two guests would fight for two processors; a drill asks nothing of the original.
  await source.machine.pause();
  const outcome = await drillOnce(account, source);
  await source.machine.resume();
  return outcome;
}

/** One drill of the newest set, and what is left of it. */
export async function drillOnce(account: Account, source: Instance, input: object = {}): Promise<DrillOutcome> {
  const running = new Set(account.instances);
  const execution = await account.drill(source, input).ended;
  const { set, judged } = told(execution);
  const left = leftOf(account, execution.name, running);
  const stamps = [
    ...new Set([...account.snapshotsOf(set).values()].map(({ tags }) => tags.get(SET_TAGS.verified) ?? 'none')),
  ];
  const faults = [
    ...(execution.status === 'SUCCEEDED'
      ? []
      : [`the drill ended ${execution.status}: ${execution.error}: ${execution.cause}`]),
    ...(judged?.verdict === 'verified' ? [] : [`the verdict is ${judged?.verdict ?? 'not there'}`]),
    ...(stamps.length === 1 && /^\d{4}-/.test(stamps[0] ?? '') ? [] : [`the set says ${stamps.join(', ')}`]),
    ...left.map((thing) => `${thing} is left`),
  ];
  return {
    drill: execution.name,
    set,
    status: execution.status,
    error: execution.error,
    cause: execution.cause,
    judged,
    spans: spansOf(execution),
    stamps,
    left,
    faults,
    proven: faults.length === 0,
  };
}

/** What the states of the drill said, whether it ended green or red. */
function told(execution: Execution): { set: string; judged: Judged | undefined } {
  const outputs = execution.history
    .filter(({ type }) => type === 'StateExited')
    .map(({ output }) => output as { set?: { id: string }; judged?: Judged } | undefined);
  return {
    set: outputs.findLast((output) => output?.set)?.set?.id ?? '',
    judged: outputs.findLast((output) => output?.judged)?.judged,
  };
}

function leftOf(account: Account, drill: string, running: ReadonlySet<Instance>): string[] {
  const { instances, volumes } = account.world.ec2;
  const ours = ({ tags }: { tags: ReadonlyMap<string, string> }) => tags.get(DRILL_TAG) === drill;
  return [
    ...[...instances.values()].filter((each) => ours(each) && each.state !== 'terminated').map(({ id }) => id),
    ...[...volumes.all.values()].filter(ours).map(({ id }) => id),
    ...account.instances.filter((instance) => !running.has(instance)).map(({ id }) => `machine of ${id}`),
  ];
}

const SHOWN: readonly string[] = Object.values(DRILL_STATES);

/** Its states one after another; a verification that was looked at several times is one bar. */
function spansOf(execution: Execution): Span[] {
  const spans: Span[] = [];
  const entered = new Map<string, number>();
  for (const { type, state = '', at } of execution.history) {
    if (!SHOWN.includes(state)) continue;
    if (type === 'StateEntered') entered.set(state, at);
    if (type !== 'StateExited') continue;
    const known = spans.find(({ label }) => label === state);
    if (known) known.to = at;
    else spans.push({ label: state, from: entered.get(state) ?? at, to: at });
  }
  const from = spans[0]?.from ?? 0;
  return spans.map((span) => ({ ...span, from: span.from - from, to: span.to - from }));
}

export function drillSummary({ drill, set, judged, spans, stamps, faults, proven }: DrillOutcome): string {
  const seconds = (value: number | null | undefined) => (value == null ? 'not known' : `${value} s`);
  return [
    '',
    styleText('bold', 'The drill'),
    `  ${drill} of set ${set}`,
    ...timeline(spans),
    `  machine launched in ${seconds(judged?.seconds.launch)} · ${styleText('bold', `time to restore: ${seconds(judged?.seconds.restore)}`)} · verified in ${seconds(judged?.seconds.verify)}`,
    '',
    styleText('bold', 'What was checked on the restored copy'),
    ...(judged?.checks ?? []).map(
      ({ name, verdict, said }) =>
        `  ${verdict === 'ok' ? styleText('green', '✔') : styleText('red', '✘')} ${name}: ${said}`,
    ),
    '',
    proven
      ? styleText('green', `  Verified, and the set says so (${stamps[0]}). Nothing of the drill is left.`)
      : styleText('red', `  NOT PROVEN: ${faults.join('; ')}`),
    '',
  ].join('\n');
}
