/** The tables of README's section on speed, between two marks that no reader sees. */
import type { Figure } from '../figure.js';
import { number } from '../table.js';
import { besideCell, markdownTable } from './markdown.js';
import type { Section } from './stored.js';

const MARKS = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/;

interface Table {
  readonly caption: string;
  readonly rows: readonly { readonly scenario: string; readonly metric: string }[];
}

const TABLES: readonly Table[] = [
  {
    caption: 'Two pods on one host:',
    rows: [
      { scenario: 'node.tcp', metric: 'one TCP stream' },
      { scenario: 'node.pps', metric: '60-byte frames, switch on one core' },
      { scenario: 'node.rtt', metric: 'round trip p50' },
      { scenario: 'node.rtt', metric: 'round trip p99' },
    ],
  },
  {
    caption: 'Two nodes, over a veth underlay with an MTU of 1500:',
    rows: [
      { scenario: 'tunnel.tcp', metric: 'one TCP stream, underlay offloads off' },
      { scenario: 'tunnel.tcp', metric: 'one TCP stream, underlay offloads on' },
      { scenario: 'tunnel.pps', metric: '60-byte frames' },
      { scenario: 'tunnel.rtt', metric: 'round trip p50' },
    ],
  },
];

const ALONE = [
  { scenario: 'engine.pipeline', metric: 'route and encapsulate, 64 k flows' },
  { scenario: 'scale.memory', metric: 'resident memory, 250 pods' },
] as const;

/** The README with tables of what is stored; unchanged where nothing is, or where it has no marks. */
export function readmeWith(readme: string, sections: readonly Section[]): string {
  const figures = sections.flatMap((section) => section.figures);
  const parts = [...TABLES.map((table) => tableText(table, figures)), alone(figures)].filter(
    (part) => part !== '',
  );
  if (parts.length === 0) return readme;
  return readme.replace(MARKS, (_, open: string, close: string) => `${open}${parts.join('\n\n')}\n${close}`);
}

function tableText({ caption, rows }: Table, all: readonly Figure[]): string {
  const found = rows.map((row) =>
    all.filter((figure) => figure.scenario === row.scenario && figure.metric === row.metric),
  );
  const figures = found.filter((row) => row.some(({ value }) => Number.isFinite(value)));
  const baselines = [
    ...new Set(
      figures
        .flat()
        .filter(({ baselineValue }) => baselineValue !== null)
        .map(({ baseline }) => baseline),
    ),
  ];
  if (figures.length === 0) return '';
  const cells = figures.map((row) => [
    row[0].metric,
    `${number(row[0].value)} ${row[0].unit}`,
    ...baselines.map((name) => shown(row.find(({ baseline }) => baseline === name))),
  ]);
  return `${caption}\n\n${markdownTable(['', 'podwire', ...baselines], cells)}`;
}

function shown(figure: Figure | undefined): string {
  return figure === undefined ? '' : besideCell({ ...figure, baselineSpread: undefined });
}

function alone(all: readonly Figure[]): string {
  const found = ALONE.flatMap(
    (row) => all.find((figure) => figure.scenario === row.scenario && figure.metric === row.metric) ?? [],
  );
  const cells = found.map(({ metric, value, unit }) => [metric, `${number(value)} ${unit}`]);
  return cells.length === 0 ? '' : `By itself:\n\n${markdownTable(['', 'podwire'], cells)}`;
}
