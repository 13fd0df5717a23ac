/** Which figures become which picture: bars for what is compared, lines for what grows with a quantity. */
import type { Figure } from '../figure.js';
import { type Bar, barPlot, type Panel } from './bars.js';
import { type LinePlot, linePlot, type Series } from './lines.js';
import type { Section } from './stored.js';

export interface Plot {
  /** Below docs/benchmarks. */
  readonly file: string;
  readonly title: string;
  /** The section of the document that shows it. */
  readonly scenario: string;
  readonly svg: string;
}

/** Titles of the bars, by the first part of a scenario's name; what is not here has no bars. */
const COMPARED: Readonly<Record<string, string>> = { node: 'One host', tunnel: 'Two nodes' };

const WHAT: Readonly<Record<string, string>> = {
  tcp: 'TCP throughput',
  pps: '60-byte frames',
  udp: 'UDP',
  rtt: 'round trips, idle',
  'rtt-loaded': 'round trips beside a TCP stream',
};

interface Lines extends Omit<LinePlot, 'series'> {
  readonly file: string;
  /** A scenario, or its first part. */
  readonly of: string;
  /** Where it is shown. */
  readonly scenario: string;
}

const COST = { metric: 'cost of a packet', unit: 'ns' } as const;

const LINES: readonly Lines[] = [
  {
    ...COST,
    of: 'engine',
    scenario: 'engine.pipeline',
    quantity: 'flows',
    file: 'engine-flows.svg',
    title: 'In memory: cost of a packet, by flows',
  },
  {
    ...COST,
    of: 'engine.pipeline',
    scenario: 'engine.pipeline',
    quantity: 'routes',
    file: 'engine-routes.svg',
    title: 'In memory: cost of a packet, by routes',
  },
  {
    unit: 'ns',
    metric: 'cost of a lookup',
    of: 'engine.fib',
    scenario: 'engine.fib',
    quantity: 'routes',
    file: 'engine-fib.svg',
    title: 'In memory: longest prefix match, by routes',
  },
  {
    unit: 'ns',
    metric: 'cost of a lookup',
    of: 'engine.fdb',
    scenario: 'engine.fdb',
    quantity: 'addresses',
    file: 'engine-fdb.svg',
    title: 'In memory: MAC address lookup, by addresses',
  },
  {
    unit: 'kpps',
    metric: 'frames a second',
    isLinear: true,
    of: 'scale.ports',
    scenario: 'scale.ports',
    quantity: 'idle ports',
    file: 'scale-ports.svg',
    title: '60-byte frames between two pods, by idle ports beside them',
  },
  {
    unit: 'kpps',
    metric: 'frames a second',
    isLinear: true,
    of: 'scale.flows',
    scenario: 'scale.flows',
    quantity: 'flows',
    file: 'scale-flows.svg',
    title: '60-byte frames between two pods, by flows',
  },
  {
    unit: 'MB',
    metric: 'resident memory',
    isLinear: true,
    of: 'scale.memory',
    scenario: 'scale.memory',
    quantity: 'pods',
    file: 'scale-memory.svg',
    title: 'Resident memory of the daemon, by pods',
  },
];

export function plots(sections: readonly Section[]): Plot[] {
  return [...sections.flatMap(bars), ...LINES.flatMap((plan) => lines(plan, sections))];
}

function bars({ scenario, figures }: Section): Plot[] {
  const [part, rest] = scenario.split(/\.(.*)/);
  const where = COMPARED[part];
  const panels = [...new Set(figures.map(({ metric }) => metric))].flatMap((metric) =>
    panel(metric, figures),
  );
  if (where === undefined || panels.length === 0) return [];
  const title = `${where}: ${WHAT[rest] ?? rest}`;
  return [{ file: `${scenario.replace('.', '-')}.svg`, title, scenario, svg: barPlot(title, panels) }];
}

function panel(metric: string, all: readonly Figure[]): Panel[] {
  const figures = all.filter((figure) => figure.metric === metric && Number.isFinite(figure.value));
  if (figures.length === 0) return [];
  const [{ value, spread, unit, better }] = figures;
  const own: Bar = { name: 'podwire', value, spread, isOwn: true };
  const others = figures
    .filter(({ baseline }) => baseline !== '-')
    .map(
      ({ baseline, baselineValue, baselineSpread }): Bar => ({
        name: baseline,
        value: baselineValue,
        spread: baselineSpread,
        isOwn: false,
      }),
    );
  return [{ metric, unit, better: better ?? 'higher', bars: [own, ...others] }];
}

function lines({ file, of, scenario, ...look }: Lines, sections: readonly Section[]): Plot[] {
  const isMeant = (name: string): boolean => name === of || name.startsWith(`${of}.`);
  const figures = sections.flatMap((section) => section.figures.filter((figure) => isMeant(figure.scenario)));
  const series = seriesOf(
    figures.filter(({ unit }) => unit === look.unit),
    look.quantity,
  );
  return series.length === 0
    ? []
    : [{ file, title: look.title, scenario, svg: linePlot({ ...look, series }) }];
}

/** Lines of two points or more; what they are called is the metric without its quantity. */
function seriesOf(figures: readonly Figure[], quantity: string): Series[] {
  const isShared = new Set(figures.map(({ scenario }) => scenario)).size > 1;
  const found = new Map<string, Map<number, number>>();
  const add = (name: string, amount: number, value: number): void => {
    const points = found.get(name) ?? new Map<number, number>();
    found.set(name, points.set(amount, points.get(amount) ?? value));
  };
  for (const { scenario, metric, value, baseline, baselineValue } of figures) {
    const at = quantityIn(metric, quantity);
    if (at === undefined || !Number.isFinite(value)) continue;
    const name = nameOf(scenario, at.rest, isShared);
    add(name, at.amount, value);
    // `podwire, 10 routes`: the baseline is a point of the same line.
    const before = quantityIn(baseline, quantity);
    if (before?.rest === 'podwire' && baselineValue !== null) add(name, before.amount, baselineValue);
  }
  return [...found]
    .map(([name, points]) => ({ name, points: [...points].sort(([a], [b]) => a - b) }))
    .filter(({ points }) => points.length > 1);
}

/** Scenarios of one picture may call their cases alike. The pipeline's speak for themselves. */
function nameOf(scenario: string, rest: string, isShared: boolean): string {
  const [, part] = scenario.split('.');
  if (rest === '') return part;
  return isShared && part !== 'pipeline' && !rest.includes(part) ? `${part}, ${rest}` : rest;
}

const TIMES: Readonly<Record<string, number>> = { k: 1e3, M: 1e6 };

/** `route and encapsulate, 64 k flows, cost` by flows: 64,000, and `route and encapsulate`. */
export function quantityIn(metric: string, quantity: string): { amount: number; rest: string } | undefined {
  const found = new RegExp(`([\\d.,]*\\d)\\s?([kM])? ${quantity.replace(/s$/, '')}s?(?![\\w-])`).exec(metric);
  if (found === null) return undefined;
  const amount = Number(found[1].replaceAll(',', '')) * (TIMES[found[2]] ?? 1);
  const rest = `${metric.slice(0, found.index)}${metric.slice(found.index + found[0].length)}`;
  const parts = rest.split(',').map((part) => part.trim());
  return { amount, rest: parts.filter((part) => part !== '' && part !== 'cost').join(', ') };
}
