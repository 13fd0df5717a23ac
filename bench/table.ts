/** Figures as a table for people. */
import type { Figure } from './figure.js';

const HEADERS = ['SCENARIO', 'METRIC', 'PODWIRE', 'MIN–MAX', 'BASELINE', 'VALUE', 'RATIO', 'UNIT'];

function number(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function row(figure: Figure): string[] {
  const [low, high] = figure.spread;
  return [
    figure.scenario,
    figure.metric,
    number(figure.value),
    Number.isNaN(low) ? '-' : `${number(low)}–${number(high)}`,
    figure.baseline,
    figure.baselineValue === null ? `absent: ${figure.absent}` : number(figure.baselineValue),
    figure.ratio === null ? '-' : figure.ratio.toFixed(2),
    figure.unit,
  ];
}

export function table(figures: readonly Figure[]): string {
  const rows = [HEADERS, ...figures.map(row)];
  const widths = HEADERS.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
