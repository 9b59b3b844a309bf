/** What the pages claim, wherever a program can tell whether it is so. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { TRANSITIONS } from '../cli/cost.ts';
import { checkSnapshots } from '../lambdas/check-snapshots/check-snapshots.ts';
import * as budget from '../lambdas/shared/budget.ts';
import { DOCUMENT_PARAMETERS, HOST_ERRORS, PARAMETER_PATTERNS } from '../lambdas/shared/contracts.ts';
import * as errors from '../lambdas/shared/errors.ts';

import {
  BACKUP,
  COPY,
  DOCUMENTS,
  DRILL,
  FIRING,
  FLEET,
  GRADES,
  INSPECT_WINDOWS,
  MODES,
  PRUNE,
  STATES,
  THAW_RESCUE,
  USER_TAGS,
  VSS_DOCUMENTS,
  VSS_INSTANCE_POLICY,
  VSS_TAGS,
  WINDOWS_MODES,
} from '../lambdas/shared/names.ts';
import { RUN as LIMITS_RUN } from '../lib/limits.ts';
import { PlanError, parsePlan } from '../lib/plan.ts';
import {
  DOUBLE,
  faultsOfState,
  IN_THE_WORLD,
  OF_THE_RESCUE,
  RESCUE_BESIDE_THAW,
  STORE_RECEIPT,
  stopInTheMiddle,
  stopOnEntering,
} from './faults/faults.ts';
import { EVERY_OPTION } from './support/every-option.ts';
import { PRICES } from './support/prices.ts';
import { resourcesOf, type State, stateMachine, synth } from './support/synth.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'ssm-documents/README.md',
  'ssm-documents/drivers.md',
  ...globSync('docs/**/*.md', { cwd: ROOT }),
];
const text = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

const SOURCES = /^(cli|lib|lambdas|ssm-documents|lab|test|docs)\//;

/** Whether a page has a phrase, wherever its lines break. */
const says = (page: string, phrase: string): boolean => text(page).replace(/\s+/g, ' ').includes(phrase);

/** What the pattern's first group holds, wherever it is on the page. */
const matches = (page: string, pattern: RegExp): string[] =>
  [...text(page).matchAll(pattern)].map(([, found]) => found as string);

/** Cells of the rows of the table whose first heading is `first`; without code marks and escapes. */
function table(page: string, first: string): string[][] {
  const lines = text(page).split('\n');
  const head = lines.findIndex((line, at) => line.startsWith(`| ${first} |`) && lines[at + 1]?.startsWith('|---'));
  assert.notEqual(head, -1, `${page} has no table that begins with ${first}`);
  const rows = lines.slice(head + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|')),
  );
}

const column = (page: string, first: string, index = 0): string[] =>
  table(page, first).map((cells) => cells[index] ?? '');

/** GitHub's anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

describe('every page', () => {
  it('links only to files and headings that there are', () => {
    for (const page of PAGES) {
      for (const link of matches(page, /\]\(([^)\s]+)\)/g).filter((each) => !/^[a-z]+:/.test(each))) {
        const [path = '', heading] = link.split('#');
        const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
        assert.ok(existsSync(join(ROOT, target)), `${page} links to ${link}`);
        if (heading === undefined) continue;
        const anchors = matches(target, /^#+ (.*)$/gm).map(anchor);
        assert.ok(anchors.includes(heading), `${page} links to ${link}, but ${target} has no such heading`);
      }
    }
  });

  it('names only paths that there are', () => {
    for (const page of PAGES) {
      const paths = matches(page, /`([\w.@/-]+)`/g).filter((code) => SOURCES.test(code));
      for (const path of paths) assert.ok(existsSync(join(ROOT, path)), `${page} names ${path}`);
    }
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(text('package.json'));
    for (const page of PAGES) {
      for (const script of matches(page, /npm run ([\w:-]+)/g))
        assert.ok(script in scripts, `${page}: npm run ${script}`);
    }
  });

  it('that is a decision has context, decision and consequences, and the number of its file', () => {
    for (const page of PAGES.filter((each) => each.startsWith('docs/decisions/'))) {
      const number = /(\d{4})-/.exec(page)?.[1];
      assert.ok(text(page).startsWith(`# ${number} `), page);
      for (const part of ['Context', 'Decision', 'Consequences']) assert.ok(text(page).includes(`**${part}.**`), page);
    }
  });
});

describe('the pages for its users', () => {
  it('has a row for every state of the workflow, and for no other', async () => {
    const { definition } = await synth();
    assert.deepEqual(column('docs/console.md', 'State').sort(), Object.keys(definition.States).sort());
  });

  it('counts the transitions of a green run', async () => {
    const { definition } = await synth();
    const green = pathToComplete(definition.States, definition.StartAt);
    const again = ['Wait for snapshots', 'Check snapshots', 'Are they completed?'];
    assert.ok(again.every((state) => green.includes(state)));
    // What an idle state costs is paid by every instance every night.
    assert.ok(green.length <= 14, green.join(' > '));
    assert.deepEqual(TRANSITIONS, { run: green.length, look: again.length });
    assert.ok(
      says('docs/cost.md', `makes ${green.length} state transitions, and ${again.length} more for each further look`),
    );
    const ofAnHour = (firstLook: number) => green.length + again.length * (looksAt(3_600, firstLook) - 1);
    assert.ok(
      says(
        'docs/cost.md',
        `(a set that takes an hour: ${ofAnHour(budget.FIRST_LOOK_SECONDS)}; in a fleet, which waits longer: ${ofAnHour(budget.FLEET_FIRST_LOOK_SECONDS)})`,
      ),
      `${ofAnHour(budget.FIRST_LOOK_SECONDS)} ${ofAnHour(budget.FLEET_FIRST_LOOK_SECONDS)}`,
    );
  });

  it('reckons what a backup costs from the graph, the prices and the benchmark', async () => {
    const { definition, resources, resolve } = await synth();
    const backup = pathToComplete(definition.States, definition.StartAt).length;
    const fleet = JSON.parse(String(resolve(stateMachine(resources, FLEET).Properties.DefinitionString)));
    const child = fleet.States['For each target'].ItemProcessor;
    // Each child that a Distributed Map starts is one, beside its states.
    const ofFleet = 1 + [child.StartAt, child.States[child.StartAt].Next].length;
    assert.equal(child.States[child.States[child.StartAt].Next].End, true);
    const measured = (what: RegExp) => Number(what.exec(text('docs/benchmarks-fleet.md'))?.[1]);
    const gigabyteSeconds = measured(/Lambda an instance \| ([\d.]+) GB-s/);
    const lambda = LIMITS_RUN.functionSeconds / 2;
    assert.ok(gigabyteSeconds <= lambda && gigabyteSeconds > 0.9 * lambda, `${gigabyteSeconds} GB-s`);
    const ofRun = measured(/median \/ mean \| \d+ \/ ([\d.]+)/) + measured(/Fleet an instance \| ([\d.]+)/);
    assert.equal(Math.ceil(ofRun), LIMITS_RUN.transitions);
    const rest = 0.00002;
    const costs = [backup, backup + ofFleet].map((count) => [
      count * PRICES.transition,
      lambda * PRICES.gigabyteSecond,
      count * PRICES.transition + lambda * PRICES.gigabyteSecond + rest,
    ]);
    const rows = [0, 1, 2].map((row) => costs.map((each) => `$${each[row]?.toFixed(5)}`));
    assert.deepEqual(
      table('docs/cost.md', 'A green backup').map(([, ...cells]) => cells),
      [
        [backup, backup].map(String),
        ['0', String(ofFleet)],
        rows[0],
        rows[1],
        [rest, rest].map((each) => `$${each.toFixed(5)}`),
        rows[2],
      ],
    );
    // The goal of a Linux backup, its share of the fleet and all.
    assert.ok((costs[1]?.[2] ?? 1) <= 0.0006);
    assert.ok(says('docs/cost.md', `A thousand backups by a fleet are $${(1_000 * (costs[1]?.[2] ?? 0)).toFixed(2)}`));
  });

  /** Looks at a set that is completed after so many seconds. */
  function looksAt(seconds: number, firstLook: number): number {
    let progress = { checks: 0, waitSeconds: firstLook, completed: false, percent: 0 };
    for (let age = firstLook; ; age += progress.waitSeconds) {
      const state = age >= seconds ? 'completed' : 'pending';
      const shown = {
        snapshotId: 's',
        volumeId: 'v',
        startTime: new Date(0).toISOString(),
        percent: 0,
        stateMessage: '',
      };
      progress = checkSnapshots(
        { run: 'r', snapshotIds: ['s'], progress },
        [{ ...shown, state, tags: {} }],
        age * 1_000,
      );
      if (progress.completed) return progress.checks;
    }
  }

  it('says how late a run of a fleet may be, and when a fleet first looks for its sets', () => {
    assert.ok(says('docs/plan.md', `more than ${budget.TURN_SECONDS} s after its turn`));
    assert.equal(budget.FLEET_FIRST_LOOK_SECONDS, 600);
    assert.ok(says('docs/plan.md', 'looks for completed snapshots after ten minutes at the earliest'));
  });

  it('explains exactly the keys that the plan takes', () =>
    assert.deepEqual(column('docs/plan.md', 'Key').sort(), planKeys().sort()));

  it('explains no key that the plan with every option, which cdk-nag is asked about, does without', () => {
    const used = Object.entries(EVERY_OPTION).flatMap(([key, value]) =>
      key === 'policies'
        ? Object.values(value).flatMap((policy) => leavesOf(policy, 'policies.<name>'))
        : leavesOf(value, key),
    );
    assert.deepEqual([...new Set(used)].sort(), planKeys().sort());
  });

  it('quotes a fault of a plan as it is told', () => {
    const plan = {
      policies: { nightly: { schedule: 'rate(1 day)', retain: { last: 1 }, freeze: { leaseSeconds: 5 } } },
    };
    assert.throws(
      () => parsePlan(plan),
      ({ message }: Error) => says('docs/plan.md', message),
    );
  });

  it('has a row for every grade and every mode', () => {
    assert.deepEqual(column('docs/plan.md', 'Grade').sort(), [...GRADES].sort());
    assert.deepEqual(column('docs/plan.md', 'Mode').sort(), [...MODES].sort());
  });
});

describe('a number or a list that the pages repeat is the code’s', () => {
  it('how often Thaw is tried', async () => {
    const { definition } = await synth();
    const [retry] = (definition.States.Thaw as State).Retry ?? [];
    const tries = (retry?.MaxAttempts ?? 0) + 1;
    assert.ok(says('docs/console.md', `up to ${tries} times`));
    assert.ok(says('docs/architecture.md', `tried ${tries} times in all`));
  });

  it('the oldest SSM agent', () => {
    const [oldest] = matches('lambdas/inspect-host/agent.ts', /OLDEST_AGENT = '([\d.]+)'/g);
    assert.ok(says('docs/plan.md', `version ${oldest} or newer`));
  });

  it('the seconds of the budget', () => {
    const seconds = column('docs/architecture.md', 'Seconds').map((cell) => Number(/\d+/.exec(cell)?.[0]));
    assert.deepEqual(seconds, [
      budget.DELIVERY_SECONDS,
      30 - budget.RESERVE_SECONDS,
      budget.ANSWER_SECONDS,
      budget.CREATE_SNAPSHOTS_MS / 1_000,
      budget.LOOKUP_MS / 1_000,
    ]);
  });

  it('the user’s tags', () => {
    const tags = Object.values(USER_TAGS);
    assert.deepEqual(column('docs/plan.md', 'Tag').sort(), tags.sort());
  });

  it('what is never frozen', () => {
    const [list = ''] = matches('ssm-documents/linux/freezable.sh', /NEVER_FROZEN=\(([^)]*)\)/g);
    const page = text('ssm-documents/README.md');
    for (const path of list.split(/\s+/)) assert.ok(page.includes(`\`${path}\``), path);
  });
});

describe('the page of Windows', () => {
  const page = 'docs/windows.md';

  it('has a row for every error of its own, and for no other', () => {
    const own = matches('lambdas/shared/errors.ts', /export const ((?:Vss|ExcludeNotPossible)\w*Error)/g);
    const faults = matches('lambdas/inspect-host/choose-vss.ts', /^ {6}'([A-Z]\w+)',$/gm).map((code) => `${code}Error`);
    assert.ok(own.length > 3 && faults.length > 3);
    assert.deepEqual(column(page, 'Error').sort(), [...own, ...faults].sort());
  });

  it('names the documents, tags and policy of the code', () => {
    for (const name of [...Object.values(VSS_DOCUMENTS), INSPECT_WINDOWS, VSS_INSTANCE_POLICY, VSS_TAGS.consistent]) {
      assert.ok(text(page).includes(`\`${name}`), name);
    }
  });

  it('has a mode for every one that the tag takes', () =>
    assert.ok(says(page, `\`freezeframe:mode\` may be \`auto\`, \`${WINDOWS_MODES.join('` or `')}\``)));
});

describe('the host contract', () => {
  const page = 'ssm-documents/README.md';

  it('has the exit codes of the code', () => {
    const documented = table(page, 'Exit').map(([exit, code]) => [code, Number(exit)]);
    assert.deepEqual(Object.fromEntries(documented), HOST_ERRORS);
  });

  it('has the patterns of the parameters', () => {
    const documented = table(page, 'Parameter').map(([name, pattern]) => [name, pattern]);
    assert.deepEqual(Object.fromEntries(documented), PARAMETER_PATTERNS);
  });

  it('has the parameters of each document', () => {
    const documented = table(page, 'Document').map(([name, parameters = '']) => [name, parameters.split(' ')]);
    const actual = Object.entries(DOCUMENT_PARAMETERS).map(([noun, parameters]) => [
      DOCUMENTS[noun as keyof typeof DOCUMENTS],
      [...parameters],
    ]);
    assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(actual));
  });
});

it('the pages about what fails name only errors that there are', () => {
  const notThrown = Object.values(errors).filter((each) => typeof each === 'string');
  const known = [...Object.keys(errors), ...errors.HOST_ERROR_NAMES, ...notThrown];
  // What Inspect finds at fault is named by the scripts alone.
  const scripts = globSync('ssm-documents/linux/*.sh', { cwd: ROOT }).map(text).join();
  const isKnown = (error: string) => known.includes(error) || scripts.includes(`fault_add ${error.slice(0, -5)} `);
  for (const page of ['docs/architecture.md', 'docs/runbook.md']) {
    for (const error of matches(page, /`([A-Z]\w+Error)`/g)) assert.ok(isKnown(error), `${page}: ${error}`);
  }
});

describe('the table of what fails', () => {
  const cells = column('docs/architecture.md', 'What fails', 4);
  const named = cells.flatMap((cell) => [...cell.matchAll(/(test|faults|lab) "([^"]+)"/g)]);

  it('names for each row what tries it', () => {
    for (const cell of cells) assert.match(cell, /^((test|faults|lab) "[^"]+"(, (?!$)|$))+$/);
  });

  it('names only tests and cases that there are', () => {
    const titles = { test: titlesIn('test/**/*.test.ts'), lab: titlesIn('lab/suite/*.ts') };
    for (const [, kind, name] of named as unknown as [string, 'test' | 'faults' | 'lab', string][]) {
      const isThere = kind === 'faults' ? faultTitles().includes(name) : titles[kind].some((title) => title.test(name));
      assert.ok(isThere, `${kind} "${name}"`);
    }
  });
});

describe('the runbook', async () => {
  const page = 'docs/runbook.md';
  const resources = resourcesOf(EVERY_OPTION);
  const alarms = async () =>
    Object.values(await resources)
      .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
      .map(({ Properties }) => Properties as { AlarmName: string; AlarmDescription: string });
  const sections = text(page)
    .split(/^## /m)
    .slice(1)
    .map((section) => ({ title: section.slice(0, section.indexOf('\n')), section }))
    .filter(({ title }) => !title.endsWith('?'));

  it('has a section for each alarm, and for no other', async () =>
    assert.deepEqual(
      sections.map(({ title }) => `Freezeframe-${title}`).sort(),
      (await alarms()).map(({ AlarmName }) => AlarmName).sort(),
    ));

  it('is where the description of each alarm leads', async () => {
    for (const { AlarmName, AlarmDescription } of await alarms()) {
      const link = `${page}#${anchor(AlarmName.replace('Freezeframe-', ''))}`;
      assert.ok(AlarmDescription.endsWith(` ${link}`), `${AlarmName}: ${AlarmDescription}`);
    }
  });

  it('says of each what it means, what to look at and what to do, with commands', () => {
    for (const { title, section } of sections) {
      const parts = [...section.matchAll(/^\*\*(.*)\.\*\*/gm)].map(([, part]) => part);
      assert.deepEqual(parts, ['What it means', 'What to look at', 'What to do'], title);
      assert.match(section, /^```\n[^`]*aws /m, title);
    }
  });

  it('names only resources, documents and state machines that there are', async () => {
    const ids = Object.keys(await resources);
    for (const id of matches(page, /starts_with\(LogicalResourceId,'(\w+)'\)/g)) {
      assert.ok(
        ids.some((each) => each.startsWith(id)),
        id,
      );
    }
    const names = [...Object.values(DOCUMENTS), BACKUP, COPY, DRILL, FIRING, FLEET, THAW_RESCUE, PRUNE] as string[];
    for (const name of matches(page, /\b(Freezeframe-\w+)/g)) assert.ok(names.includes(name), name);
  });
});

/** The titles of tests and the names of cases in files, with anything in the place of what a template fills in. */
const titlesIn = (files: string): RegExp[] =>
  globSync(files, { cwd: ROOT })
    .flatMap((file) => [
      ...text(file).matchAll(
        /(?:\b(?:it|test|describe)\(|\b(?:name|title): )\s*(?:'([^'\n]+)'|"([^"\n]+)"|`([^`\n]+)`)/g,
      ),
    ])
    .map(([, ...quoted]) => quoted.find((each) => each !== undefined) as string)
    // A title that is nothing but a variable says nothing.
    .filter((title) => !/^\$\{[^}]*\}$/.test(title))
    .map(
      (title) =>
        new RegExp(
          `^${title
            .split(/\$\{[^}]*\}/)
            .map(literally)
            .join('.+')}$`,
        ),
    );

const literally = (part: string): string => part.replace(/[^\w\s]/g, '\\$&');

/** State and fault of every case of `npm run test:faults`. */
const faultTitles = (): string[] =>
  [
    ...[...Object.values(STATES), STORE_RECEIPT].flatMap((state) =>
      [...faultsOfState(state), stopOnEntering(state), stopInTheMiddle(state)].map(({ name }) => ({ state, name })),
    ),
    ...[...IN_THE_WORLD, ...OF_THE_RESCUE, ...DOUBLE, RESCUE_BESIDE_THAW],
  ].map(({ state, name }) => `${state}: ${name}`);

/** Every key of the plan, a list's by `[]`. */
function planKeys(): string[] {
  const policy = 'policies.<name>';
  const keys = keysOf({}, (part) => part).flatMap((key) =>
    key === 'policies'
      ? keysOf({}, (part) => ({ policies: { nightly: part } })).map((each) => `${policy}.${each}`)
      : ['pacing', 'restore'].includes(key)
        ? keysOf({}, (part) => ({ [key]: part })).map((each) => `${key}.${each}`)
        : [key],
  );
  return keys.flatMap((key) => {
    const block = key.slice(policy.length + 1);
    if (!['freeze', 'retain', 'archive', 'lock', 'copyTo', 'drill'].includes(block)) return [key];
    const list = block === 'copyTo';
    return keysOf({}, (part) => ({ policies: { nightly: { [block]: list ? [part] : part } } })).map(
      (each) => `${key}${list ? '[]' : ''}.${each}`,
    );
  });
}

/** The keys that a part of a plan uses. */
function leavesOf(value: unknown, path: string): string[] {
  if (Array.isArray(value) && typeof value[0] === 'object') {
    return value.flatMap((each) => leavesOf(each, `${path}[]`));
  }
  if (Array.isArray(value)) return [path];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, each]) => leavesOf(each, `${path}.${key}`));
}

/** The keys that a part of the plan takes: the parser names them when it meets one that it does not know. */
function keysOf(
  part: Record<string, unknown>,
  plan: (part: Record<string, unknown>) => Record<string, unknown>,
): string[] {
  try {
    parsePlan(plan({ ...part, unknown: 1 }));
  } catch (error) {
    assert.ok(error instanceof PlanError);
    const [, expected = ''] =
      /expected one of (.*)/.exec(error.faults.find((fault) => fault.includes('.unknown')) ?? '') ?? [];
    return expected.split(', ');
  }
  throw new Error('an unknown key was taken');
}

/** States from the start to Complete when everything goes well: the shortest way through the frozen window. */
function pathToComplete(states: Readonly<Record<string, State>>, start: string): string[] {
  const queue = [[start]];
  for (const path of queue) {
    const name = path.at(-1) as string;
    if (name === 'Complete') return path;
    const { Next, Default, Choices = [] } = states[name] as State;
    // What is not frozen is not the usual run.
    const next = [Next, Default, ...Choices.map((choice) => choice.Next)].filter(
      (each) => each !== undefined && each !== 'Create snapshots unfrozen' && !path.includes(each),
    );
    queue.push(...next.map((each) => [...path, each as string]));
  }
  throw new Error('no way leads to Complete');
}
