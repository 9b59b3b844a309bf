import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { DASHBOARD, METRICS } from '../lambdas/shared/names.ts';
import type { Alarms } from './alarms.ts';
import type { BackupSteps } from './backup-steps.ts';
import { ages } from './fleet.ts';
import { ofAll, ofPolicy } from './metrics.ts';
import type { Plan } from './plan.ts';
import { StepFunction } from './step-function.ts';

export interface DashboardProps {
  readonly plan: Plan;
  readonly alarms: Alarms;
  /** The functions of a run: they tell what became of it, and what it cost. */
  readonly steps: BackupSteps;
  /** By the words under which they are shown. */
  readonly workflows: Readonly<Record<string, sfn.StateMachine>>;
}

/** What an operator looks at in the morning. What is shown of single instances is searched in the logs: no metric is paid for them. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, { plan, alarms, steps, workflows }: DashboardProps) {
    super(scope, id);
    const functions = Object.values(steps).filter((step) => step instanceof StepFunction);
    const policies = Object.keys(plan.policies);
    const copied = policies.filter((policy) => plan.policies[policy]?.copyTo.length);
    const drilled = policies.filter((policy) => plan.policies[policy]?.drill);
    new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: DASHBOARD,
      defaultInterval: Duration.days(14),
      widgets: [
        [
          new cloudwatch.AlarmStatusWidget({
            title: 'Alarms: what to do stands in docs/runbook.md',
            alarms: alarms.all,
            width: 16,
            height: 5,
          }),
          new cloudwatch.SingleValueWidget({
            title: 'Instances whose newest set is …',
            width: 8,
            height: 5,
            period: A_DAY,
            metrics: [daily(METRICS.stale, 'too old'), daily(METRICS.neverBackedUp, 'none at all')],
          }),
        ],
        [
          this.lastResults(functions),
          new cloudwatch.LogQueryWidget({
            title: 'Sets by grade',
            view: cloudwatch.LogQueryVisualizationType.BAR,
            width: 8,
            height: 8,
            logGroupNames: [steps.grade.logGroup.logGroupName],
            queryLines: ['filter ispresent(wanted)', 'stats count(*) as sets by grade'],
          }),
        ],
        [
          graph(
            'Frozen window',
            'milliseconds',
            policies.flatMap((policy) => [
              ofPolicy(METRICS.windowMs, policy, { statistic: 'p50', label: `${policy} p50` }),
              ofPolicy(METRICS.windowMs, policy, { statistic: 'p99', label: `${policy} p99` }),
            ]),
          ),
          graph(
            'RPO: how old the newest sets are at most',
            'hours',
            policies.map((policy) => ofPolicy(METRICS.oldestSetHours, policy, { statistic: 'Maximum', period: A_DAY })),
            Object.entries(ages(plan)).map(([policy, { rpoHours }]) => ({
              value: rpoHours,
              label: `${policy} rings above`,
            })),
          ),
          graph(
            'Instances of each firing',
            'instances',
            policies.flatMap((policy) => [
              ofPolicy(METRICS.reached, policy, { label: `${policy} backed up` }),
              ofPolicy(METRICS.missed, policy, { label: `${policy} missed` }),
            ]),
          ),
        ],
        [
          graph(
            'Downgrades and stuck thaws',
            'runs',
            policies.flatMap((policy) => [
              ofPolicy(METRICS.downgraded, policy, { label: `${policy} downgraded` }),
              ofPolicy(METRICS.stuckThaws, policy, { label: `${policy} stuck` }),
            ]),
          ),
          ended('Ended green', workflows, (machine) => machine.metricSucceeded()),
          ended('Ended red', workflows, (machine) => machine.metricFailed()),
        ],
        [
          graph(
            'Snapshots that there are',
            'snapshots',
            policies.map((policy) => ofPolicy(METRICS.snapshots, policy, { statistic: 'Maximum', period: A_DAY })),
          ),
          new cloudwatch.GraphWidget({
            title: 'What runs cost beside their snapshots',
            width: 8,
            height: 6,
            leftYAxis: { label: 'US dollars a day', min: 0, showUnits: false },
            left: [costOf(workflows.Backup as sfn.StateMachine, functions)],
          }),
          new cloudwatch.TextWidget({ markdown: COST, width: 8, height: 6 }),
        ],
        ...(copied.length > 0 ? [copies(copied)] : []),
        ...(drilled.length > 0 ? [drills(drilled)] : []),
      ],
    });
  }

  /** A state that failed, or the grade that was earned after it: whatever was said last. */
  private lastResults(functions: readonly StepFunction[]): cloudwatch.LogQueryWidget {
    return new cloudwatch.LogQueryWidget({
      title: 'Last result of each instance',
      width: 16,
      height: 8,
      logGroupNames: functions.map(({ logGroup }) => logGroup.logGroupName),
      queryLines: [
        'fields coalesce(grade, outcome) as result',
        'filter ispresent(runId) and (ispresent(wanted) or level = "ERROR")',
        'stats max(@timestamp) as at, latest(result) as result, latest(runId) as run by instanceId',
        'sort at desc',
        'limit 200',
      ],
    });
  }
}

/** How long a drill took to give the file systems back. */
const drills = (policies: readonly string[]): cloudwatch.GraphWidget[] => [
  graph(
    'Time to restore, in drills',
    'seconds',
    policies.map((policy) => ofPolicy(METRICS.restoreSeconds, policy, { statistic: 'Maximum' })),
  ),
];

/** What other Regions and accounts still lack. */
const copies = (policies: readonly string[]): cloudwatch.GraphWidget[] => {
  const of = (metricName: string) => policies.map((policy) => ofPolicy(metricName, policy, { statistic: 'Maximum' }));
  return [
    graph('Sets that a destination lacks too long', 'sets', of(METRICS.lateCopies)),
    graph('Oldest set that a destination lacks', 'hours', of(METRICS.oldestLackingHours)),
  ];
};

const A_DAY = Duration.days(1);

const daily = (metricName: string, label: string): cloudwatch.Metric => ofAll(metricName, { label, period: A_DAY });

const graph = (
  title: string,
  label: string,
  left: cloudwatch.IMetric[],
  leftAnnotations: cloudwatch.HorizontalAnnotation[] = [],
): cloudwatch.GraphWidget =>
  new cloudwatch.GraphWidget({
    title,
    width: 8,
    height: 6,
    left,
    leftAnnotations,
    leftYAxis: { label, min: 0, showUnits: false },
  });

const ended = (
  title: string,
  workflows: DashboardProps['workflows'],
  metric: (machine: sfn.StateMachine) => cloudwatch.Metric,
): cloudwatch.GraphWidget =>
  graph(
    title,
    'executions a day',
    Object.entries(workflows).map(([label, machine]) =>
      metric(machine).with({ label, statistic: 'Sum', period: A_DAY }),
    ),
  );

/** US dollars, us-east-1, November 2026: a state transition, and a GB-second of Lambda on ARM. */
const TRANSITION = 0.000_025;
const GB_SECOND = 0.000_013_333_4;
/** Of a green run: docs/cost.md counts them. */
const TRANSITIONS = 17;

/** The transitions of runs, and the time of the functions that they call. */
function costOf(backup: sfn.StateMachine, functions: readonly StepFunction[]): cloudwatch.MathExpression {
  const milliseconds = functions.map(
    (step, index) => [`d${index}`, step.function.metricDuration({ statistic: 'Sum' })] as const,
  );
  const gigabytes = functions.map(({ memoryMB }, index) => `FILL(d${index}, 0) * ${memoryMB / 1024}`).join(' + ');
  return new cloudwatch.MathExpression({
    label: 'Step Functions and Lambda',
    period: A_DAY,
    expression: `FILL(runs, 0) * ${TRANSITIONS} * ${TRANSITION} + (${gigabytes}) / 1000 * ${GB_SECOND}`,
    usingMetrics: { runs: backup.metricStarted({ statistic: 'Sum' }), ...Object.fromEntries(milliseconds) },
  });
}

const COST = [
  '### What it costs',
  'The curve is what runs cost by Step Functions and Lambda. The snapshots are what is on the bill: make',
  '`freezeframe:policy` a cost allocation tag, and Cost Explorer shows them by policy. docs/cost.md has the arithmetic.',
].join('\n');
