/**
 * SVG as text. Colours are classes, and the style sheet in each picture has a set for light and one for dark
 * (prefers-color-scheme), so that a page that shows the picture as an image gets the right one.
 *
 * The colours are those of Okabe and Ito, which people with any of the common kinds of colour blindness can tell apart,
 * lighter on dark. Lines differ in their marks, too, and everything is named at its place.
 */

export const WIDTH = 760;

type Attributes = Readonly<Record<string, string | number>>;

const STYLE = `
  svg { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #d9dee3;
    --own: #0072b2; --other: #9aa4ae; --s0: #0072b2; --s1: #d55e00; --s2: #007a58; --s3: #b0558a; --s4: #b07a00;
    --s5: #3f8fc4; --s6: #1f2328; --s7: #7a5cc0; font-family: system-ui, 'DejaVu Sans', Arial, sans-serif }
  @media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #30363d;
    --own: #56b4e9; --other: #6e7781; --s0: #56b4e9; --s1: #ff8b3d; --s2: #2fc496; --s3: #e79cc9; --s4: #f0c400;
    --s5: #9fd3f5; --s6: #e6edf3; --s7: #b39ddb } }
  .paper { fill: var(--paper) } .own { fill: var(--own) } .other { fill: var(--other) }
  .grid { stroke: var(--grid); stroke-width: 1 } .axis { stroke: var(--soft); stroke-width: 1 }
  .whisker { stroke: var(--ink); stroke-width: 1.5 }
  text { fill: var(--ink); font-size: 13px } .title { font-size: 17px; font-weight: 600 }
  .panel { font-size: 14px; font-weight: 600 } .soft { fill: var(--soft); font-size: 12px; font-weight: 400 } .strong { font-weight: 600 }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .line { fill: none; stroke-width: 2 }
${Array.from({ length: 8 }, (_, n) => `  .l${n} { stroke: var(--s${n}) } .m${n} { fill: var(--s${n}) }`).join('\n')}
`;

export const SERIES_COLOURS = 8;

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function element(name: string, attributes: Attributes, content?: string): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(short(value))}"`);
  return content === undefined
    ? `<${name}${written.join('')}/>`
    : `<${name}${written.join('')}>${content}</${name}>`;
}

/** A tenth of a pixel is enough. */
function short(value: string | number): string {
  return typeof value === 'string' ? value : String(Math.round(value * 10) / 10);
}

/** @param look classes: soft, strong, panel, title; end and middle say where x is. */
export function text(x: number, y: number, content: string, look = ''): string {
  return element('text', look === '' ? { x, y } : { x, y, class: look }, escapeXml(content));
}

export function line(x1: number, y1: number, x2: number, y2: number, look: string): string {
  return element('line', { x1, y1, x2, y2, class: look });
}

/** A whole picture. What screen readers say is the title and the description. */
export function picture(
  title: string,
  description: string,
  height: number,
  parts: readonly string[],
): string {
  const attributes = { xmlns: 'http://www.w3.org/2000/svg', width: WIDTH, height: Math.ceil(height) };
  const content = [
    element('title', {}, escapeXml(title)),
    element('desc', {}, escapeXml(description)),
    element('style', {}, STYLE),
    element('rect', { class: 'paper', width: WIDTH, height: Math.ceil(height), rx: 6 }),
    text(20, 30, title, 'title'),
    ...parts,
  ];
  const viewBox = `0 0 ${WIDTH} ${Math.ceil(height)}`;
  return `${element('svg', { ...attributes, viewBox, role: 'img' }, `\n${content.join('\n')}\n`)}\n`;
}
