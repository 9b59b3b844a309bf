import type { Evidence } from './evidence.ts';
import type { Timeline } from './timeline.ts';
import { drawSvg, escaped, inWords, titleOf } from './timeline-svg.ts';
import { seconds } from './words.ts';

/** One page that needs nothing else: the picture, and all that it is drawn from. */
export const drawHtml = (evidence: Evidence, timeline: Timeline | undefined): string => {
  const { run, instance, policy, mode, why, grade, reasons, receipt, snapshots, volumes, windowMs, error } = evidence;
  const facts: [string, string][] = [
    ['Set', run],
    ['Instance', instance],
    ['Grade', `${grade ?? 'none'} (policy ${policy.name} asks for ${policy.grade})`],
    ['Mode', `${mode}: ${why}`],
    ...(windowMs === null ? [] : [['Frozen window', seconds(windowMs)] as [string, string]]),
    ...(receipt ? [['Thawed by', receipt.thawedBy ?? 'not known'] as [string, string]] : []),
    ...(error ? [['Error', `${error.Error}: ${error.Cause ?? ''}`] as [string, string]] : []),
  ];
  const volumeOf = new Map(volumes.map(({ volumeId, device }) => [volumeId, device]));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(titleOf(evidence))}</title>
<style>
  :root { color-scheme: light dark; --text: light-dark(#16202c, #e8edf3); --dim: light-dark(#55606e, #9aa7b5); --line: light-dark(#dfe4ea, #2a3542); --paper: light-dark(#f5f7f9, #0a0f14); --card: light-dark(#fff, #0f151c) }
  body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--text); background: var(--paper); margin: 0 }
  main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem }
  h1 { font-size: 1.5rem; margin: 0 0 1rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
  figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto } svg { display: block; width: 100%; min-width: 44rem; height: auto }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 0 1.5rem } dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere }
  .scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .925rem } th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
  th { color: var(--dim); font-weight: 500 } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } code { font-size: .9em }
</style>
</head>
<body>
<main>
<h1>${escaped(titleOf(evidence))}</h1>
<dl>
${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl>
${reasons.length > 0 ? `<h2>What kept the grade down</h2>\n<ul>\n${reasons.map((reason) => `<li>${escaped(reason)}</li>`).join('\n')}\n</ul>` : ''}
${timeline ? `<figure>\n${drawSvg(evidence, timeline)}</figure>\n<h2>The same in numbers</h2>\n<p>${escaped(inWords(evidence, timeline))}</p>\n${lanesTable(timeline)}` : '<p>Nothing was frozen, and no set was taken.</p>'}
${
  receipt && receipt.writes.length > 0
    ? `<h2>Writes while frozen</h2>\n${htmlTable(
        ['Device', 'Writes'],
        receipt.writes.map(({ device, atFreeze, atThaw }) => [
          device,
          atThaw === null ? 'not known' : `${atThaw - atFreeze}`,
        ]),
        [1],
      )}`
    : ''
}
<h2>Snapshots</h2>
${htmlTable(
  ['Snapshot', 'Volume', 'Device'],
  snapshots.map(({ snapshotId, volumeId }) => [snapshotId, volumeId, volumeOf.get(volumeId) ?? '']),
)}
</main>
</body>
</html>
`;
};

const lanesTable = ({ lanes, moments }: Timeline): string =>
  htmlTable(
    ['What', 'From', 'To', 'Lasted', ''],
    [
      ...lanes.map(({ label, from, to, note }) => [label, seconds(from), seconds(to), seconds(to - from), note]),
      ...moments.map(({ label, at }) => [label, seconds(at), '', '', '']),
    ],
    [1, 2, 3],
  );

const htmlTable = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string => {
  const look = (column: number) => (numbers.includes(column) ? ' class="number"' : '');
  return `<div class="scroll"><table>
<thead><tr>${head.map((cell, column) => `<th scope="col"${look(column)}>${cell}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map((cell, column) => `<td${look(column)}>${escaped(cell)}</td>`).join('')}</tr>`).join('\n')}
</tbody>
</table></div>`;
};
