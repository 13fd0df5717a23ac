/** `--guard` and `--guard-write`: prints what bench/engine/guard.ts finds. Loaded when it is asked for. */
import { errorLine } from '../src/cli/errors.js';
import { benchFailure } from './errors.js';
import type { Figure } from './figure.js';

type Guard = (figures: readonly Figure[], write: boolean) => { readonly ok: boolean; readonly text: string };

const MODULE = new URL('./engine/guard.js', import.meta.url).href;

/** Answers whether every cost is within its bound. */
export async function guardCosts(figures: readonly Figure[], write: boolean): Promise<boolean> {
  const { guard } = (await import(MODULE)) as { guard: Guard };
  const { ok, text } = guard(figures, write);
  console.error(text);
  if (!ok) console.error(errorLine(benchFailure('a cost has grown: the table above says which')));
  return ok;
}
