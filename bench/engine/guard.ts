/**
 * The guard against costs that grow unseen: `npm run bench -- engine --guard`.
 *
 * A cost is a figure of `engine.*` in nanoseconds. It is held as a multiple of the reference loop's time in the same
 * run, so that a slower machine, or a slower hour of one, is no failure; of both, the best round counts, since what else
 * goes on makes rounds slow and none fast. baseline.json has the multiple of each cost and
 * how many times that is allowed: 1.25, or more where the rounds differed more when it was written.
 * `--guard-write` writes it anew for the scenarios that ran; write it on a quiet machine with three rounds at least.
 *
 * It fails where a cost is above what is allowed, and where one of a scenario that ran is not there any more, since a
 * metric under another name would be held against nothing. What is not in the file yet is named, and fails only where
 * nothing else was compared.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Figure } from '../figure.js';
import { COST_UNIT, REFERENCE_SCENARIO } from './figures.js';

export interface Held {
  /** Of the reference loop's time. */
  readonly ratio: number;
  /** How many times the ratio is allowed. */
  readonly allowed: number;
}

/** By `SCENARIO: METRIC`. */
export type Baseline = Readonly<Record<string, Held>>;

const ALLOWED = 1.25;
/** More than this is no guard. */
const MOST_ALLOWED = 2;

const FILE = join(rootOf(import.meta.dirname), 'bench', 'engine', 'baseline.json');

/** Runs from bench/ in tests and from dist/bench/ otherwise: the root is where package.json is. */
function rootOf(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootOf(dirname(folder));
}

/** Why there is nothing to compare with; undefined: there is. */
export function whyNoBaseline(file = FILE): string | undefined {
  return existsSync(file) ? undefined : `guard: there is no ${file}; --guard-write stores the costs there`;
}

/** Compares figures with the stored baseline, or renews it; `text` is for people. */
export function guard(
  figures: readonly Figure[],
  write: boolean,
  file = FILE,
): { ok: boolean; text: string } {
  const measured = heldOf(figures);
  const names = Object.keys(measured);
  if (names.length === 0) return { ok: false, text: 'guard: no cost of engine.* was measured' };
  const missing = whyNoBaseline(file);
  if (missing !== undefined && !write) return { ok: false, text: missing };
  const stored = missing === undefined ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : {};
  if (!write) return compare(measured, stored);
  writeFileSync(file, `${JSON.stringify(renewed(measured, stored), null, 2)}\n`);
  return { ok: true, text: `guard: ${names.length} costs written to ${file}` };
}

/** The costs among the figures as multiples of the reference loop's. */
export function heldOf(figures: readonly Figure[]): Baseline {
  const references = new Map(
    figures
      .filter(({ scenario }) => scenario === REFERENCE_SCENARIO)
      .map(({ metric, spread: [least] }) => [metric.replace(/^in /, ''), least]),
  );
  const costs = figures.filter(({ scenario, unit }) => unit === COST_UNIT && references.has(scenario));
  return Object.fromEntries(
    costs.map((figure) => [
      `${figure.scenario}: ${figure.metric}`,
      { ratio: rounded(figure.spread[0] / references.get(figure.scenario)!), allowed: allowedFor(figure) },
    ]),
  );
}

/** Twice as much as half of the rounds were above the best, since that was seen without any change. */
function allowedFor({ value, spread: [least] }: Figure): number {
  return rounded(Math.min(MOST_ALLOWED, Math.max(ALLOWED, 1 + (2 * (value - least)) / least)));
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function compare(measured: Baseline, stored: Baseline): { ok: boolean; text: string } {
  const scenarios = new Set(Object.keys(measured).map(scenarioOf));
  const expected = Object.keys(stored).filter((name) => scenarios.has(scenarioOf(name)));
  const gone = expected.filter((name) => measured[name] === undefined);
  const grown = expected.filter((name) => measured[name]?.ratio > stored[name].ratio * stored[name].allowed);
  const unknown = Object.keys(measured).filter((name) => stored[name] === undefined);
  const rows = grown.map((name) => rowOf(name, measured[name], stored[name]));
  const parts = [
    ...(grown.length > 0 ? [table(['COST', 'STORED', 'MEASURED', 'TIMES', 'ALLOWED'], rows)] : []),
    ...(gone.length > 0 ? [`not measured any more:\n${listOf(gone)}`] : []),
    ...(unknown.length > 0
      ? [`not in the baseline yet (--guard-write puts them there):\n${listOf(unknown)}`]
      : []),
  ];
  const ok = grown.length === 0 && gone.length === 0 && expected.length > 0;
  const verdict = `of ${expected.length} costs ${grown.length} are above what is allowed`;
  return { ok, text: [...parts, `guard: ${verdict}`].join('\n') };
}

/** The scenarios that were measured, and of the others what was there. */
function renewed(measured: Baseline, stored: Baseline): Baseline {
  const scenarios = new Set(Object.keys(measured).map(scenarioOf));
  const kept = Object.entries(stored).filter(([name]) => !scenarios.has(scenarioOf(name)));
  return Object.fromEntries([...kept, ...Object.entries(measured)]);
}

function scenarioOf(name: string): string {
  return name.slice(0, name.indexOf(':'));
}

function rowOf(name: string, { ratio }: Held, stored: Held): string[] {
  return [
    name,
    ...[stored.ratio, ratio, ratio / stored.ratio, stored.allowed].map((value) => value.toFixed(2)),
  ];
}

function listOf(names: readonly string[]): string {
  return names.map((name) => `  ${name}`).join('\n');
}

function table(header: readonly string[], rows: readonly string[][]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
