/** Colours, only where somebody sees them: on a terminal, without NO_COLOR (no-color.org). */
import { styleText } from 'node:util';

export type Style = (text: string) => string;

export interface Palette {
  readonly good: Style;
  readonly bad: Style;
  readonly warn: Style;
  readonly dim: Style;
  readonly bold: Style;
}

const PLAIN: Palette = { good: same, bad: same, warn: same, dim: same, bold: same };

const COLOURED: Palette = {
  good: (text) => styleText('green', text),
  bad: (text) => styleText('red', text),
  warn: (text) => styleText('yellow', text),
  dim: (text) => styleText('dim', text),
  bold: (text) => styleText('bold', text),
};

export function paletteFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Palette {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb' ? COLOURED : PLAIN;
}

function same(text: string): string {
  return text;
}
