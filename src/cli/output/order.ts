/** An order for rows: by the first text, then by the second, and so on; numbers in them count as numbers. */
export function byTexts<Row>(...texts: readonly ((row: Row) => string)[]): (a: Row, b: Row) => number {
  return (a, b) => {
    for (const text of texts) {
      const order = text(a).localeCompare(text(b), 'en', { numeric: true });
      if (order !== 0) return order;
    }
    return 0;
  };
}
