import type { Evidence } from './evidence.ts';
import { type Kind, type Timeline, tickLabel, ticksOf } from './timeline.ts';
import { seconds } from './words.ts';

const WIDTH = 960;
const LEFT = 238;
const RIGHT = 92;
const TOP = 124;
const ROW = 34;
const BAR = 18;

/** A picture of one run: light and dark, readable without colours, and told in words to those who can't see it. */
export const drawSvg = (evidence: Evidence, timeline: Timeline): string => {
  const { lanes, window, from, to, zeroAt, slackMs } = timeline;
  const pad = (to - from) * 0.02;
  const scale = (WIDTH - LEFT - RIGHT) / (to - from + 2 * pad);
  const x = (at: number) => round(LEFT + (at - from + pad) * scale);
  const bottom = TOP + Math.max(1, lanes.length) * ROW + 8;
  const height = bottom + 66;
  const ticks = ticksOf(timeline, 8);
  const step = (ticks[1] ?? to) - (ticks[0] ?? 0);

  const band = window
    ? `<rect class="window" x="${x(window.from)}" y="${TOP - 22}" width="${round(Math.max(2, (window.to - window.from) * scale))}" height="${bottom - TOP + 22}"/>
  <text class="window-label" x="${x((window.from + window.to) / 2)}" y="${TOP - 30}" text-anchor="middle">frozen window ${seconds(window.to - window.from)}</text>`
    : `<text class="window-label" x="${LEFT}" y="${TOP - 30}">nothing was frozen</text>`;

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t d">
<title id="t">${escaped(titleOf(evidence))}</title>
<desc id="d">${escaped(inWords(evidence, timeline))}</desc>
<style>
  svg { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
  .paper { fill: #ffffff } .title { font-size: 18px; font-weight: 600; fill: #16202c } .sub { fill: #55606e }
  .grid { stroke: #dfe4ea } .axis { fill: #55606e; font-size: 12px } .label { fill: #16202c } .ms { fill: #16202c; font-variant-numeric: tabular-nums }
  .window { fill: #2a6fdb; fill-opacity: .08 } .window-label { fill: #1d55ad; font-weight: 600; font-size: 13px }
  .app { fill: #2a6fdb } .filesystem { fill: #0e8a6a } .lvm { fill: #0e8a6a; fill-opacity: .65 } .ec2 { fill: #d9730d } .way { fill: url(#way) }
  .hatch { stroke: #8a95a3 } .note { fill: #55606e; font-size: 12px }
  .pill-text { fill: #ffffff; font-size: 12px; font-weight: 600 }
  .application { fill: #0e7a5d } .filesystem-grade { fill: #2463c4 } .crash { fill: #a15700 } .none { fill: #b3261e }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0f151c } .title, .label, .ms { fill: #e8edf3 } .sub, .axis, .note { fill: #9aa7b5 } .grid { stroke: #2a3542 }
    .window { fill: #6ea8ff; fill-opacity: .13 } .window-label { fill: #9cc3ff }
    .app { fill: #6ea8ff } .filesystem { fill: #3ecf9f } .lvm { fill: #3ecf9f; fill-opacity: .65 } .ec2 { fill: #ffa24c } .hatch { stroke: #7c8896 }
  }
</style>
<defs><pattern id="way" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="3"/></pattern></defs>
<rect class="paper" width="${WIDTH}" height="${height}" rx="10"/>
<text class="title" x="24" y="36">${escaped(titleOf(evidence))}</text>
${pill(evidence)}
<text class="sub" x="${24 + pillWidth(evidence) + 12}" y="62">${escaped(`mode ${evidence.mode} · policy ${evidence.policy.name} · ${new Date(zeroAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`)}</text>
<g>
  ${band}
</g>
<g aria-hidden="true">
${ticks.map((tick) => `  <line class="grid" x1="${x(tick)}" y1="${TOP - 8}" x2="${x(tick)}" y2="${bottom}"/><text class="axis" x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tickLabel(tick, step)}</text>`).join('\n')}
</g>
<g>
${lanes
  .map(({ kind, label, from: begin, to: end, note }, row) => {
    const y = TOP + row * ROW + (ROW - BAR) / 2 - 8;
    const tip = `${label}: ${seconds(end - begin)}${note ? ` (${note})` : ''}`;
    return `  <g><title>${escaped(tip)}</title><text class="label" x="24" y="${y + 14}">${escaped(shortened(label, 29))}</text><rect class="${kind}" x="${x(begin)}" y="${y}" width="${round(Math.max(2, (end - begin) * scale))}" height="${BAR}" rx="3"/><text class="ms" x="${WIDTH - 24}" y="${y + 14}" text-anchor="end">${seconds(end - begin)}</text></g>`;
  })
  .join('\n')}
</g>
<text class="note" x="24" y="${height - 16}">${escaped(footnote(evidence, slackMs))}</text>
</svg>
`;
};

export const titleOf = ({ instance, mode }: Evidence): string =>
  mode === 'crash' ? `Backup of ${instance}, nothing frozen` : `Backup of ${instance}`;

/** The picture in sentences. */
export const inWords = ({ grade, mode }: Evidence, { lanes, window }: Timeline): string =>
  [
    `The set has ${grade ? `grade ${grade}` : 'no grade'}, mode ${mode}.`,
    window ? `The frozen window lasted ${seconds(window.to - window.from)}.` : 'Nothing was frozen.',
    ...lanes.map(({ kind, label, from, to }) => `${label}${WORDS[kind]}: from ${seconds(from)} to ${seconds(to)}.`),
  ].join(' ');

const WORDS: Record<Kind, string> = { app: '', filesystem: '', lvm: '', ec2: ', the one call for all disks', way: '' };

/** AWS and the host have a clock each. */
export const footnote = ({ receipt }: Evidence, slackMs: number | null): string =>
  [
    receipt?.thawedBy ? `thawed by: ${receipt.thawedBy}` : '',
    slackMs === null
      ? ''
      : `AWS and the host have a clock each: the calls may lie ${seconds(slackMs)} earlier or later`,
  ]
    .filter(Boolean)
    .join(' · ');

const pill = (evidence: Evidence): string => {
  const { grade } = evidence;
  const look = grade === 'filesystem' ? 'filesystem-grade' : (grade ?? 'none');
  return `<rect class="${look}" x="24" y="47" width="${pillWidth(evidence)}" height="22" rx="11"/><text class="pill-text" x="${24 + pillWidth(evidence) / 2}" y="62" text-anchor="middle">${grade ?? 'no set'}</text>`;
};

const pillWidth = ({ grade }: Evidence): number => (grade ?? 'no set').length * 8 + 22;

const shortened = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const round = (value: number): number => Math.round(value * 10) / 10;

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
