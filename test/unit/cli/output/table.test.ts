import { describe, expect, it } from 'vitest';
import { type Column, pad, renderFields, renderTable, truncate } from '../../../../src/cli/output/table.js';
import { wrap } from '../../../../src/cli/output/wrap.js';

interface Row {
  name: string;
  count: number;
  note: string | null;
}

const COLUMNS: readonly Column<Row>[] = [
  { header: 'NAME', value: (row) => row.name },
  { header: 'COUNT', value: (row) => row.count },
  { header: 'NOTE', value: (row) => row.note },
  { header: 'TWICE', value: (row) => row.count * 2, wide: true },
];

describe('renderTable', () => {
  const rows = [
    { name: 'web', count: 5, note: 'one’s' },
    { name: 'a-longer-name', count: 12_345, note: null },
  ];

  it('aligns texts left and numbers right, and ends no line in blanks', () => {
    expect(renderTable(rows, COLUMNS)).toBe(
      'NAME            COUNT   NOTE\n' + 'web                 5   one’s\n' + 'a-longer-name   12345   -\n',
    );
  });

  it('has more columns when wide', () => {
    expect(renderTable(rows.slice(0, 1), COLUMNS, true)).toBe(
      'NAME   COUNT   NOTE    TWICE\n' + 'web        5   one’s      10\n',
    );
  });

  it('aligns a column of texts right when told to', () => {
    const columns: readonly Column<string>[] = [
      { header: 'RX-BYTES', value: (text) => text, right: true },
      { header: 'X', value: () => 'x' },
    ];
    expect(renderTable(['9 B', '1.50 KiB'], columns)).toBe('RX-BYTES   X\n     9 B   x\n1.50 KiB   x\n');
  });

  it('shows empty cells as a dash', () => {
    const columns: readonly Column<undefined | string>[] = [{ header: 'IPS', value: (text) => text }];
    expect(renderTable(['', undefined], columns)).toBe('IPS\n-\n-\n');
  });
});

it('renders fields with their values in one column', () => {
  expect(
    renderFields([
      ['Node', 'a'],
      ['Pod CIDRs', '10.244.0.0/24'],
    ]),
  ).toBe('Node:        a\nPod CIDRs:   10.244.0.0/24\n');
});

it('pads and cuts by characters, not by UTF-16 units', () => {
  expect(pad('𝟙', 3)).toBe('𝟙  ');
  expect(pad('ab', 4, true)).toBe('  ab');
  expect(truncate('abcdef', 4)).toBe('abc…');
  expect(truncate('abcd', 4)).toBe('abcd');
  expect(truncate('abcd', 0)).toBe('…');
});

it('wraps at blanks only', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('one incomprehensibilities', 7)).toEqual(['one', 'incomprehensibilities']);
  expect(wrap('fits', 80)).toEqual(['fits']);
});
