/** As much of CloudWatch's metrics as a dashboard of ours asks for: values that came by EMF or of AWS's own, by period. */
export interface Value {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
}

export interface Point {
  readonly at: number;
  readonly value: number;
}

interface EmfLine {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
  readonly [key: string]: unknown;
}

export class Metrics {
  readonly values: Value[] = [];

  put(value: Value): void {
    this.values.push(value);
  }

  /** Takes what a line of a log says in the embedded metric format; other lines say nothing. */
  takeLine(line: unknown): void {
    if (typeof line !== 'object' || line === null || !('_aws' in line)) return;
    const { _aws, ...fields } = line as EmfLine;
    for (const { Namespace, Dimensions, Metrics: metrics } of _aws.CloudWatchMetrics) {
      for (const names of Dimensions) {
        const dimensions = Object.fromEntries(names.map((name) => [name, String(fields[name])]));
        for (const { Name } of metrics) {
          this.put({ namespace: Namespace, name: Name, dimensions, at: _aws.Timestamp, value: Number(fields[Name]) });
        }
      }
    }
  }

  query(metric: Pick<Value, 'namespace' | 'name' | 'dimensions'>, stat: string, periodMs: number): Point[] {
    const periods = new Map<number, number[]>();
    for (const { namespace, name, dimensions, at, value } of this.values) {
      if (namespace !== metric.namespace || name !== metric.name || !same(dimensions, metric.dimensions)) continue;
      const start = Math.floor(at / periodMs) * periodMs;
      periods.set(start, [...(periods.get(start) ?? []), value]);
    }
    return [...periods].sort(([a], [b]) => a - b).map(([at, values]) => ({ at, value: statistic(stat, values) }));
  }
}

const same = (a: Value['dimensions'], b: Value['dimensions']): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value);

function statistic(stat: string, values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const percent = /^p(\d+)$/.exec(stat)?.[1];
  if (percent) return sorted[Math.ceil((Number(percent) / 100) * sorted.length) - 1] ?? Number.NaN;
  if (stat === 'Sum') return values.reduce((sum, value) => sum + value, 0);
  if (stat === 'Maximum') return sorted.at(-1) ?? Number.NaN;
  throw new Error(`the lab does not play the statistic ${stat}`);
}
