/**
 * `--report`: keeps what was measured with the figures of earlier runs, and writes from all of them docs/benchmarks.md,
 * its pictures and README's tables. A scenario that was not run keeps its stored figures.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SCENARIOS } from '../scenarios.js';
import type { Measured } from '../session.js';
import { FILES, ROOT, TEMPLATE } from './files.js';
import { thisMachine } from './machine.js';
import { document } from './markdown.js';
import { type Plot, plots } from './plots.js';
import { readmeWith } from './readme.js';
import { merge, readStored, type Section, writeStored } from './stored.js';

export interface Run {
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
}

export function sectionsOf(measured: readonly Measured[], { command, rounds, seconds }: Run): Section[] {
  const machine = thisMachine();
  const date = new Date().toISOString().slice(0, 10);
  return measured.map(({ scenario, figures, tookSeconds }) => ({
    scenario: scenario.name,
    ...{ date, command, rounds, seconds, tookSeconds, machine, figures },
  }));
}

/** Answers the files that it wrote, relative to `root`. */
export function writeReport(fresh: readonly Section[], root = ROOT): string[] {
  const sections = merge(
    readStored(root),
    fresh,
    SCENARIOS.map(({ name }) => name),
  );
  if (fresh.length > 0) writeStored(sections, root);
  const pictures = plots(sections);
  const written = [...(fresh.length > 0 ? [FILES.stored] : []), ...writePlots(pictures, root)];
  writeFileSync(join(root, FILES.document), document(readFileSync(TEMPLATE, 'utf8'), sections, pictures));
  return [...written, FILES.document, ...writeReadme(sections, root)];
}

/** Pictures that no figure makes any more go. */
function writePlots(pictures: readonly Plot[], root: string): string[] {
  const folder = join(root, FILES.plots);
  mkdirSync(folder, { recursive: true });
  for (const old of readdirSync(folder).filter((name) => name.endsWith('.svg'))) rmSync(join(folder, old));
  for (const { file, svg } of pictures) writeFileSync(join(folder, file), svg);
  return pictures.map(({ file }) => join(FILES.plots, file));
}

function writeReadme(sections: readonly Section[], root: string): string[] {
  const path = join(root, FILES.readme);
  if (!existsSync(path)) return [];
  const before = readFileSync(path, 'utf8');
  const after = readmeWith(before, sections);
  if (after === before) return [];
  writeFileSync(path, after);
  return [FILES.readme];
}
