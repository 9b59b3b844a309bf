/** What the dashboard shows is there to be shown: a few nights of a fleet, in virtual time, are held against its JSON. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assemblyOf } from '../../lab/assembly.ts';
import { readAssembly, readTemplate } from '../../lab/aws/template.ts';
import { type Body, dashboardSvg, seriesOf } from '../../lab/draw/dashboard.ts';
import { insights } from '../../lab/watch/insights.ts';
import { sample } from '../../lab/watch/sample.ts';
import { METRICS } from '../../lambdas/shared/names.ts';
import { EVERY_OPTION } from '../support/every-option.ts';
import { resourcesOf } from '../support/synth.ts';

// Of AWS's own, by their documentation ("Monitoring Step Functions metrics", "Types of metrics for Lambda functions").
const OF_AWS: Readonly<Record<string, readonly string[]>> = {
  'AWS/States': [
    'ExecutionsStarted',
    'ExecutionsSucceeded',
    'ExecutionsFailed',
    'ExecutionsAborted',
    'ExecutionsTimedOut',
  ],
  'AWS/Lambda': ['Duration', 'Errors', 'Invocations', 'Throttles'],
};

const everyOption = readTemplate({ Resources: await resourcesOf(EVERY_OPTION) });
const stack = readAssembly(await assemblyOf());
const watched = await sample(stack, 4);
const [{ body } = { body: undefined }] = stack.dashboards;
const { widgets } = body as Body;
const rows = widgets.flatMap(({ properties }) => properties.metrics ?? []);
const queries = new Map(widgets.flatMap(({ properties: { title = '', query } }) => (query ? [[title, query]] : [])));

describe('the dashboard', () => {
  it('shows of ours only metrics that something emits, by the dimensions that they have', () => {
    const ours = rows.filter(([namespace]) => namespace === METRICS.namespace);
    assert.ok(ours.length > 8);
    for (const row of ours) assert.ok(seriesOf([row], watched.metrics)[0]?.points.length, JSON.stringify(row));
  });

  it('shows every metric of ours', () => {
    const { namespace, ...names } = METRICS;
    const [{ body: whole } = { body: undefined }] = everyOption.dashboards;
    const shown = (whole as Body).widgets
      .flatMap(({ properties }) => properties.metrics ?? [])
      .flatMap(([where, name]) => (where === namespace ? [name] : []));
    assert.deepEqual([...new Set(shown)].sort(), Object.values(names).sort());
  });

  it('speaks of copies only where there are any', () => {
    const ofCopies: unknown[] = [METRICS.lateCopies, METRICS.oldestLackingHours];
    assert.deepEqual(
      rows.filter(([, name]) => ofCopies.includes(name)),
      [],
    );
  });

  it('shows of AWS’s only metrics that there are, of machines and functions of this stack', () => {
    const dimensions: Readonly<Record<string, readonly string[]>> = {
      StateMachineArn: stack.stateMachines.map(({ arn }) => arn),
      FunctionName: stack.functions.map(({ name }) => name),
    };
    for (const [namespace, name, dimension, value] of rows as [string, string, string, string][]) {
      if (namespace === METRICS.namespace || typeof namespace !== 'string') continue;
      assert.ok(OF_AWS[namespace]?.includes(name), `${namespace} ${name}`);
      assert.ok(dimensions[dimension]?.includes(value), `${dimension} ${value}`);
    }
  });

  it('shows the state of every alarm', () => {
    const shown = widgets.flatMap(({ properties }) => properties.alarms ?? []).map((arn) => arn.split(':alarm:')[1]);
    assert.deepEqual(shown.sort(), stack.alarms.map(({ name }) => name).sort());
  });

  it('finds in the logs how each instance fared last, also one whose run failed', () => {
    const found = insights(queries.get('Last result of each instance') ?? '', watched.events);
    assert.equal(found.length, 8);
    const results = found.map(({ instanceId, result }) => [instanceId, result]);
    // On the last of the four nights its database gave no lock; the policy keeps what was taken all the same.
    assert.deepEqual(
      results.filter(([, result]) => result !== 'application'),
      [['i-00000000000000003', 'crash']],
    );
  });

  it('counts the sets of each grade', () =>
    assert.deepEqual(insights(queries.get('Sets by grade') ?? '', watched.events), [
      { grade: 'application', sets: 31 },
      { grade: 'crash', sets: 1 },
    ]));

  it('pays for no metric of a single instance', () => {
    const dimensions = watched.metrics.values
      .filter(({ namespace }) => namespace === METRICS.namespace)
      .map((value) => Object.keys(value.dimensions).join());
    assert.deepEqual([...new Set(dimensions)].sort(), ['', 'Policy']);
  });

  it('stands in the docs as it is', () => {
    const drawn = dashboardSvg('any', body as Body, { ...watched, rings: () => false });
    const titles = (svg: string) => [...svg.matchAll(/font-weight="600">([^<]*)/g)].map(([, title]) => title);
    const file = join(import.meta.dirname, '../../docs/images/dashboard.svg');
    assert.deepEqual(titles(readFileSync(file, 'utf8')), titles(drawn), 'npm run draw');
  });
});
