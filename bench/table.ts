/** Figures as a table for people. */
import { renderTable } from '../src/cli/output/table.js';
import type { Figure } from './figure.js';

/** Three digits that count, no more. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export function range(spread: readonly [number, number] | undefined): string | null {
  if (spread === undefined || !spread.every(Number.isFinite)) return null;
  return spread.map(number).join('–');
}

/** Without figures there is nothing to print. */
export function table(figures: readonly Figure[]): string {
  if (figures.length === 0) return '';
  return renderTable(figures, [
    { header: 'SCENARIO', value: ({ scenario }) => scenario },
    { header: 'METRIC', value: (figure) => `${figure.metric}${figure.better === 'lower' ? ' ↓' : ''}` },
    { header: 'PODWIRE', value: ({ value }) => number(value), right: true },
    { header: 'MIN–MAX', value: ({ spread }) => range(spread) },
    { header: 'BASELINE', value: ({ baseline }) => baseline },
    { header: 'VALUE', value: baselineCell },
    { header: 'MIN–MAX', value: ({ baselineSpread }) => range(baselineSpread) },
    { header: 'RATIO', value: ({ ratio }) => (ratio === null ? null : ratio.toFixed(2)), right: true },
    { header: 'UNIT', value: ({ unit }) => unit },
  ]);
}

/** A figure that stands alone has no baseline to be absent; where podwire has no value, that is what to say. */
function baselineCell({ baseline, baselineValue, value, absent }: Figure): string | null {
  if (baselineValue !== null && Number.isFinite(value)) return number(baselineValue);
  return baseline === '-' && Number.isFinite(value)
    ? null
    : `absent: ${(absent ?? 'no reason given').replace(/\s+/g, ' ')}`;
}
