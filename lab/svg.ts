/** A drawing for the docs, readable on light and dark pages. */
export interface Drawing {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** Classes of its own beside the common ones: the fill of each, on light and on dark pages. */
  readonly style?: Readonly<Record<string, { readonly light: string; readonly dark: string }>>;
  readonly body: readonly string[];
}

export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const COMMON = {
  ink: { light: '#1f2328', dark: '#f0f6fc' },
  faint: { light: '#59636e', dark: '#9198a1' },
  onbar: { light: '#ffffff', dark: '#ffffff' },
};

export function svg({ title, width, height, style = {}, body }: Drawing): string {
  const fills = Object.entries({ ...COMMON, ...style });
  const css = (tone: 'light' | 'dark', indent: string) =>
    fills
      .map(
        ([name, tones]) =>
          `${indent}.${name} { fill: ${tones[tone]} } .stroke-${name} { fill: none; stroke: ${tones[tone]}; stroke-width: 1.5 }`,
      )
      .join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img" aria-label="${escapeXml(title)}">
  <style>
    .card { fill: #ffffff; stroke: #d0d7de }
${css('light', '    ')}
    @media (prefers-color-scheme: dark) {
      .card { fill: #0d1117; stroke: #3d444d }
${css('dark', '      ')}
    }
  </style>
  <rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>
${body.map((line) => `  ${line}`).join('\n')}
</svg>
`;
}
