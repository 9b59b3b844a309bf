/** Places the nodes of a directed graph on rows, so that edges lead down and cross seldom (after Sugiyama). */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout<E extends Edge> {
  /** Centre of each node. */
  readonly nodes: ReadonlyMap<string, Point>;
  /** Points that an edge runs through, its ends at the nodes' centres; `back` where it leads up. */
  readonly edges: readonly { readonly edge: E; readonly back: boolean; readonly points: readonly Point[] }[];
  readonly width: number;
  readonly height: number;
}

export interface Spacing {
  readonly nodeWidth: number;
  readonly rowHeight: number;
  /** Between two nodes of a row, and between two edges that pass by. */
  readonly gap: number;
  readonly laneWidth: number;
}

export function layout<E extends Edge>(start: string, edges: readonly E[], spacing: Spacing): Layout<E> {
  const back = backEdges(start, edges);
  const down = edges.map((edge) => (back.has(edge) ? { from: edge.to, to: edge.from } : edge));
  const rowOf = rows(start, down);
  const chains = down.map(({ from, to }, index) => chain(from, to, rowOf, `lane ${index}`));
  const grid = ordered(
    [...rowOf.entries(), ...chains.flatMap((lanes) => lanes.slice(1, -1).map(({ id, row }) => [id, row] as const))],
    chains.flatMap((lanes) => lanes.slice(1).map((lane, index) => ({ from: lanes[index]?.id ?? '', to: lane.id }))),
  );
  const isNode = (id: string) => rowOf.has(id);
  const x = columns(grid, chains, spacing, isNode);
  const y = (row: number) => (row + 0.5) * spacing.rowHeight;
  const at = (id: string, row: number): Point => ({ x: x.get(id) ?? 0, y: y(row) });
  return {
    nodes: new Map([...rowOf].map(([id, row]) => [id, at(id, row)])),
    edges: edges.map((edge, index) => {
      const points = (chains[index] ?? []).map(({ id, row }) => at(id, row));
      return back.has(edge) ? { edge, back: true, points: points.reverse() } : { edge, back: false, points };
    }),
    width: Math.max(...x.values()) + spacing.nodeWidth / 2,
    height: grid.length * spacing.rowHeight,
  };
}

/** Edges that lead to a node from which the walk came. */
function backEdges<E extends Edge>(start: string, edges: readonly E[]): Set<E> {
  const back = new Set<E>();
  const [open, done] = [new Set<string>(), new Set<string>()];
  const walk = (node: string): void => {
    open.add(node);
    for (const edge of edges.filter(({ from }) => from === node)) {
      if (open.has(edge.to)) back.add(edge);
      else if (!done.has(edge.to)) walk(edge.to);
    }
    open.delete(node);
    done.add(node);
  };
  walk(start);
  return back;
}

/** The row of each node: below all that lead to it. */
function rows(start: string, edges: readonly Edge[]): Map<string, number> {
  const row = new Map([[start, 0]]);
  for (let moved = true; moved; ) {
    moved = false;
    for (const { from, to } of edges) {
      const least = (row.get(from) ?? Number.NaN) + 1;
      if (least > (row.get(to) ?? -1)) {
        row.set(to, least);
        moved = true;
      }
    }
  }
  return row;
}

interface Lane {
  readonly id: string;
  readonly row: number;
}

/** An edge row by row: its ends, and a lane in each row that it passes. */
function chain(from: string, to: string, rowOf: ReadonlyMap<string, number>, name: string): Lane[] {
  const [first, last] = [rowOf.get(from) ?? 0, rowOf.get(to) ?? 0];
  const between = Array.from({ length: last - first - 1 }, (_, index) => first + 1 + index);
  return [{ id: from, row: first }, ...between.map((row) => ({ id: `${name} ${row}`, row })), { id: to, row: last }];
}

const SWEEPS = 40;

/** Each row from left to right: nodes near those they lead to. The best of all sweeps, by crossings. */
function ordered(members: readonly (readonly [string, number])[], steps: readonly Edge[]): string[][] {
  const grid: string[][] = [];
  // From the middle of a row on, so that what is joined alike is not all at one end.
  for (const [id, row] of members) {
    grid[row] ??= [];
    grid[row]?.splice(Math.ceil((grid[row]?.length ?? 0) / 2), 0, id);
  }
  let best = grid.map((row) => [...row]);
  let fewest = crossings(best, steps);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const downwards = sweep % 2 === 0;
    const order = downwards ? grid.keys() : [...grid.keys()].reverse();
    for (const row of order) {
      const beside = new Map((grid[row + (downwards ? -1 : 1)] ?? []).map((id, place) => [id, place]));
      const own = grid[row] ?? [];
      const wish = new Map(own.map((id, place) => [id, mean(neighbours(id, steps, beside)) ?? place]));
      own.sort((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0));
    }
    const crossed = crossings(grid, steps);
    if (crossed < fewest) {
      fewest = crossed;
      best = grid.map((row) => [...row]);
    }
  }
  return best;
}

const neighbours = (id: string, steps: readonly Edge[], beside: ReadonlyMap<string, number>): number[] =>
  steps
    .filter(({ from, to }) => from === id || to === id)
    .map(({ from, to }) => beside.get(from === id ? to : from))
    .filter((place) => place !== undefined);

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;

function crossings(grid: readonly (readonly string[])[], steps: readonly Edge[]): number {
  const place = new Map(grid.flatMap((row, number) => row.map((id, index) => [id, { number, index }] as const)));
  const lines = steps.map(({ from, to }) => ({
    row: place.get(from)?.number,
    a: place.get(from)?.index ?? 0,
    b: place.get(to)?.index ?? 0,
  }));
  let crossed = 0;
  for (const [index, one] of lines.entries()) {
    for (const other of lines.slice(index + 1)) {
      if (one.row === other.row && (one.a - other.a) * (one.b - other.b) < 0) crossed += 1;
    }
  }
  return crossed;
}

/** Left to right without overlap, each as near as can be to the middle of what it is joined to. */
function columns(
  grid: readonly (readonly string[])[],
  chains: readonly (readonly Lane[])[],
  { nodeWidth, gap, laneWidth }: Spacing,
  isNode: (id: string) => boolean,
): Map<string, number> {
  const widthOf = (id: string) => (isNode(id) ? nodeWidth : laneWidth);
  const apart = (a: string, b: string) => (widthOf(a) + widthOf(b)) / 2 + (isNode(a) && isNode(b) ? gap : gap / 2);
  const joined = new Map<string, string[]>();
  for (const lanes of chains) {
    for (const [index, { id }] of lanes.entries()) {
      const others = [lanes[index - 1]?.id, lanes[index + 1]?.id].filter((each) => each !== undefined);
      joined.set(id, [...(joined.get(id) ?? []), ...others]);
    }
  }
  const x = new Map<string, number>();
  for (const row of grid) {
    let right = 0;
    for (const [index, id] of row.entries()) {
      const previous = row[index - 1];
      right = previous === undefined ? widthOf(id) / 2 : right + apart(previous, id);
      x.set(id, right);
    }
  }
  for (let pass = 0; pass < 60; pass += 1) {
    for (const row of pass % 2 === 0 ? grid : grid.toReversed()) {
      const wish = row.map((id) => mean((joined.get(id) ?? []).map((other) => x.get(other) ?? 0)) ?? x.get(id) ?? 0);
      settle(row, wish, apart).forEach((place, index) => {
        x.set(row[index] as string, place);
      });
    }
  }
  const left = Math.min(...[...x].map(([id, place]) => place - widthOf(id) / 2));
  return new Map([...x].map(([id, place]) => [id, place - left]));
}

/** Places nearest to the wishes that keep the order and the distances: neighbours that would overlap move together. */
function settle(row: readonly string[], wish: readonly number[], apart: (a: string, b: string) => number): number[] {
  const blocks: { from: number; count: number; sum: number }[] = [];
  const offsets = [0];
  for (const [index, id] of row.entries()) {
    if (index > 0) offsets.push((offsets[index - 1] ?? 0) + apart(row[index - 1] as string, id));
  }
  for (const [index, place] of wish.entries()) {
    blocks.push({ from: index, count: 1, sum: place - (offsets[index] ?? 0) });
    for (;;) {
      const [one, two] = blocks.slice(-2);
      if (!one || !two || one.sum / one.count <= two.sum / two.count) break;
      blocks.splice(-2, 2, { from: one.from, count: one.count + two.count, sum: one.sum + two.sum });
    }
  }
  return blocks.flatMap(({ from, count, sum }) =>
    Array.from({ length: count }, (_, index) => sum / count + (offsets[from + index] ?? 0)),
  );
}
