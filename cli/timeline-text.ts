import type { Paint } from './terminal.ts';
import type { Kind, Timeline } from './timeline.ts';
import { tickLabel, ticksOf } from './timeline.ts';
import { seconds } from './words.ts';

const BAR = 48;

/** Bars for a terminal: one a lane, over an axis. */
export const drawText = (timeline: Timeline, paint: Paint): string => {
  const { lanes, from, to } = timeline;
  const label = Math.min(34, Math.max(...lanes.map(({ label: text }) => text.length), 16));
  const scale = BAR / (to - from);
  const ticks = ticksOf(timeline, 4);
  const step = (ticks[1] ?? to) - (ticks[0] ?? 0);
  const axis = Array.from({ length: BAR + 12 }, () => ' ');
  for (const tick of ticks) {
    const text = tickLabel(tick, step);
    [...text].forEach((letter, index) => {
      axis[Math.round((tick - from) * scale) + index] = letter;
    });
  }
  return [
    `${' '.repeat(label + 2)}${paint.dim(axis.join('').trimEnd())}`,
    ...lanes.map(({ kind, label: text, from: begin, to: end, note }) => {
      const indent = Math.min(BAR - 1, Math.floor((begin - from) * scale));
      const length = Math.max(1, Math.min(BAR - indent, Math.round((end - begin) * scale)));
      const bar = `${' '.repeat(indent)}${COLOURS[kind](paint)((kind === 'way' ? '░' : '█').repeat(length))}${' '.repeat(BAR - indent - length)}`;
      const ms = seconds(end - begin).padStart(9);
      return `${text.slice(0, label).padEnd(label)}  ${bar}${ms}${note ? `  ${paint.dim(note)}` : ''}`.trimEnd();
    }),
  ].join('\n');
};

const COLOURS: Record<Kind, (paint: Paint) => (text: string) => string> = {
  app: (paint) => paint.accent,
  filesystem: (paint) => paint.good,
  lvm: (paint) => paint.good,
  ec2: (paint) => paint.warn,
  way: (paint) => paint.dim,
};
