/**
 * The figures that the report shows: docs/benchmarks/figures.json. Each scenario is a section of its own, with the run
 * that it comes from, so that one can be measured again while the others stay. One figure is one line, for the sake of
 * diffs. JSON has no NaN: a value that there is none of is null in the file.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Figure } from '../figure.js';
import type { Expected } from '../progress.js';
import type { Planned } from '../session.js';
import { FILES, ROOT } from './files.js';
import type { Machine } from './machine.js';

export interface Section {
  readonly scenario: string;
  /** The day, as 2026-11-21. */
  readonly date: string;
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly tookSeconds: number;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

export function readStored(root = ROOT): Section[] {
  const path = join(root, FILES.stored);
  if (!existsSync(path)) return [];
  const { sections } = JSON.parse(readFileSync(path, 'utf8')) as { sections: Section[] };
  return sections.map((section) => ({ ...section, figures: section.figures.map(withNaN) }));
}

type Pair = readonly [number, number];
type StoredPair = readonly [number | null, number | null];

function withNaN(figure: Figure): Figure {
  const { value, spread, baselineSpread } = figure as unknown as {
    value: number | null;
    spread: StoredPair;
    baselineSpread?: StoredPair;
  };
  const pair = ([least, most]: StoredPair): Pair => [least ?? NaN, most ?? NaN];
  const known = { ...figure, value: value ?? NaN, spread: pair(spread) };
  return baselineSpread === undefined ? known : { ...known, baselineSpread: pair(baselineSpread) };
}

export function writeStored(sections: readonly Section[], root = ROOT): void {
  const path = join(root, FILES.stored);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `{ "sections": [\n${sections.map(sectionText).join(',\n')}\n] }\n`);
}

function sectionText({ figures, ...facts }: Section): string {
  const head = JSON.stringify(facts).slice(0, -1);
  return `${head}, "figures": [\n${figures.map((figure) => `  ${JSON.stringify(figure)}`).join(',\n')}\n]}`;
}

/** The old sections with the new ones in place of theirs; in the order of `names`, then what those do not know. */
export function merge(
  old: readonly Section[],
  fresh: readonly Section[],
  names: readonly string[],
): Section[] {
  const kept = old.filter(({ scenario }) => !fresh.some((section) => section.scenario === scenario));
  const place = ({ scenario }: Section): number => {
    const at = names.indexOf(scenario);
    return at < 0 ? names.length : at;
  };
  return [...kept, ...fresh].sort((a, b) => place(a) - place(b));
}

/** Setting up takes about this long beside each measurement. */
const SETUP_SECONDS = 4;

/** How long scenarios will take, from how long they took. */
export function expectedOf(
  plan: readonly Planned[],
  stored: readonly Section[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Expected[] {
  return plan.map(({ scenario: { name } }) => {
    const before = stored.find(({ scenario }) => scenario === name);
    if (before === undefined || before.tookSeconds === 0) return { name };
    const times = (rounds * (seconds + SETUP_SECONDS)) / (before.rounds * (before.seconds + SETUP_SECONDS));
    return { name, seconds: before.tookSeconds * times };
  });
}
