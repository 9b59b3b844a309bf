/** What the timeline of a run shows, and how it is drawn. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Evidence } from '../../cli/evidence.ts';
import { paintFor } from '../../cli/terminal.ts';
import { type Timeline, tickLabel, ticksOf, timelineOf } from '../../cli/timeline.ts';
import { drawHtml } from '../../cli/timeline-html.ts';
import { drawSvg } from '../../cli/timeline-svg.ts';
import { drawText } from '../../cli/timeline-text.ts';
import { gradeRun } from '../../lambdas/grade/grade-run.ts';
import type { GradeInput, Receipt } from '../../lambdas/shared/contracts.ts';
import { gradeInput, NOW, receipt } from '../lambdas/builders.ts';

/** The evidence as *Grade* makes it. */
const evidenceOf = async (input: GradeInput): Promise<Evidence> => {
  let now = NOW;
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
    chance: () => 0,
  };
  const { evidence } = await gradeRun(input, { ofRun: async () => [], tag: async () => {} }, clock);
  return Evidence.parse(evidence);
};

const timeline = async (changes: Partial<Receipt> = {}): Promise<Timeline> => {
  const found = timelineOf(await evidenceOf(gradeInput({}, receipt(changes))));
  assert.ok(found);
  return found;
};

const laneOf = ({ lanes }: Timeline, label: string) => {
  const lane = lanes.find((each) => each.label === label);
  assert.ok(lane, label);
  return [Math.round(lane.from), Math.round(lane.to)];
};

describe('the timeline of a run', () => {
  it('begins when the first application stalled, and its window ends when the last one was released', async () => {
    const found = await timeline();
    assert.deepEqual([found.window?.from, Math.round(found.window?.to ?? 0)], [0, 4_050]);
    assert.deepEqual(laneOf(found, 'MariaDB 10.11 held'), [100, 4_050]);
    assert.deepEqual(laneOf(found, '/data frozen'), [600, 3_900]);
  });

  it('places the calls to AWS by the host’s wall clock where that can be true', async () =>
    assert.deepEqual(laneOf(await timeline(), 'CreateSnapshots'), [1_800, 2_800]));

  it('moves them no further than causality demands where the host’s clock is wrong', async () => {
    // An hour fast. Freeze answered 0.5 s after the host was frozen at the latest: at 11.5 s of AWS's clock it was 1011.
    const fast = await timeline({ frozenClock: NOW / 1_000 + 3_611 });
    assert.deepEqual(laneOf(fast, 'Freeze’s answer on its way'), [800, 800]);
    // An hour slow. The thaw can't have been asked for on the host before it was sent.
    const slow = await timeline({ frozenClock: NOW / 1_000 - 3_589 });
    assert.deepEqual(laneOf(slow, 'Thaw’s order on its way').at(1), 3_800);
    for (const found of [fast, slow]) {
      const [from = 0, to = 0] = laneOf(found, 'CreateSnapshots');
      assert.ok(from >= 800 && to <= 3_800, `${from} to ${to}`);
      assert.equal(Math.round(found.slackMs ?? -1), 500);
    }
  });

  it('shows LVM snapshots from their making to their removal, and says how full they were', async () => {
    const lvm = { origin: 'vg/data', snapshot: 's', takenAt: 1010.9, valid: false, usedPercent: 100, removed: true };
    const found = await timeline({ mode: 'lvm-snapshot', filesystems: [], lvmSnapshots: [lvm] });
    assert.deepEqual(laneOf(found, 'LVM snapshot of vg/data'), [700, 4_100]);
    assert.equal(found.lanes.find(({ kind }) => kind === 'lvm')?.note, 'overflowed; 100 % used');
  });

  it('shows the one call of a run that froze nothing', async () => {
    const { frozen: _, thawed: __, ...input } = gradeInput({ mode: 'crash' });
    const found = timelineOf(await evidenceOf(input));
    assert.equal(found?.window, null);
    assert.deepEqual(
      found?.lanes.map(({ label }) => label),
      ['CreateSnapshots'],
    );
  });

  it('leaves out what never was: a freeze that failed has no thaw on its way, a run without a set no call', async () => {
    const failed = receipt({ frozenAt: null, thawAskedAt: null, thawedBy: 'error', filesystems: [] });
    const { snapshots: _, ...input } = gradeInput({}, failed);
    const labels = timelineOf(await evidenceOf({ ...input, error: { Error: 'FreezeFailedError' } }))?.lanes.map(
      ({ label }) => label,
    );
    assert.deepEqual(labels, ['MariaDB 10.11 held']);
  });

  it('has round ticks, told apart by their labels', () => {
    for (const [to, most] of [
      [4_050, 8],
      [93, 8],
      [61_000, 4],
      [1, 4],
    ] as const) {
      const ticks = ticksOf({ from: 0, to }, most);
      const step = (ticks[1] ?? to) - (ticks[0] ?? 0);
      const labels = ticks.map((tick) => tickLabel(tick, step));
      assert.ok(ticks.length >= 2 && ticks.length <= most + 1, `${to}: ${ticks}`);
      assert.equal(new Set(labels).size, labels.length, labels.join(' '));
    }
  });
});

describe('drawn as text', () => {
  it('each bar begins and ends where its lane does', async () => {
    const lines = drawText(await timeline(), paintFor({ write() {} })).split('\n');
    const line = (label: string) => lines.find((each) => each.startsWith(label)) ?? '';
    const bar = (label: string) => [line(label).indexOf('█'), line(label).lastIndexOf('█')];
    const [appFrom = 0, appTo = 0] = bar('MariaDB');
    const [fsFrom = 0, fsTo = 0] = bar('/data');
    const [callFrom = 0, callTo = 0] = bar('CreateSnapshots');
    assert.ok(appFrom < fsFrom && fsFrom < callFrom && callTo < fsTo && fsTo < appTo, lines.join('\n'));
    assert.match(line('MariaDB'), / 3\.95 s {2}binlog\.000001 4711$/);
  });
});

describe('drawn as SVG', () => {
  it('is well-formed, and tells its content to those who can’t see it', async () => {
    const evidence = await evidenceOf(gradeInput());
    const svg = drawSvg(evidence, timelineOf(evidence) as Timeline);
    assertWellFormed(svg);
    assert.match(svg, /role="img" aria-labelledby="t d"/);
    assert.match(
      svg,
      /<desc id="d">[^<]*The frozen window lasted 4\.05 s\.[^<]*CreateSnapshots[^<]*from 1\.80 s to 2\.80 s/,
    );
    assert.match(svg, /prefers-color-scheme: dark/);
  });

  it('takes nothing that a host says for markup', async () => {
    const evil = receipt();
    evil.apps = evil.apps.map((app) => ({ ...app, name: '<script>alert("1")</script> & co', position: '</title>' }));
    const evidence = await evidenceOf(gradeInput({}, evil));
    const page = drawHtml(evidence, timelineOf(evidence));
    assert.ok(!page.includes('<script'));
    assertWellFormed(drawSvg(evidence, timelineOf(evidence) as Timeline));
  });

  it('keeps every bar within the picture', async () => {
    const evidence = await evidenceOf(gradeInput());
    for (const [, x = '', width = ''] of drawSvg(evidence, timelineOf(evidence) as Timeline).matchAll(
      /<rect class="(?:app|filesystem|ec2|way|window)" x="([\d.-]+)" y="[\d.]+" width="([\d.]+)"/g,
    )) {
      assert.ok(Number(x) >= 230 && Number(x) + Number(width) <= 960 - 90, `${x} ${width}`);
    }
  });

  it('is the picture in docs/images/timeline.svg; FREEZEFRAME_DRAW=1 draws it anew', async () => {
    const file = new URL('../../docs/images/timeline.svg', import.meta.url);
    const evidence = await evidenceOf(gradeInput());
    const svg = drawSvg(evidence, timelineOf(evidence) as Timeline);
    if (process.env.FREEZEFRAME_DRAW) writeFileSync(file, svg);
    assert.equal(readFileSync(file, 'utf8'), svg);
  });
});

it('the page has the picture, and all of its numbers as a table', async () => {
  const evidence = await evidenceOf(gradeInput());
  const page = drawHtml(evidence, timelineOf(evidence));
  assert.match(page, /^<!doctype html>\n<html lang="en">/);
  assert.match(page, /<figure>\n<svg /);
  assert.match(
    page,
    /<td>CreateSnapshots<\/td><td class="number">1\.80 s<\/td><td class="number">2\.80 s<\/td><td class="number">1\.00 s<\/td>/,
  );
  for (const { snapshotId } of evidence.snapshots) assert.ok(page.includes(snapshotId));
});

/** Every tag is closed by its own, in order. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  for (const [, close, name = '', rest = ''] of xml.matchAll(/<(\/?)([a-zA-Z]+)((?:"[^"]*"|[^">])*)>/g)) {
    if (close) assert.equal(open.pop(), name, xml);
    else if (!rest.endsWith('/')) open.push(name);
  }
  assert.deepEqual(open, []);
}
