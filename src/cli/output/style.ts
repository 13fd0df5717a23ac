/**
 * Colours, only where somebody sees them: on a terminal, without NO_COLOR (no-color.org). Not util.styleText,
 * which looks at standard output whatever stream it is for.
 */

export type Style = (text: string) => string;

export interface Palette {
  readonly good: Style;
  readonly bad: Style;
  readonly warn: Style;
  readonly dim: Style;
  readonly bold: Style;
}

const PLAIN: Palette = { good: same, bad: same, warn: same, dim: same, bold: same };

/** SGR parameters (ECMA-48 section 8.3.117): on and off. */
const COLOURED: Palette = {
  good: sgr(32, 39),
  bad: sgr(31, 39),
  warn: sgr(33, 39),
  dim: sgr(2, 22),
  bold: sgr(1, 22),
};

export function paletteFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Palette {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb' ? COLOURED : PLAIN;
}

function same(text: string): string {
  return text;
}

function sgr(on: number, off: number): Style {
  return (text) => `\x1b[${on}m${text}\x1b[${off}m`;
}
