/**
 * Tables as kubectl prints them: headers in capitals, columns apart by three blanks, numbers to the right,
 * nothing after the last column's text.
 */
import { wrap } from './wrap.js';

/** One column: a number is aligned to the right, as is what `right` says; null is shown as `-`. */
export interface Column<Row> {
  readonly header: string;
  readonly value: (row: Row) => string | number | null | undefined;
  readonly right?: boolean;
  /** Shown with `-o wide` only; `unless said`: also where a row has something to say in it. */
  readonly wide?: boolean | 'unless said';
}

const GAP = '   ';

/** The table, each line ended by a newline. Call it with at least one row: a table of none says nothing. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  wide = false,
): string {
  const shown = columns.filter((column) => wide || !column.wide || isSaid(column, rows));
  const cells = rows.map((row) => shown.map((column) => column.value(row)));
  const right = shown.map((column, at) => column.right ?? cells.some((line) => typeof line[at] === 'number'));
  const text = [shown.map((column) => column.header), ...cells.map((line) => line.map(cellText))];
  const widths = shown.map((_, at) => Math.max(...text.map((line) => textWidth(line[at] ?? ''))));
  return text
    .map((line) => `${line.map((cell, at) => pad(cell, widths[at] ?? 0, right[at])).join(GAP)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function isSaid<Row>({ wide, value }: Column<Row>, rows: readonly Row[]): boolean {
  return wide === 'unless said' && rows.some((row) => value(row));
}

function cellText(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === '' ? '-' : String(value);
}

/** Pads to a width in characters, to the right side of the cell when `right`. */
export function pad(text: string, width: number, right = false): string {
  const blanks = ' '.repeat(Math.max(0, width - textWidth(text)));
  return right ? blanks + text : text + blanks;
}

/** Characters, not UTF-16 units. Nothing that podwire prints is wider than one column. */
export function textWidth(text: string): number {
  return [...text].length;
}

/** Cut to a width, with an ellipsis in place of what was cut. */
export function truncate(text: string, width: number): string {
  return textWidth(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join('')}…`;
}

/**
 * `key:   value` lines with the values in one column, for a single thing such as `podwire status`. Values that
 * are wider than what is left of `columns` go on below themselves.
 */
export function renderFields(fields: readonly (readonly [string, string])[], columns = Infinity): string {
  const indent = Math.max(...fields.map(([name]) => textWidth(name))) + 1 + GAP.length;
  const lines = fields.flatMap(([name, value]) =>
    wrap(value, columns - indent).map((line, at) => pad(at === 0 ? `${name}:` : '', indent) + line),
  );
  return lines.map((line) => `${line}\n`).join('');
}
