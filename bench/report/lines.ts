/**
 * Lines over a quantity, each with marks of its own shape, and its name and last value at its end. Axes are logarithmic,
 * or linear from zero where there is a quantity of none.
 */
import { number } from '../table.js';
import { type Axis, linearAxis, logAxis, tickText } from './axis.js';
import { element, line, picture, SERIES_COLOURS, text, WIDTH } from './svg.js';

export interface Series {
  readonly name: string;
  /** Quantity and value, the quantity rising. */
  readonly points: readonly (readonly [number, number])[];
}

export interface LinePlot {
  readonly title: string;
  /** `flows`, `routes`. */
  readonly quantity: string;
  readonly metric: string;
  readonly unit: string;
  /** Values of memory and throughput stand on zero; costs over decades do not. */
  readonly isLinear?: boolean;
  readonly series: readonly Series[];
}

const [LEFT, TOP, HEIGHT, FOOT, NAME_GAP] = [70, 78, 300, 62, 17];
/** Of a name's letters, on average and a little more. */
const LETTER = 7.2;
/** Marks of the ends of the plot stand a little inside. */
const INSET = 12;

interface Frame {
  /** The right end of the axes. */
  readonly right: number;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly yAxis: Axis;
}

export function linePlot({ title, quantity, metric, unit, series, isLinear }: LinePlot): string {
  const frame = frameOf(series, isLinear === true);
  const bottom = TOP + HEIGHT;
  const names = nameHeights(series, frame);
  const parts = [
    ...frame.yAxis.ticks.map((tick) => line(LEFT, frame.y(tick), frame.right, frame.y(tick), 'grid')),
    ...frame.yAxis.ticks.map((tick) => text(LEFT - 8, frame.y(tick) + 4, tickText(tick), 'soft end')),
    ...quantities(series).map((value) => line(frame.x(value), bottom, frame.x(value), bottom + 5, 'axis')),
    ...apart(quantities(series), frame).map((value) =>
      text(frame.x(value), bottom + 19, tickText(value), 'soft middle'),
    ),
    line(LEFT, bottom, frame.right, bottom, 'axis'),
    text(20, TOP - 16, `${metric}, ${unit}`, 'soft'),
    text((LEFT + frame.right) / 2, bottom + 40, quantity, 'soft middle'),
    ...series.flatMap((one, index) => seriesParts(one, index, frame, names[index])),
  ];
  const description = series.map(
    ({ name, points }) => `${name}: ${points.map(([x, y]) => `${x}: ${number(y)}`).join(', ')}`,
  );
  return picture(
    title,
    `${metric} in ${unit} by ${quantity}; ${description.join('; ')}`,
    bottom + FOOT,
    parts,
  );
}

function quantities(series: readonly Series[]): number[] {
  return [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
}

function frameOf(series: readonly Series[], isLinear: boolean): Frame {
  const xs = quantities(series);
  const ys = series.flatMap(({ points }) => points.map(([, y]) => y));
  const yAxis = isLinear ? linearAxis(Math.max(...ys)) : decadeAxis(ys);
  const xPlace = placeOf(xs);
  const longest = Math.max(...series.map(labelOf).map(({ length }) => length));
  const right = WIDTH - Math.min(360, 46 + longest * LETTER);
  return {
    yAxis,
    right,
    x: (value) => LEFT + INSET + xPlace(value) * (right - LEFT - 2 * INSET),
    y: (value) => TOP + HEIGHT - yAxis.place(value) * HEIGHT,
  };
}

/** Closer to each other than this, quantities could not be read. */
const LABEL_GAP = 42;

/** The quantities that have room to be written, from the greatest down: its line ends there. */
function apart(values: readonly number[], { x }: Frame): number[] {
  const kept: number[] = [];
  for (const value of values.toReversed()) {
    const last = kept.at(-1);
    if (last === undefined || x(last) - x(value) >= LABEL_GAP) kept.push(value);
  }
  return kept;
}

/** A line that is nearly flat must look so: at least a decade is shown. */
function decadeAxis(ys: readonly number[]): Axis {
  const middle = Math.sqrt(Math.min(...ys) * Math.max(...ys));
  return logAxis(Math.min(...ys, middle / 3.2), Math.max(...ys, middle * 3.2));
}

function placeOf(xs: readonly number[]): (value: number) => number {
  const [low, high] = [xs[0], xs[xs.length - 1]];
  if (low <= 0) return (value) => (value - low) / (high - low);
  return (value) => Math.log(value / low) / Math.log(high / low);
}

/** Names stand at the ends of their lines, pushed apart where they would overlap. */
function nameHeights(series: readonly Series[], frame: Frame): number[] {
  const wanted = series.map(({ points }) => frame.y(points[points.length - 1][1]));
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  const heights: number[] = [...wanted];
  for (const [rank, index] of order.entries()) {
    if (rank > 0) heights[index] = Math.max(heights[index], heights[order[rank - 1]] + NAME_GAP);
  }
  const over = Math.max(0, Math.max(...heights) - (TOP + HEIGHT));
  return heights.map((height) => height - over);
}

function seriesParts({ name, points }: Series, index: number, frame: Frame, nameY: number): string[] {
  const colour = index % SERIES_COLOURS;
  const at = points.map(([x, y]) => [frame.x(x), frame.y(y)] as const);
  const path = at.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const [endX, endY] = at[at.length - 1];
  const nameX = frame.right + 22;
  return [
    element('polyline', { points: path, class: `line l${colour}` }),
    ...at.map(([x, y]) => mark(index, x, y)),
    element('line', {
      x1: endX + 6,
      y1: endY,
      x2: nameX - 12,
      y2: nameY,
      class: `l${colour}`,
      'stroke-dasharray': '2 3',
    }),
    mark(index, nameX - 6, nameY),
    text(nameX + 4, nameY + 4, labelOf({ name, points })),
  ];
}

function labelOf({ name, points }: Series): string {
  return `${name} ${number(points[points.length - 1][1])}`;
}

/** Circle, square, triangle, diamond by turns. */
function mark(index: number, x: number, y: number): string {
  const look = { class: `m${index % SERIES_COLOURS}` };
  const polygon = (points: readonly (readonly [number, number])[]): string =>
    element('polygon', {
      points: points.map(([dx, dy]) => `${(x + dx).toFixed(1)},${(y + dy).toFixed(1)}`).join(' '),
      ...look,
    });
  if (index % 4 === 0) return element('circle', { cx: x, cy: y, r: 4, ...look });
  if (index % 4 === 1) return element('rect', { x: x - 3.7, y: y - 3.7, width: 7.4, height: 7.4, ...look });
  if (index % 4 === 2)
    return polygon([
      [0, -5],
      [5, 4],
      [-5, 4],
    ]);
  return polygon([
    [0, -5.4],
    [5.4, 0],
    [0, 5.4],
    [-5.4, 0],
  ]);
}
