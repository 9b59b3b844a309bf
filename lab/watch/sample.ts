/**
 * A fortnight of a small fleet in virtual time: the synthesised workflows, the shipped functions, hosts that keep the
 * contract, and some nights on which things go wrong. For what the dashboard shows of it.
 */
import type { HOST_ERRORS } from '../../lambdas/shared/contracts.ts';
import type { DOCUMENTS } from '../../lambdas/shared/names.ts';
import { ModelAccount } from '../../test/support/model-account.ts';
import { Random } from '../../test/support/random.ts';
import type { Stack } from '../aws/template.ts';
import type { LogEvent } from './insights.ts';
import { Metrics } from './metrics.ts';

const DAY_MS = 86_400_000;
const SERVERS = 8;

export interface Sample {
  readonly metrics: Metrics;
  readonly events: LogEvent[];
  readonly from: number;
  readonly to: number;
}

/** What fails on which night, on which server. */
const NIGHTS: readonly {
  night: number;
  server: number;
  document: keyof typeof DOCUMENTS;
  error: keyof typeof HOST_ERRORS;
}[] = [
  { night: 4, server: 2, document: 'freeze', error: 'LockTimeout' },
  { night: 9, server: 5, document: 'freeze', error: 'FreezeTimeout' },
  { night: 11, server: 6, document: 'thaw', error: 'ThawFailed' },
  { night: 13, server: 3, document: 'inspect', error: 'HostUnfit' },
  { night: 14, server: 3, document: 'inspect', error: 'HostUnfit' },
];

export async function sample(stack: Stack, days = 14): Promise<Sample> {
  const random = new Random(7);
  const freezeMs = random.latency({ median: 120, p99: 700 });
  const account = await ModelAccount.open({
    stack,
    latency: {
      commandStartMs: random.latency({ median: 250, p99: 1_500 }),
      commandResultMs: random.latency({ median: 250, p99: 1_500 }),
      createSnapshotsMs: random.latency({ median: 700, p99: 3_000 }),
    },
  });
  const { clock, stepFunctions, deployment } = account;
  const { lambdas } = deployment;
  const servers = Array.from({ length: SERVERS }, (_, index) =>
    account.launch({ mode: index % 3 === 2 ? 'lvm-snapshot' : 'fs-freeze' }),
  );
  const metrics = new Metrics();
  const checkRpo = stack.functions.find(({ name }) => name.includes('CheckRpo'));
  const from = Math.floor(clock.now() / DAY_MS) * DAY_MS;
  for (let night = 1; night <= days; night += 1) {
    for (const [index, { host }] of servers.entries()) {
      const trouble = NIGHTS.find((each) => each.night === night && each.server === index);
      host.trouble.freezeMs = freezeMs();
      host.trouble.fail = (document) => (document === trouble?.document ? trouble.error : undefined);
    }
    const firing = clock.now();
    await stepFunctions.fire('Freezeframe-nightly', firing);
    await stepFunctions.idle();
    await lambdas.invoke(checkRpo?.arn ?? '', { policies: { nightly: { grade: 'application', rpoHours: 48 } } });
    await clock.sleep(firing + DAY_MS - clock.now());
  }
  const events = lambdas.logs.flatMap(({ functionName, at, json }) =>
    typeof json === 'object' && json !== null
      ? [{ group: lambdas.find(functionName)?.logGroup ?? '', at, fields: { ...json } }]
      : [],
  );
  for (const { fields } of events) metrics.takeLine(fields);
  for (const { machine, status, startedAt } of stepFunctions.executions) {
    const dimensions = { StateMachineArn: machine.arn };
    const put = (name: string) => metrics.put({ namespace: 'AWS/States', name, dimensions, at: startedAt, value: 1 });
    put('ExecutionsStarted');
    put(status === 'SUCCEEDED' ? 'ExecutionsSucceeded' : 'ExecutionsFailed');
  }
  for (const { functionName, startedAt, endedAt = startedAt } of lambdas.invocations) {
    const dimensions = { FunctionName: functionName };
    metrics.put({ namespace: 'AWS/Lambda', name: 'Duration', dimensions, at: startedAt, value: endedAt - startedAt });
  }
  await account.close();
  return { metrics, events, from, to: from + days * DAY_MS };
}
