/**
 * Metrics through CloudWatch's embedded metric format: a line in the log becomes metrics, and no API is called. Their one
 * dimension is the policy, so that what they cost ($0.30 a metric and month) does not grow with the fleet.
 */
import { METRICS } from './names.ts';

type Name = Exclude<(typeof METRICS)[keyof typeof METRICS], typeof METRICS.namespace>;

/** `more`: for people who search the log; it becomes no metric. */
export const metricLine = (
  policy: string,
  values: Partial<Record<Name, number>>,
  now: number,
  more: Record<string, unknown> = {},
): string =>
  JSON.stringify({
    ...more,
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: METRICS.namespace,
          // With the policy for the graphs, without for one alarm over all policies.
          Dimensions: [['Policy'], []],
          Metrics: Object.keys(values).map((Name) => ({ Name, Unit: unitOf(Name) })),
        },
      ],
    },
    Policy: policy,
    ...values,
  });

const unitOf = (name: string): string => {
  if (name.endsWith('Ms')) return 'Milliseconds';
  return name.endsWith('Seconds') ? 'Seconds' : 'None';
};

export const writeMetrics = (...line: Parameters<typeof metricLine>): void => {
  process.stdout.write(`${metricLine(...line)}\n`);
};
