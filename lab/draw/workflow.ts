import { escapeXml, svg } from '../svg.ts';
import { type Edge, layout, type Point } from './layout.ts';

/** A definition of the Amazon States Language, as far as it is drawn. */
export interface Definition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Next: string }[];
  readonly Catch?: readonly { readonly Next: string }[];
}

/** What became of the states in one run: names in the order in which they were entered, and those that failed. */
export interface Run {
  readonly path: readonly string[];
  readonly failed: readonly string[];
}

interface Way extends Edge {
  readonly caught: boolean;
}

const SPACING = { nodeWidth: 156, rowHeight: 62, gap: 18, laneWidth: 12 };
const NODE_HEIGHT = 34;
const TOP = 56;
const MARGIN = 18;

/** A workflow as the Step Functions console shows it: boxes from top to bottom, the states of a run in colour. */
export function workflowSvg(title: string, { StartAt, States }: Definition, run: Run): string {
  const ways = Object.entries(States).flatMap(([from, state]) => waysOf(from, state));
  const placed = layout(StartAt, ways, SPACING);
  const taken = new Set(run.path.slice(1).map((to, index) => `${run.path[index]} > ${to}`));
  const edges = placed.edges
    .map(({ edge, points }) => ({ edge, points, walked: taken.has(`${edge.from} > ${edge.to}`) }))
    // What the run went through lies on top.
    .toSorted((a, b) => Number(a.walked) - Number(b.walked));
  return svg({
    title,
    width: Math.ceil(placed.width + 2 * MARGIN),
    height: Math.ceil(placed.height + TOP + MARGIN),
    style: {
      succeeded: { light: '#1a7f37', dark: '#238636' },
      failed: { light: '#cf222e', dark: '#da3633' },
      idle: { light: '#eaeef2', dark: '#262c36' },
    },
    body: [
      `<text class="ink" x="${MARGIN}" y="28" font-weight="600">${escapeXml(title)}</text>`,
      `<text class="faint" x="${placed.width + MARGIN}" y="28" text-anchor="end">solid: next · dashed: on error</text>`,
      '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>',
      `<g transform="translate(${MARGIN} ${TOP})">`,
      ...edges.map(({ edge, points, walked }) => {
        const dashes = edge.caught ? ' stroke-dasharray="4 3"' : '';
        const look = walked ? ' stroke="#1f6feb" stroke-width="2"' : ' stroke="#8c959f" stroke-opacity="0.55"';
        return `<path d="${curve(points)}" fill="none"${look}${dashes} marker-end="url(#tip)"/>`;
      }),
      ...[...placed.nodes].map(([name, point]) => node(name, point, lookOf(name, run))),
      '</g>',
    ],
  });
}

function waysOf(from: string, { Next, Default, Choices = [], Catch = [] }: State): Way[] {
  const next = new Set([Next, Default, ...Choices.map((choice) => choice.Next)].filter((to) => to !== undefined));
  const caught = new Set(Catch.map((each) => each.Next));
  return [
    ...[...next].map((to) => ({ from, to, caught: false })),
    // One line is enough where an error leads to what comes next anyway.
    ...[...caught].filter((to) => !next.has(to)).map((to) => ({ from, to, caught: true })),
  ];
}

type Look = 'succeeded' | 'failed' | 'idle';

const lookOf = (name: string, { path, failed }: Run): Look =>
  failed.includes(name) ? 'failed' : path.includes(name) ? 'succeeded' : 'idle';

function node(name: string, { x, y }: Point, look: Look): string {
  const left = (x - SPACING.nodeWidth / 2).toFixed(1);
  const ink = look === 'idle' ? 'faint' : 'onbar';
  const lines = twoLines(name).map((line, index, { length }) => {
    const down = 4.5 + (index - (length - 1) / 2) * 14;
    return `<text class="${ink}" x="${x.toFixed(1)}" y="${(y + down).toFixed(1)}" text-anchor="middle" font-size="12">${escapeXml(line)}</text>`;
  });
  return `<rect class="${look}" x="${left}" y="${(y - NODE_HEIGHT / 2).toFixed(1)}" width="${SPACING.nodeWidth}" height="${NODE_HEIGHT}" rx="6"/>${lines.join('')}`;
}

/** A name too long for its box is broken near its middle. */
function twoLines(name: string): string[] {
  if (name.length <= 23) return [name];
  const blanks = [...name.matchAll(/ /g)].map(({ index }) => index);
  const middle = blanks.toSorted((a, b) => Math.abs(a - name.length / 2) - Math.abs(b - name.length / 2))[0];
  return middle === undefined ? [name] : [name.slice(0, middle), name.slice(middle + 1)];
}

/** From the edge of one box to the edge of the other, through the lanes between. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  const last = rest.at(-1) ?? first;
  const down = Math.sign(last.y - first.y) || 1;
  const ends = points.map((point, index) => {
    if (index === 0) return { x: point.x, y: point.y + (down * NODE_HEIGHT) / 2 };
    if (index === points.length - 1) return { x: point.x, y: point.y - (down * (NODE_HEIGHT + 4)) / 2 };
    return point;
  });
  let path = `M${ends[0]?.x.toFixed(1)} ${ends[0]?.y.toFixed(1)}`;
  for (const [index, to] of ends.slice(1).entries()) {
    const from = ends[index] as Point;
    const middle = (from.y + to.y) / 2;
    path += ` C${from.x.toFixed(1)} ${middle.toFixed(1)} ${to.x.toFixed(1)} ${middle.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
  }
  return path;
}
