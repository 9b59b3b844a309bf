/**
 * `npm run draw`: draws the pictures of the docs that show what runs in AWS, and writes the table of permissions, from
 * what is synthesised.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACKUP } from '../lambdas/shared/names.ts';
import { EVERY_OPTION } from '../test/support/every-option.ts';
import { resourcesOf } from '../test/support/synth.ts';
import { assemblyOf } from './assembly.ts';
import { readAssembly, readTemplate, type Stack } from './aws/template.ts';
import { type Body, dashboardSvg } from './draw/dashboard.ts';
import { withPermissions } from './draw/permissions.ts';
import { GREEN, RED } from './draw/runs.ts';
import { type Definition, workflowSvg } from './draw/workflow.ts';
import { sample } from './watch/sample.ts';

const IMAGES = join(import.meta.dirname, '../docs/images');
const DAY_MS = 86_400_000;

const SECURITY = join(IMAGES, '../security.md');
const everyOption = readTemplate({ Resources: await resourcesOf(EVERY_OPTION) });
writeFileSync(SECURITY, withPermissions(readFileSync(SECURITY, 'utf8'), everyOption));

const stack = readAssembly(await assemblyOf());
const drawings = { ...runs(stack), 'dashboard.svg': await dashboard(stack) };
for (const [file, drawing] of Object.entries(drawings)) writeFileSync(join(IMAGES, file), drawing);

function runs({ stateMachines }: Stack): Record<string, string> {
  const definition = stateMachines.find(({ name }) => name === BACKUP)?.definition as unknown as Definition;
  return {
    'run-green.svg': workflowSvg('A run that went well', definition, GREEN),
    'run-red.svg': workflowSvg('A run whose database did not give its lock', definition, RED),
  };
}

async function dashboard(stack: Stack): Promise<string> {
  const [{ body } = { body: { widgets: [] } }] = stack.dashboards;
  const watched = await sample(stack);
  const rings = (arn: string): boolean => {
    const alarm = stack.alarms.find(({ name }) => arn.endsWith(`:alarm:${name}`));
    if (!alarm) throw new Error(`the stack has no alarm ${arn}`);
    const [namespace = '', name = ''] = alarm.metric.split(' ');
    const periodMs = alarm.periodSeconds * 1_000;
    return watched.metrics
      .query({ namespace, name, dimensions: alarm.dimensions }, 'Maximum', periodMs)
      .some(({ at, value }) => value > alarm.threshold && at > watched.to - DAY_MS);
  };
  return dashboardSvg('The dashboard, with a fortnight of the lab', body as Body, { ...watched, rings });
}
