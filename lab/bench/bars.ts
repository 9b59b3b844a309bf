import { type Drawing, escapeXml, svg } from '../svg.ts';
import type { Stretch, Where } from './ways.ts';

export interface Bar {
  readonly label: string;
  readonly stretches: readonly Stretch[];
}

const COLOURS: Record<Where, [fill: string, words: string]> = {
  host: ['host', 'the host’s own work'],
  injected: ['injected', 'AWS, as injected'],
  between: ['between', 'functions, states, looking for answers'],
};

const WIDTH = 860;
const LEFT = 18;
const RIGHT = 70;
const ROW = 58;
const TOP = 70;

/** Bars of stretches one after another, all on one scale. */
export function barsSvg(title: string, bars: readonly Bar[]): string {
  const total = ({ stretches }: Bar) => stretches.reduce((sum, { ms }) => sum + Math.max(0, ms), 0);
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(1, ...bars.map(total));
  const height = TOP + bars.length * ROW + 8;
  const drawing: Drawing = {
    title,
    width: WIDTH,
    height,
    style: {
      host: { light: '#0969da', dark: '#1f6feb' },
      injected: { light: '#bf8700', dark: '#9e6a03' },
      between: { light: '#8c959f', dark: '#6e7681' },
    },
    body: [
      `<text class="ink" x="${LEFT}" y="28" font-weight="600">${escapeXml(title)}</text>`,
      ...Object.values(COLOURS).map(
        ([fill, words], index) =>
          `<rect class="${fill}" x="${LEFT + index * 270}" y="42" width="12" height="12" rx="2"/><text class="faint" x="${LEFT + 18 + index * 270}" y="52">${words}</text>`,
      ),
      ...bars.flatMap((bar, index) => {
        const y = TOP + index * ROW;
        let x = LEFT;
        return [
          `<text class="ink" x="${LEFT}" y="${y + 16}">${escapeXml(bar.label)}</text>`,
          ...bar.stretches.map(({ what, where, ms }) => {
            const width = Math.max(0, ms) * scale;
            const rect = `<rect class="${COLOURS[where][0]}" x="${x.toFixed(1)}" y="${y + 24}" width="${Math.max(0.5, width - 1).toFixed(1)}" height="20"><title>${escapeXml(what)}: ${ms} ms</title></rect>`;
            const words =
              width > what.length * 6.2 + 10
                ? `<text class="onbar" x="${(x + 5).toFixed(1)}" y="${y + 38}" font-size="11">${escapeXml(what)}</text>`
                : '';
            x += width;
            return rect + words;
          }),
          `<text class="faint" x="${(x + 6).toFixed(1)}" y="${y + 39}">${Math.round(total(bar))} ms</text>`,
        ];
      }),
    ],
  };
  return svg(drawing);
}
