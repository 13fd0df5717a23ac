/**
 * Who reaches whom, as text that a person writes: a line for each who asks, a column for each who is asked.
 *
 *         web1  db    ext
 *   web1  -     +     ap
 *   db    .     -     +
 *
 *   +  all that is asked: TCP to 8080 (a), TCP to 5000 (b), datagrams to 5000 (u), ping (p)      .  none of it
 *   ab these alone      -  is not asked: oneself, nodes among one another, a service that may choose who asks
 *
 * Both families have to answer the same.
 */

/** In the order in which they are written. */
export const LETTERS = ['a', 'b', 'u', 'p'] as const;
export type Letter = (typeof LETTERS)[number];

/** Of one who asks to one who is asked; undefined: is not asked. */
export type Cell = ReadonlySet<Letter> | undefined;

export class Matrix {
  private readonly cells = new Map<string, Cell>();

  constructor(
    readonly rows: readonly string[],
    readonly columns: readonly string[],
    /** What can be asked there. */
    private readonly asked: (column: string) => readonly Letter[],
  ) {}

  static parse(text: string, asked: (column: string) => readonly Letter[]): Matrix {
    const lines = text.split('\n').filter((line) => line.trim());
    const [columns, ...rows] = lines.map((line) => line.trim().split(/\s+/));
    const matrix = new Matrix(
      rows.map(([row]) => row),
      columns,
      asked,
    );
    for (const [row, ...words] of rows) {
      if (words.length !== columns.length) throw new Error(`${row}: ${words.length} of ${columns.length}`);
      words.forEach((word, index) => {
        matrix.set(row, columns[index], matrix.cellOf(word, columns[index]));
      });
    }
    return matrix;
  }

  get(row: string, column: string): Cell {
    return this.cells.get(`${row} ${column}`);
  }

  set(row: string, column: string, cell: Cell): void {
    this.cells.set(`${row} ${column}`, cell);
  }

  toString(): string {
    const line = (words: readonly string[]) =>
      words
        .map((word) => word.padEnd(6))
        .join('')
        .trimEnd();
    const rows = this.rows.map((row) =>
      line([row, ...this.columns.map((column) => this.wordOf(row, column))]),
    );
    return [line(['', ...this.columns]), ...rows].join('\n');
  }

  private cellOf(word: string, column: string): Cell {
    if (word === '-') return undefined;
    if (word === '+') return new Set(this.asked(column));
    const letters = word === '.' ? [] : [...word];
    return new Set(letters.map((letter) => LETTERS[(LETTERS as readonly string[]).indexOf(letter)]));
  }

  private wordOf(row: string, column: string): string {
    const cell = this.get(row, column);
    if (!cell) return '-';
    if (cell.size === 0) return '.';
    const letters = LETTERS.filter((letter) => cell.has(letter));
    return letters.length === this.asked(column).length ? '+' : letters.join('');
  }
}
