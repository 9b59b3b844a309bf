import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { grade } from '../../lambdas/grade/grade.ts';
import { runMetrics } from '../../lambdas/grade/run-metrics.ts';
import { gradeInput, receipt } from './builders.ts';

const metricsOf = (input: ReturnType<typeof gradeInput>) => runMetrics(input, grade(input, input.snapshots));
const thawedBy = (who: ReturnType<typeof receipt>['thawedBy']) => metricsOf(gradeInput({}, receipt({ thawedBy: who })));

describe('what a run tells', () => {
  it('is its frozen window, and that nothing is amiss', () => {
    const { values, more } = thawedBy('asked');
    assert.deepEqual([values.Downgraded, values.StuckThaws], [0, 0]);
    assert.ok(Number(values.WindowMs) > 0);
    assert.deepEqual([more.grade, more.wanted], ['application', 'application']);
  });

  it('is a stuck thaw where the host had to let go by itself', () => {
    for (const who of ['lease', 'watchdog'] as const) {
      assert.deepEqual([thawedBy(who).values.StuckThaws, thawedBy(who).values.Downgraded], [1, 1], who);
    }
  });

  it('is a stuck thaw where nobody knows', () => {
    const { thawed: _, ...input } = gradeInput({ thawError: { Error: 'HostSilentError' } });
    assert.equal(metricsOf(input).values.StuckThaws, 1);
  });

  it('is none where the freeze failed, or somebody thawed by hand', () => {
    for (const who of ['error', 'hand', 'rescue'] as const) assert.equal(thawedBy(who).values.StuckThaws, 0, who);
  });

  it('leaves out a window that there was not', () => {
    const { thawed: _, frozen: __, ...input } = gradeInput();
    assert.equal('WindowMs' in metricsOf({ ...input, mode: 'crash' }).values, false);
  });
});
