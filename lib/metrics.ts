import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { METRICS } from '../lambdas/shared/names.ts';

/** One of our metrics, over all policies. */
export const ofAll = (metricName: string, options: cloudwatch.MetricOptions = {}): cloudwatch.Metric =>
  new cloudwatch.Metric({ namespace: METRICS.namespace, metricName, statistic: 'Sum', ...options });

/** One of our metrics, of one policy. */
export const ofPolicy = (
  metricName: string,
  policy: string,
  options: cloudwatch.MetricOptions = {},
): cloudwatch.Metric =>
  ofAll(metricName, { dimensionsMap: { Policy: policy }, period: Duration.hours(1), label: policy, ...options });
