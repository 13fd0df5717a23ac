/** `--guard` and `--guard-write`: prints what bench/engine/guard.ts finds. */
import { errorLine } from '../src/cli/errors.js';
import { guard } from './engine/guard.js';
import { benchFailure } from './errors.js';
import type { Figure } from './figure.js';

/** Answers whether every cost is within its bound. The table goes where errors go: standard output is for figures. */
export function guardCosts(figures: readonly Figure[], write: boolean): boolean {
  const { ok, text } = guard(figures, write);
  console.error(text);
  if (!ok) console.error(errorLine(benchFailure('the guard found what the table above says')));
  return ok;
}
