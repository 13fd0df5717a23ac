/**
 * Taking away what a benchmark has made, all of it, whatever fails on the way: half a path that could not be opened,
 * or a path whose daemon has ended by itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Step = () => unknown;

export class Undo {
  private readonly steps: Step[] = [];

  /** To be called as soon as the thing is there. The last is undone first. */
  add(step: Step): void {
    this.steps.push(step);
  }

  /**
   * Does every step, and throws the first error when all are done. One that fails is tried once more: what a terminal
   * sends at Ctrl-C, it sends to the program of that moment too.
   */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      const attempt = attempted(step);
      await attempt()
        .catch(attempt)
        .catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }
}

function attempted(step: Step): () => Promise<unknown> {
  return async () => step();
}

/** Makes something that can be closed. What a failed attempt has made is taken away before the error is passed on. */
export async function closeable<T>(
  make: (undo: Undo) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const undo = new Undo();
  try {
    return { ...(await make(undo)), close: () => undo.run() };
  } catch (error) {
    await undo.run().catch(() => undefined);
    throw error;
  }
}

/** A folder that is removed with the rest. */
export function makeFolder(undo: Undo): string {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
  undo.add(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
