/**
 * Publishes what is attached, and what services are, to the data plane. What is attached is compiled and swapped as a whole;
 * of services, only what is different is told. Both have their numbers out of one sequence, and go one after the other, so
 * that a number is higher than all that are in force.
 *
 * Calls that come while one is under way share the one after it, so that twenty attaches at once cost two
 * or three swaps. A plan that does not compile leaves the old snapshot in force and rejects its callers.
 */
import type { ServiceChanges } from '../dataplane/service-spec.js';
import type { Snapshot } from '../dataplane/snapshot.js';
import { EMPTY_SNAPSHOT } from '../dataplane/snapshot.js';
import { TableCompiler, type TablesData } from '../dataplane/tables.js';
import { compile } from './compile.js';
import type { Plan } from './plan.js';
import type { PlanChanges } from './services/plan.js';

export interface SwapTarget {
  swap(tables: TablesData): Promise<void>;
}

export interface ServicesTarget {
  /** Resolves when it is in force everywhere. */
  changeServices(changes: ServiceChanges): Promise<void>;
}

/** Who knows what is different about services: live-services.ts. */
export interface ServicesSource {
  /** What is different from what was taken before. */
  take(): PlanChanges;
  /** It could not be taken, or whether what was taken is in force is not known. */
  lost(error: unknown): void;
}

export class Publisher {
  /** The snapshot in force. */
  current: Snapshot = EMPTY_SNAPSHOT;
  /** Another one is. */
  onSnapshot: () => void = () => {};
  private running: Promise<void> = Promise.resolve();
  private nextSwap: Promise<void> | undefined;
  private nextServices: Promise<void> | undefined;
  private inForce = EMPTY_SNAPSHOT.generation;
  /** The last number that the data plane may have seen. */
  private issued = EMPTY_SNAPSHOT.generation;
  private readonly tables = new TableCompiler();

  constructor(
    private readonly target: SwapTarget & ServicesTarget,
    private readonly plan: (generation: number) => Plan,
    private readonly services: ServicesSource,
  ) {}

  /** Of what came into force last, snapshot or services. */
  get generation(): number {
    return this.inForce;
  }

  /** Resolves when what is attached at this moment is in force. */
  publish(): Promise<void> {
    this.nextSwap ??= this.queue(() => {
      this.nextSwap = undefined;
      return this.swap();
    });
    return this.nextSwap;
  }

  /** Resolves when what services are at this moment is in force. */
  publishServices(): Promise<void> {
    this.nextServices ??= this.queue(() => {
      this.nextServices = undefined;
      return this.change();
    });
    return this.nextServices;
  }

  private queue(step: () => Promise<void>): Promise<void> {
    const result = this.running.then(step);
    this.running = result.catch(() => {});
    return result;
  }

  private async swap(): Promise<void> {
    const generation = this.issued + 1;
    const snapshot = compile(this.plan(generation));
    const tables = this.tables.compile(snapshot);
    this.issued = generation;
    await this.target.swap(tables);
    this.current = snapshot;
    this.inForce = generation;
    this.onSnapshot();
  }

  private async change(): Promise<void> {
    try {
      const changes = this.services.take();
      if (changes.changed.length === 0 && changes.removed.length === 0) return;
      const generation = ++this.issued;
      await this.target.changeServices({ generation, ...changes });
      this.inForce = generation;
    } catch (error) {
      this.services.lost(error);
      throw error;
    }
  }
}
