/** Where the report lies in the repository. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest folder upwards with a package.json: from dist/ as well as from the sources. */
function rootAbove(folder: string): string {
  const isRoot = existsSync(join(folder, 'package.json')) || dirname(folder) === folder;
  return isRoot ? folder : rootAbove(dirname(folder));
}

export const ROOT = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** What docs/benchmarks.md is made from: its text, with a place for each scenario's figures. */
export const TEMPLATE = join(ROOT, 'bench/report/template.md');

/** Relative to the folder that is written to, the repository unless a test says otherwise. */
export const FILES = {
  document: 'docs/benchmarks.md',
  plots: 'docs/benchmarks',
  stored: 'docs/benchmarks/figures.json',
  readme: 'README.md',
} as const;
