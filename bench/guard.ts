/** `--guard` and `--guard-write`: prints what bench/engine/guard.ts finds. */
import { errorLine } from '../src/cli/errors.js';
import { guard, whyNoBaseline } from './engine/guard.js';
import { benchFailure } from './errors.js';
import type { Figure } from './figure.js';

/** @throws CliError before anything is measured, where there is nothing to compare with. */
export function requireStoredCosts(why = whyNoBaseline()): void {
  if (why !== undefined) throw benchFailure(why);
}

/** Answers whether every cost is within its bound. The table goes where errors go: standard output is for figures. */
export function guardCosts(figures: readonly Figure[], write: boolean): boolean {
  const { ok, text } = guard(figures, write);
  console.error(text);
  if (!ok) console.error(errorLine(benchFailure('the guard found what the table above says')));
  return ok;
}
