import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { layout } from '../../../lab/draw/layout.ts';

const SPACING = { nodeWidth: 100, rowHeight: 50, gap: 10, laneWidth: 8 };
const edge = (from: string, to: string) => ({ from, to });

describe('a layout', () => {
  it('leads down, but for what goes back', () => {
    const { nodes, edges } = layout('a', [edge('a', 'b'), edge('b', 'c'), edge('c', 'b'), edge('a', 'c')], SPACING);
    assert.deepEqual(
      [...nodes.values()].map(({ y }) => y),
      [25, 75, 125],
    );
    assert.deepEqual(
      edges.map(({ back }) => back),
      [false, false, true, false],
    );
    assert.deepEqual(
      edges[2]?.points.map(({ y }) => y),
      [125, 75],
    );
  });

  it('never puts one node over another, whatever the graph', () => {
    const graph = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(graph, (pairs) => {
        // All can be reached from the start.
        const edges = [...pairs.map(([from, to]) => edge(`n${from}`, `n${to}`)).filter(({ from, to }) => from !== to)];
        for (let node = 0; node < 10; node += 1) edges.push(edge('start', `n${node}`));
        const places = [...layout('start', edges, SPACING).nodes.values()];
        assert.equal(places.length, 11);
        for (const [index, one] of places.entries()) {
          assert.ok(one.x >= SPACING.nodeWidth / 2 - 0.01, `${one.x}`);
          for (const other of places.slice(index + 1)) {
            assert.ok(one.y !== other.y || Math.abs(one.x - other.x) >= SPACING.nodeWidth + SPACING.gap - 0.01);
          }
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});
