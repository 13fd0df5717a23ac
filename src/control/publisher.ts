/**
 * Publishes what is attached, what services are and what policies say, to the data plane. What is attached is compiled and swapped as a
 * whole; of services and policies, only what is different is told. All have their numbers out of one sequence, and go one after the
 * other, so that a number is higher than all that are in force.
 *
 * Calls that come while one is under way share the one after it, so that twenty attaches at once cost two
 * or three swaps. A plan that does not compile leaves the old snapshot in force and rejects its callers.
 */
import { NO_POLICY_CHANGES, type PolicyChanges } from '../dataplane/policy-spec.js';
import type { ServiceChanges } from '../dataplane/service-spec.js';
import type { Snapshot } from '../dataplane/snapshot.js';
import { EMPTY_SNAPSHOT } from '../dataplane/snapshot.js';
import { TableCompiler, type TablesData } from '../dataplane/tables.js';
import { compile } from './compile.js';
import type { Plan } from './plan.js';
import type { PlannedPolicies } from './policies/policy-plan.js';
import type { PlanChanges } from './services/plan.js';

export interface SwapTarget {
  swap(tables: TablesData): Promise<void>;
}

export interface ServicesTarget {
  /** Resolves when it is in force everywhere. */
  changeServices(changes: ServiceChanges): Promise<void>;
}

export interface PoliciesTarget {
  /** Resolves when it is in force everywhere. */
  changePolicies(changes: PolicyChanges): Promise<void>;
}

/** Who knows what is different about services: live-services.ts. */
export interface ServicesSource {
  /** What is different from what was taken before. */
  take(): PlanChanges;
  /** It could not be taken, or whether what was taken is in force is not known. */
  lost(error: unknown): void;
}

/** The same of policies. */
export interface PoliciesSource {
  take(): PlannedPolicies;
  lost(error: unknown): void;
}

const NO_POLICIES: PoliciesSource = {
  take: () => NO_POLICY_CHANGES,
  lost: () => {},
};

export class Publisher {
  /** The snapshot in force. */
  current: Snapshot = EMPTY_SNAPSHOT;
  /** Another one is. */
  onSnapshot: () => void = () => {};
  private running: Promise<void> = Promise.resolve();
  private nextSwap: Promise<void> | undefined;
  private nextServices: Promise<void> | undefined;
  private nextPolicies: Promise<void> | undefined;
  private inForce = EMPTY_SNAPSHOT.generation;
  /** The last number that the data plane may have seen. */
  private issued = EMPTY_SNAPSHOT.generation;
  private readonly tables = new TableCompiler();

  constructor(
    private readonly target: SwapTarget & ServicesTarget & PoliciesTarget,
    private readonly plan: (generation: number) => Plan,
    private readonly services: ServicesSource,
    private readonly policies: PoliciesSource = NO_POLICIES,
  ) {}

  /** Of what came into force last, snapshot, services or policies. */
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
      return this.changeServices();
    });
    return this.nextServices;
  }

  /** Resolves when what policies say at this moment is in force. */
  publishPolicies(): Promise<void> {
    this.nextPolicies ??= this.queue(() => {
      this.nextPolicies = undefined;
      return this.changePolicies();
    });
    return this.nextPolicies;
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

  private async changeServices(): Promise<void> {
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

  private async changePolicies(): Promise<void> {
    try {
      const changes = this.policies.take();
      if (isNothing(changes)) return;
      const generation = ++this.issued;
      await this.target.changePolicies({ generation, ...changes });
      this.inForce = generation;
    } catch (error) {
      this.policies.lost(error);
      throw error;
    }
  }
}

/** Neither an entry in a list, nor anything that is said anew. */
function isNothing({ clusterCidrs, followsAll, ...lists }: PlannedPolicies): boolean {
  if (clusterCidrs !== undefined || followsAll !== undefined) return false;
  return Object.values(lists).every(({ length }) => length === 0);
}
