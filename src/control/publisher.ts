/**
 * Publishes what is attached to the data plane: compile, swap, and the next generation is in force.
 *
 * Calls that come while a swap is under way share the one after it, so that twenty attaches at once cost two
 * or three swaps. A plan that does not compile leaves the old snapshot in force and rejects its callers.
 */
import type { Snapshot } from '../dataplane/snapshot.js';
import { EMPTY_SNAPSHOT } from '../dataplane/snapshot.js';
import { TableCompiler, type TablesData } from '../dataplane/tables.js';
import { compile } from './compile.js';
import type { Plan } from './plan.js';

export interface SwapTarget {
  swap(tables: TablesData): Promise<void>;
}

export class Publisher {
  /** The snapshot in force. */
  current: Snapshot = EMPTY_SNAPSHOT;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private readonly tables = new TableCompiler();

  constructor(
    private readonly target: SwapTarget,
    private readonly plan: (generation: number) => Plan,
  ) {}

  /** Resolves when what is attached at this moment is in force. */
  publish(): Promise<void> {
    if (this.next) return this.next;
    const next = this.running.then(() => {
      this.next = undefined;
      return this.swap();
    });
    this.next = next;
    this.running = next.catch(() => {});
    return next;
  }

  private async swap(): Promise<void> {
    const snapshot = compile(this.plan(this.current.generation + 1));
    await this.target.swap(this.tables.compile(snapshot));
    this.current = snapshot;
  }
}
