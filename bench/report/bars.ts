/**
 * Bars with the spread of the rounds as whiskers: a panel for each metric, from zero, with a scale of its own, podwire
 * first and what it is compared with below it.
 *
 *     one TCP stream, Gbit/s · more is better
 *        podwire ████████████████├─┤          17.7
 *   linux-bridge ██████████████████            19.2
 */
import { number } from '../table.js';
import { type Axis, linearAxis, tickText } from './axis.js';
import { element, escapeXml, line, picture, text, WIDTH } from './svg.js';

export interface Bar {
  readonly name: string;
  /** null: absent. */
  readonly value: number | null;
  readonly spread?: readonly [number, number];
  readonly isOwn: boolean;
}

export interface Panel {
  readonly metric: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly bars: readonly Bar[];
}

const LEFT = 170;
/** Room for the value and its spread. */
const RIGHT = 165;
const PLOT = WIDTH - LEFT - RIGHT;
const [TOP, HEADING, ROW, BAR, FOOT, GAP] = [56, 26, 24, 15, 24, 22];

export function barPlot(title: string, panels: readonly Panel[]): string {
  const parts: string[] = [];
  let y = TOP;
  for (const panel of panels) {
    parts.push(...panelParts(panel, y));
    y += HEADING + panel.bars.length * ROW + FOOT + GAP;
  }
  const description = panels.map(
    ({ metric, unit, bars }) => `${metric}: ${bars.map((bar) => spoken(bar, unit)).join(', ')}`,
  );
  return picture(title, description.join('; '), y - 4, parts);
}

function spoken({ name, value }: Bar, unit: string): string {
  return value === null ? `${name} absent` : `${name} ${number(value)} ${unit}`;
}

function panelParts({ metric, unit, better, bars }: Panel, top: number): string[] {
  const axis = linearAxis(
    Math.max(0, ...bars.flatMap(({ value, spread }) => [value ?? 0, spread?.[1] ?? 0])),
  );
  const first = top + HEADING - 8;
  const last = first + bars.length * ROW;
  const good = better === 'lower' ? 'less is better' : 'more is better';
  const heading = element(
    'text',
    { x: 20, y: top + 6, class: 'panel' },
    `${escapeXml(metric)}${element('tspan', { class: 'soft', dx: 8 }, escapeXml(good))}`,
  );
  return [
    heading,
    ...axisParts(axis, unit, first, last),
    ...bars.flatMap((bar, index) => barParts(bar, axis, first + index * ROW)),
    line(LEFT, first, LEFT, last, 'axis'),
  ];
}

function axisParts(axis: Axis, unit: string, top: number, bottom: number): string[] {
  const at = (value: number): number => LEFT + axis.place(value) * PLOT;
  return [
    ...axis.ticks.map((tick) => line(at(tick), top, at(tick), bottom, 'grid')),
    ...axis.ticks.map((tick) => text(at(tick), bottom + 15, tickText(tick), 'soft middle')),
    text(WIDTH - RIGHT + 30, bottom + 15, unit, 'soft'),
  ];
}

function barParts({ name, value, spread, isOwn }: Bar, axis: Axis, top: number): string[] {
  const base = top + ROW / 2 + 4.5;
  const label = text(LEFT - 8, base, name, isOwn ? 'end strong' : 'end');
  if (value === null) return [label, text(LEFT + 6, base, 'absent', 'soft')];
  const width = axis.place(value) * PLOT;
  const bar = { x: LEFT, y: top + (ROW - BAR) / 2, width, height: BAR, class: isOwn ? 'own' : 'other' };
  const between = spread?.every(Number.isFinite) ? spread.map(compact).join('–') : null;
  const valueText = element(
    'text',
    { x: WIDTH - RIGHT + 16, y: base, class: isOwn ? 'strong' : '' },
    `${escapeXml(compact(value))}${between === null ? '' : element('tspan', { class: 'soft', dx: 6 }, escapeXml(between))}`,
  );
  return [label, element('rect', bar), ...whisker(spread, axis, top + ROW / 2), valueText];
}

/** Large values must leave room for their spread. */
function compact(value: number): string {
  return value >= 1e4 ? tickText(value) : number(value);
}

function whisker(spread: readonly [number, number] | undefined, axis: Axis, y: number): string[] {
  if (spread === undefined || !spread.every(Number.isFinite)) return [];
  const [low, high] = spread.map((value) => LEFT + axis.place(value) * PLOT);
  return [
    line(low, y, high, y, 'whisker'),
    line(low, y - 4, low, y + 4, 'whisker'),
    line(high, y - 4, high, y + 4, 'whisker'),
  ];
}
