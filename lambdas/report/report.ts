import { endedChild, sentenceOf } from '../shared/causes.ts';
import type { CaughtError, Found, Outcome, Reported, Target, Unmet } from '../shared/contracts.ts';
import { GRADES, type GradeName } from '../shared/names.ts';

export interface Ended {
  found: Found;
  targets: readonly Pick<Target, 'instanceId' | 'name' | 'again'>[];
  unmet: readonly Unmet[];
  outcomes: readonly Outcome[];
  /** Of the Map as a whole. */
  mapError?: CaughtError | undefined;
  grade: GradeName;
  /** Milliseconds since 1970. */
  nextRun: number | undefined;
}

/** A mail is read by people; the bucket has the rest. */
const MOST_LINES = 200;
const MOST_IN_EVENT = 100;
const SLOWEST = 5;

/** What came of a firing, instance by instance: nobody who was tagged is left out. */
export const report = (ended: Ended): Reported & { reached: number } => {
  const { found, outcomes, grade, nextRun } = ended;
  const green = outcomes.filter((outcome) => outcome.green);
  const missed = missedOf(ended);
  const grades = Object.fromEntries(
    GRADES.map((each) => [each, green.filter((outcome) => outcome.green?.grade === each).length]),
  );
  const slowest = green
    .map(({ instanceId, green: end }) => ({ instanceId, windowMs: end?.windowMs ?? 0 }))
    .sort((a, b) => b.windowMs - a.windowMs)
    .slice(0, SLOWEST);
  const red = missed.length > 0;
  const total = green.length + missed.length;
  const next = nextRun === undefined ? null : new Date(nextRun).toISOString();
  const message = [
    red
      ? `${missed.length} of ${total} instances of policy ${found.policy} have no set of grade ${grade} from the firing of ${found.time}.`
      : `All ${total} instances of policy ${found.policy} have a set of grade ${grade} or better from the firing of ${found.time}.`,
    ...(ended.mapError ? [`The fleet itself failed: ${ended.mapError.Error}: ${ended.mapError.Cause ?? ''}`] : []),
    '',
    `Green runs by grade: ${GRADES.toReversed()
      .map((each) => `${each} ${grades[each]}`)
      .join(', ')}.`,
    `Next run: ${next ?? 'none, the schedule fires no more'}.`,
    ...found.notes,
    ...turnsMissed(ended),
    ...section(
      'Missed',
      missed.map(({ instanceId, error, why }) => `${instanceId}  ${error}: ${why}`),
    ),
    ...section(
      'Longest frozen windows',
      slowest.filter(({ windowMs }) => windowMs > 0).map(({ instanceId, windowMs }) => `${instanceId}  ${windowMs} ms`),
    ),
    '',
    `Execution ${found.fleet} of Freezeframe-Fleet; each run is an execution of Freezeframe-Backup named by its instance.`,
  ].join('\n');
  return {
    red,
    subject: red
      ? `Freezeframe ${found.policy}: ${missed.length} of ${total} missed`
      : `Freezeframe ${found.policy}: ${total} backed up`,
    message,
    event: {
      policy: found.policy,
      fleet: found.fleet,
      time: found.time,
      grades,
      missed: missed.length,
      instances: missed.slice(0, MOST_IN_EVENT),
      nextRun: next,
    },
    reached: green.length,
  };
};

/** Those that were never started, those whose run ended red, and those of whom nothing was heard. */
const missedOf = ({ targets, unmet, outcomes, mapError }: Ended): Unmet[] => {
  const heard = new Set(outcomes.map(({ instanceId }) => instanceId));
  const failed = outcomes
    .filter((outcome) => !outcome.green)
    .map(({ instanceId, error }) => ({ instanceId, ...saidBy(error) }));
  const silent = targets
    .filter(({ instanceId }) => !heard.has(instanceId))
    .map(({ instanceId }) => ({
      instanceId,
      error: mapError?.Error ?? 'NoOutcomeError',
      why: 'its run ended without telling how, or was never started: look for an execution of Freezeframe-Backup by its name',
    }));
  return [...unmet, ...failed, ...silent];
};

/** They may well be green; but whoever sets the pace should know that it is too fast. */
const turnsMissed = ({ targets, outcomes }: Ended): string[] => {
  const others = new Set(targets.map(({ again }) => again?.name));
  const missed = outcomes.filter(({ name, error }) => others.has(name) || isMissedTurn(error)).length;
  if (missed === 0) return [];
  const percent = Math.ceil((100 * missed) / targets.length);
  return [
    `${missed} of ${targets.length} runs missed their turn, since Run Command, Lambda or Step Functions were throttled; a pacing.snapshotsPerSecond lower by ${percent} % would fit.`,
  ];
};

const isMissedTurn = (error: CaughtError | undefined): boolean => saidBy(error).error === 'TurnMissedError';

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0
    ? []
    : [
        '',
        `${title}:`,
        ...lines.slice(0, MOST_LINES).map((line) => `  ${line}`),
        ...(lines.length > MOST_LINES
          ? [`  and ${lines.length - MOST_LINES} more, in the bucket of the receipts`]
          : []),
      ];

/** People want the run's own error. */
const saidBy = (error: CaughtError | undefined): { error: string; why: string } => {
  const { Error: name = 'NoOutcomeError', Cause = '' } = error ?? {};
  const run = endedChild(Cause);
  if (!run) return { error: name, why: short(Cause || 'no cause was given') };
  return {
    error: run.Error ?? (run.Status ? `Execution ${run.Status}` : name),
    why: short(sentenceOf(run.Cause ?? `the run ended ${run.Status ?? 'without a word'}`)),
  };
};

const short = (text: string): string => (text.length > 500 ? `${text.slice(0, 497)}...` : text);
