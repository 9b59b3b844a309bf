/** Draws a dashboard of CloudWatch as it would look with these metrics and logs: from its own JSON, widget by widget. */
import { escapeXml, svg } from '../svg.ts';
import { insights, type LogEvent } from '../watch/insights.ts';
import type { Metrics, Point } from '../watch/metrics.ts';

export interface Watched {
  readonly metrics: Metrics;
  readonly events: readonly LogEvent[];
  /** What the time axes show; milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** Whether an alarm, by its ARN, rings at the end. */
  rings(arn: string): boolean;
}

interface Widget {
  readonly type: 'metric' | 'log' | 'alarm' | 'text';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: {
    readonly title?: string;
    readonly view?: string;
    readonly metrics?: readonly (readonly unknown[])[];
    readonly annotations?: { readonly horizontal?: readonly { readonly value: number; readonly label: string }[] };
    readonly yAxis?: { readonly left?: { readonly label?: string } };
    readonly query?: string;
    readonly alarms?: readonly string[];
    readonly markdown?: string;
  };
}

export interface Body {
  readonly widgets: readonly Widget[];
}

const COLUMN = 48;
const ROW = 38;
const MARGIN = 12;
const HOUR_MS = 3_600_000;
const SERIES = ['blue', 'orange', 'green', 'red', 'purple', 'brown'] as const;

export function dashboardSvg(title: string, { widgets }: Body, watched: Watched): string {
  const bottom = Math.max(...widgets.map(({ y, height }) => y + height));
  return svg({
    title,
    width: 24 * COLUMN + 2 * MARGIN,
    height: bottom * ROW + 2 * MARGIN,
    style: {
      blue: { light: '#1f77b4', dark: '#4493f8' },
      orange: { light: '#d9730d', dark: '#f0883e' },
      green: { light: '#1a7f37', dark: '#3fb950' },
      red: { light: '#cf222e', dark: '#f85149' },
      purple: { light: '#8250df', dark: '#a371f7' },
      brown: { light: '#8c564b', dark: '#b08070' },
      pane: { light: '#f6f8fa', dark: '#151b23' },
    },
    body: widgets.flatMap((widget) => {
      const box = { width: widget.width * COLUMN - 8, height: widget.height * ROW - 8 };
      return [
        `<g transform="translate(${MARGIN + widget.x * COLUMN + 4} ${MARGIN + widget.y * ROW + 4})">`,
        `<rect class="pane" width="${box.width}" height="${box.height}" rx="6"/>`,
        ...(widget.properties.title ? [text(12, 20, widget.properties.title, 'ink', 'font-weight="600"')] : []),
        ...drawn(widget, box, watched),
        '</g>',
      ];
    }),
  });
}

interface Box {
  readonly width: number;
  readonly height: number;
}

function drawn(widget: Widget, box: Box, watched: Watched): string[] {
  const { view, query = '', alarms = [], markdown = '' } = widget.properties;
  switch (`${widget.type} ${view ?? ''}`.trim()) {
    case 'metric timeSeries':
      return timeSeries(widget, box, watched);
    case 'metric singleValue':
      return singleValues(widget, box, watched);
    case 'log table':
      return tableOf(insights(query, watched.events), box);
    case 'log bar':
      return barsOf(insights(query, watched.events), box);
    case 'alarm':
      return alarmsOf(alarms, box, watched);
    case 'text':
      return words(markdown, box);
    default:
      throw new Error(`the lab does not draw the widget ${widget.type} ${view}`);
  }
}

// ------------------------------------------------------------------------------------------------------------- metrics

interface Series {
  readonly label: string;
  readonly points: readonly Point[];
}

/** The graphs of a widget: a row names a metric, or is an expression over rows that are not shown. */
export function seriesOf(rows: readonly (readonly unknown[])[], metrics: Metrics): Series[] {
  const named = new Map<string, Map<number, number>>();
  const shown: Series[] = [];
  const expressions: { expression: string; label: string }[] = [];
  for (const row of rows) {
    const options = (typeof row.at(-1) === 'object' ? row.at(-1) : {}) as Options;
    if (options.expression !== undefined) {
      expressions.push({ expression: options.expression, label: options.label ?? '' });
      continue;
    }
    const [namespace, name, ...pairs] = row.filter((each) => typeof each === 'string');
    const dimensions = Object.fromEntries(
      Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index] ?? '', pairs[2 * index + 1] ?? '']),
    );
    const metric = { namespace: namespace ?? '', name: name ?? '', dimensions };
    const points = metrics.query(metric, options.stat ?? 'Average', (options.period ?? 300) * 1_000);
    if (options.id) named.set(options.id, new Map(points.map(({ at, value }) => [at, value])));
    if (options.visible !== false) shown.push({ label: options.label ?? name ?? '', points });
  }
  for (const { expression, label } of expressions) {
    const times = [...new Set([...named.values()].flatMap((values) => [...values.keys()]))].sort((a, b) => a - b);
    shown.push({
      label,
      points: times.map((at) => ({ at, value: computed(expression, (id) => named.get(id)?.get(at)) })),
    });
  }
  return shown;
}

interface Options {
  readonly id?: string;
  readonly label?: string;
  readonly stat?: string;
  readonly period?: number;
  readonly visible?: boolean;
  readonly expression?: string;
}

/** Metric math, as far as numbers, the four rules and FILL(id, 0) go. */
function computed(expression: string, value: (id: string) => number | undefined): number {
  const numbers = expression.replace(/FILL\((\w+), 0\)/g, (_, id: string) => String(value(id) ?? 0));
  if (!/^[\d.e+\-*/() ]+$/.test(numbers)) throw new Error(`the lab does not play the expression ${expression}`);
  return Number(new Function(`return ${numbers}`)());
}

function timeSeries({ properties }: Widget, { width, height }: Box, { metrics, from, to }: Watched): string[] {
  const series = seriesOf(properties.metrics ?? [], metrics);
  const lines = properties.annotations?.horizontal ?? [];
  const [left, right, top] = [52, width - 14, 48];
  const bottom = height - 24 - Math.ceil(series.length / 2) * 16;
  const highest = niceAbove(
    Math.max(
      ...series.flatMap(({ points }) => points.map(({ value }) => value)),
      ...lines.map(({ value }) => value),
      0,
    ),
  );
  const x = (at: number) => left + ((at - from) / (to - from)) * (right - left);
  const y = (value: number) => bottom - (value / highest) * (bottom - top);
  const ticks = [0, 0.5, 1].map((share) => share * highest);
  return [
    ...(properties.yAxis?.left?.label ? [text(12, 38, properties.yAxis.left.label, 'faint', 'font-size="11"')] : []),
    ...ticks.flatMap((tick) => [
      `<line x1="${left}" x2="${right}" y1="${n(y(tick))}" y2="${n(y(tick))}" stroke="#8c959f" stroke-opacity="0.3"/>`,
      text(left - 6, y(tick) + 4, short(tick), 'faint', 'font-size="11" text-anchor="end"'),
    ]),
    ...days(from, to).map((at) => text(x(at), bottom + 15, dayOf(at), 'faint', 'font-size="11" text-anchor="middle"')),
    ...lines.flatMap(({ value, label }) => [
      `<line x1="${left}" x2="${right}" y1="${n(y(value))}" y2="${n(y(value))}" stroke="#cf222e" stroke-dasharray="5 4"/>`,
      text(right, y(value) - 4, label, 'faint', 'font-size="11" text-anchor="end"'),
    ]),
    ...series.flatMap(({ label, points }, index) => {
      const colour = SERIES[index % SERIES.length];
      const path = points
        .map(({ at, value }, place) => `${place === 0 ? 'M' : 'L'}${n(x(at))} ${n(y(value))}`)
        .join(' ');
      const row = Math.floor(index / 2);
      const legend = {
        x: index % 2 === 0 ? 14 : width / 2,
        y: height - 8 - (Math.ceil(series.length / 2) - 1 - row) * 16,
      };
      return [
        ...(path ? [`<path class="stroke-${colour}" d="${path}"/>`] : []),
        ...points.map(({ at, value }) => `<circle class="${colour}" cx="${n(x(at))}" cy="${n(y(value))}" r="2.2"/>`),
        `<rect class="${colour}" x="${legend.x}" y="${legend.y - 9}" width="10" height="10" rx="2"/>`,
        text(legend.x + 15, legend.y, label, 'faint', 'font-size="11"'),
      ];
    }),
  ];
}

function singleValues({ properties }: Widget, { width }: Box, { metrics }: Watched): string[] {
  const series = seriesOf(properties.metrics ?? [], metrics);
  return series.flatMap(({ label, points }, index) => {
    const x = (width / series.length) * (index + 0.5);
    return [
      text(x, 100, short(points.at(-1)?.value ?? Number.NaN), 'ink', 'font-size="40" text-anchor="middle"'),
      text(x, 130, label, 'faint', 'text-anchor="middle"'),
    ];
  });
}

// ---------------------------------------------------------------------------------------------------- logs and alarms

function tableOf(rows: readonly Readonly<Record<string, unknown>>[], { width, height }: Box): string[] {
  const [first] = rows;
  if (!first) return [text(14, 60, 'no results', 'faint')];
  const names = Object.keys(first);
  const longest = names.map((name) =>
    Math.max(...[name, ...rows.map((row) => cell(name, row[name]))].map(({ length }) => length)),
  );
  const room = (width - 28) / longest.reduce((sum, each) => sum + each + 3, 0);
  const left = longest.map(
    (_, column) => 14 + room * longest.slice(0, column).reduce((sum, each) => sum + each + 3, 0),
  );
  const shown = rows.slice(0, Math.floor((height - 60) / 22));
  return [
    ...names.map((name, column) => text(left[column] ?? 0, 46, name, 'faint', 'font-size="11"')),
    ...shown.flatMap((row, line) => [
      `<line x1="12" x2="${width - 12}" y1="${54 + line * 22}" y2="${54 + line * 22}" stroke="#8c959f" stroke-opacity="0.3"/>`,
      ...names.map((name, column) =>
        text(left[column] ?? 0, 69 + line * 22, cell(name, row[name]), colourOf(row[name]), 'font-size="12"'),
      ),
    ]),
  ];
}

const cell = (name: string, value: unknown): string =>
  name === 'at' ? new Date(Number(value)).toISOString().slice(0, 19).replace('T', ' ') : String(value ?? '');

const colourOf = (value: unknown): string => (/Error$|^none$|^crash$/.test(String(value)) ? 'red' : 'ink');

function barsOf(rows: readonly Readonly<Record<string, unknown>>[], { width, height }: Box): string[] {
  const bars = rows.map((row) => {
    const [label, value] = Object.values(row);
    return { label: String(label), value: Number(value) };
  });
  const highest = niceAbove(Math.max(0, ...bars.map(({ value }) => value)));
  const [top, bottom, across] = [60, height - 34, (width - 40) / Math.max(1, bars.length)];
  return bars.flatMap(({ label, value }, index) => {
    const tall = (value / highest) * (bottom - top);
    const x = 20 + index * across;
    return [
      `<rect class="${SERIES[index % SERIES.length]}" x="${n(x + across * 0.2)}" y="${n(bottom - tall)}" width="${n(across * 0.6)}" height="${n(tall)}"/>`,
      text(x + across / 2, bottom - tall - 6, short(value), 'ink', 'text-anchor="middle"'),
      text(x + across / 2, bottom + 18, label, 'faint', 'text-anchor="middle"'),
    ];
  });
}

function alarmsOf(arns: readonly string[], { width }: Box, watched: Watched): string[] {
  const columns = 4;
  const across = (width - 24) / columns;
  return arns.flatMap((arn, index) => {
    const rings = watched.rings(arn);
    const [x, y] = [12 + (index % columns) * across, 34 + Math.floor(index / columns) * 34];
    const name = arn.slice(arn.lastIndexOf(':') + 1).replace('Freezeframe-', '');
    return [
      `<rect class="${rings ? 'red' : 'green'}" x="${n(x)}" y="${y}" width="${n(across - 8)}" height="28" rx="4"/>`,
      text(x + 10, y + 19, `${rings ? '▲' : '✓'} ${name}`, 'onbar', 'font-size="12"'),
    ];
  });
}

/** Markdown, as far as headings and paragraphs go. */
function words(markdown: string, { width }: Box): string[] {
  const lines = markdown
    .replaceAll('`', '')
    .split(/\n(?=#)|(?<=^#.*)\n/m)
    .flatMap((block) => wrapped(block.replaceAll('\n', ' '), (width - 28) / 6.6));
  return lines.map((line, index) =>
    line.startsWith('#')
      ? text(14, 26, line.replace(/^#+ /, ''), 'ink', 'font-weight="600"')
      : text(14, 32 + index * 20, line, 'ink'),
  );
}

function wrapped(block: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of block.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

// --------------------------------------------------------------------------------------------------------------- parts

const text = (x: number, y: number, words: string, tone: string, more = ''): string =>
  `<text class="${tone}" x="${n(x)}" y="${n(y)}"${more ? ` ${more}` : ''}>${escapeXml(words)}</text>`;

const n = (value: number): string => value.toFixed(1).replace(/\.0$/, '');

const short = (value: number): string =>
  Number.isNaN(value) ? '–' : value >= 1_000 ? value.toLocaleString('en') : String(Number(value.toPrecision(3)));

/** 1, 2 or 5 times a power of ten. */
function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((each) => each * power >= value) ?? 10) * power;
}

const days = (from: number, to: number): number[] =>
  Array.from({ length: Math.floor((to - from) / (72 * HOUR_MS)) + 1 }, (_, index) => from + index * 72 * HOUR_MS);

const dayOf = (at: number): string => new Date(at).toISOString().slice(5, 10);
