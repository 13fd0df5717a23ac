/** docs/benchmarks.md: its template with the figures of each scenario in their place. */
import type { Figure } from '../figure.js';
import { number, range } from '../table.js';
import { machineText } from './machine.js';
import type { Plot } from './plots.js';
import type { Section } from './stored.js';

/** `<!-- figures node.tcp -->` on a line of its own; `<!-- machine -->`; `<!-- others -->` for what has no place. */
const PLACE = /^<!-- (figures (\S+)|machine|others) -->$/gm;

const NOTICE =
  '<!-- Written by `npm run bench -- --report` from bench/report/template.md: change that one. -->\n';

export function document(template: string, sections: readonly Section[], plots: readonly Plot[]): string {
  const placed = new Set([...template.matchAll(PLACE)].map(([, , name]) => name));
  const machines = [...new Set(sections.map(({ machine }) => machineText(machine)))];
  const block = (section: Section): string => sectionText(section, plots, machines);
  const blocks: Readonly<Record<string, () => string>> = {
    machine: () => machinesText(machines),
    others: () =>
      othersText(
        sections.filter(({ scenario }) => !placed.has(scenario)),
        block,
      ),
  };
  const filled = template.replace(PLACE, (_, what: string, name: string | undefined) => {
    const section = sections.find(({ scenario }) => scenario === name);
    if (section !== undefined) return block(section);
    return blocks[what]?.() ?? `No figures of \`${name}\` are stored yet.`;
  });
  return `${NOTICE}${filled.trimEnd()}\n`;
}

/** What the template has no place for yet. */
function othersText(others: readonly Section[], block: (section: Section) => string): string {
  if (others.length === 0) return '';
  const blocks = others.map((section) => `### ${section.scenario}\n\n${block(section)}`);
  return ['## Also measured', ...blocks].join('\n\n');
}

function machinesText(machines: readonly string[]): string {
  if (machines.length < 2)
    return machines[0] === undefined ? 'No figures are stored yet.' : `${machines[0]}.`;
  return machines.map((machine, index) => `${index + 1}. ${machine}.`).join('\n');
}

function sectionText(section: Section, plots: readonly Plot[], machines: readonly string[]): string {
  const { scenario, date, command, rounds, seconds, machine } = section;
  const pictures = plots.filter((plot) => plot.scenario === scenario);
  const images = pictures.map(({ title, file }) => `![${title}](benchmarks/${file})`);
  const which = machines.length < 2 ? '' : `, machine ${machines.indexOf(machineText(machine)) + 1}`;
  const source = `${date}, \`${command}\`: ${rounds} rounds of ${seconds} s${which}.`;
  return [...images, figuresTable(section), ...absences(section.figures), source].join('\n\n');
}

/** Wide where every metric has the same baselines; else a row for each figure. */
export function figuresTable({ scenario, figures: all }: Pick<Section, 'scenario' | 'figures'>): string {
  const figures = all.filter((figure) => figure.scenario === scenario);
  const metrics = [...new Set(figures.map(({ metric }) => metric))];
  const baselines = [...new Set(figures.map(({ baseline }) => baseline))];
  const isWide = !baselines.includes('-') && figures.length === metrics.length * baselines.length;
  return isWide ? wide(figures, metrics, baselines) : long(figures);
}

function wide(figures: readonly Figure[], metrics: readonly string[], baselines: readonly string[]): string {
  const rows = metrics.map((metric) => {
    const of = (baseline: string): Figure =>
      figures.find((one) => one.metric === metric && one.baseline === baseline) as Figure;
    const own = of(baselines[0]);
    return [
      label(own),
      valueCell(own.value, own.spread),
      ...baselines.map((baseline) => besideCell(of(baseline))),
    ];
  });
  return markdownTable(['', 'podwire', ...baselines], rows);
}

/** The cost of a packet stands beside the rate that it is the inverse of. */
function long(figures: readonly Figure[]): string {
  const costOf = ({ metric }: Figure): Figure | undefined =>
    figures.find((one) => one.metric === `${metric}${COST}`);
  const costs = new Set(figures.map(costOf));
  const rows = figures
    .filter((figure) => !costs.has(figure))
    .map((figure) => {
      const beside = figure.baseline === '-' ? '' : `${figure.baseline}: ${besideCell(figure)}`;
      const cost = costOf(figure);
      return [
        label(figure),
        valueCell(figure.value, figure.spread),
        cost === undefined ? '' : costCell(cost),
        beside,
      ];
    });
  const hasCell = LONG_HEADER.map((_, at) => at < 2 || rows.some((row) => row[at] !== ''));
  const [header, ...lines] = [LONG_HEADER, ...rows].map((row) => row.filter((_, at) => hasCell[at]));
  return markdownTable(header, lines);
}

const COST = ', cost';
const LONG_HEADER = ['', 'podwire', 'cost', 'beside (ratio)'];

function costCell({ value, spread, unit }: Figure): string {
  return `${valueCell(value, spread)} ${unit}`;
}

function label({ metric, unit, better }: Figure): string {
  return `${metric}, ${unit}${better === 'lower' ? ' ↓' : ''}`;
}

/** The median; the extremes of the rounds behind it where there is more than one. */
function valueCell(value: number, spread: readonly [number, number] | undefined): string {
  const between = spread !== undefined && spread[0] < spread[1] ? range(spread) : null;
  return between === null ? number(value) : `${number(value)} <sub>${between}</sub>`;
}

export function besideCell({ baselineValue, baselineSpread, ratio }: Figure): string {
  if (baselineValue === null) return 'absent';
  const shown = valueCell(baselineValue, baselineSpread);
  return ratio === null ? shown : `${shown} (${ratio.toFixed(2)})`;
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Why baselines are absent, once for each reason. */
function absences(figures: readonly Figure[]): string[] {
  const missing = figures.filter(({ baseline, baselineValue }) => baseline !== '-' && baselineValue === null);
  const reasons = [
    ...new Set(
      missing.map(
        ({ baseline, absent }) => `${baseline}: ${(absent ?? 'no reason given').replace(/\s+/g, ' ')}`,
      ),
    ),
  ];
  return reasons.length === 0 ? [] : [`Absent: ${reasons.join('; ')}.`];
}
