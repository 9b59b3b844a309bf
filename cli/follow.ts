/** Follows executions to their end, by their history. */
import { isPassing } from '../lambdas/shared/aws-errors.ts';
import { ThrottledError } from '../lambdas/shared/errors.ts';
import { historyOf } from '../lambdas/shared/sfn.ts';
import { consoleLink, type Described, type Desk } from './desk.ts';
import { type Course, type Step, settledSteps, stepsOf } from './steps.ts';
import type { Terminal } from './terminal.ts';
import { seconds } from './words.ts';

export interface Started {
  /** What it is about: an instance, a set. */
  subject: string;
  arn: string;
}

export type Ended = Started & Described & { link: string; steps: Step[] };

/** At first what happens takes seconds; later a set is waited for, for hours. */
const LOOKS = [
  { times: 20, everyMs: 1_000 },
  { times: 60, everyMs: 3_000 },
] as const;
const LATER_MS = 15_000;

export const follow = async (started: readonly Started[], desk: Desk, terminal: Terminal): Promise<Ended[]> => {
  const many = started.length > 1;
  for (const { subject, arn } of started) {
    terminal.say(`${terminal.paint.bold(subject)}  ${terminal.paint.dim(consoleLink(arn))}`);
  }
  terminal.goesOn(
    `Nobody looks on any more; in AWS ${many ? 'they go' : 'it goes'} on:\n${started.map(({ arn }) => consoleLink(arn)).join('\n')}`,
  );
  const live = new Map<string, string>();
  const ended = await Promise.all(
    started.map((each) =>
      followOne(each, desk, {
        done: (step) => terminal.say(`${many ? `${each.subject}  ` : '  '}${lineOf(step, terminal)}`),
        underway: (line) => {
          if (line) live.set(each.subject, `${many ? `${each.subject}  ` : '  '}~ ${line}`);
          else live.delete(each.subject);
          terminal.show([...live.values()]);
        },
      }),
    ),
  );
  terminal.settle();
  return ended;
};

interface Onlooker {
  done(step: Step): void;
  underway(line: string | undefined): void;
}

const followOne = async (started: Started, desk: Desk, onlooker: Onlooker): Promise<Ended> => {
  const { clock } = desk;
  let told = 0;
  let misses = 0;
  for (let look = 0; ; look += 1) {
    const seen = await lookAt(started.arn, desk);
    if (seen === undefined) {
      misses += 1;
      if (misses === MOST_MISSES) throw new ThrottledError(`Step Functions has not told of ${started.arn} for a while`);
      await clock.sleep(pauseAfter(look));
      continue;
    }
    misses = 0;
    const { described, course } = seen;
    const { steps, current } = course;
    const settled = settledSteps(course);
    for (const step of settled.slice(told)) onlooker.done(step);
    told = Math.max(told, settled.length);
    if (described.status !== 'RUNNING') {
      onlooker.underway(undefined);
      return { ...started, ...described, link: consoleLink(started.arn), steps };
    }
    if (current) onlooker.underway(`${current.state}  ${seconds(Math.max(0, clock.now() - current.since))}`);
    await clock.sleep(pauseAfter(look));
  }
};

/** So many looks in a row may go wrong before the looking ends. */
const MOST_MISSES = 10;

/** Undefined where another look is worth it: throttled, no answer, or an execution so young that it does not show yet. */
const lookAt = async (arn: string, desk: Desk): Promise<{ described: Described; course: Course } | undefined> => {
  try {
    return { described: await desk.describe(arn), course: await stepsOf(historyOf(desk.sfn)(arn)) };
  } catch (error) {
    if (isPassing(error) || (error as Error).name === 'ExecutionDoesNotExist') return undefined;
    throw error;
  }
};

const pauseAfter = (look: number): number => {
  let past = 0;
  for (const { times, everyMs } of LOOKS) {
    past += times;
    if (look < past) return everyMs;
  }
  return LATER_MS;
};

const lineOf = ({ state, ms, times, error }: Step, { paint }: Terminal): string => {
  const mark = error ? paint.bad('✘') : paint.good('✔');
  const again = times > 1 ? paint.dim(` (${times} times)`) : '';
  return `${mark} ${state.padEnd(26)}${seconds(ms).padStart(9)}${again}${error ? `  ${paint.bad(error)}` : ''}`;
};
