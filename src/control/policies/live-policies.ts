/**
 * What policies say at this moment: everybody who knows a part of it says so here, and the data plane has it a moment later.
 *
 * Calls return at once. What is set in one turn, or while changes are on their way, is told together; `settled` is for those
 * who answer somebody. What the data plane was told and may not have, since telling it failed, is told again as a whole.
 *
 * Nothing is told before `open`: what policies, namespaces and pods there are must be known first. Until then each port of a
 * pod stays closed, since the data plane was not told of it; so after a restart no pod is reached that no policy would let
 * be reached.
 */
import { IDENTITY_UNKNOWN, NO_POLICY_CHANGES } from '../../dataplane/policy-spec.js';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { PoliciesSource } from '../publisher.js';
import { type PlannedPolicies, PolicyPlan } from './policy-plan.js';
import type { Labels } from './selectors.js';
import type {
  AnyPolicy,
  PolicyAnswer,
  PolicyNode,
  PolicyNote,
  PolicyPod,
  PolicyQuestion,
  PolicyState,
} from './types.js';

export interface LivePoliciesParts {
  /** Publisher.publishPolicies */
  readonly publish: () => Promise<void>;
  /** A number stands for another rule now: what was counted under it is not that one's. */
  readonly noteGiven?: (note: number) => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

const UNKNOWN = 'the cluster store does not answer, and this node has no copy of what it holds';

export class LivePolicies implements PoliciesSource {
  private readonly plan = new PolicyPlan();
  private readonly nodes = new Set<string>();
  private readonly overlays = new Set<string>();
  private isOpen = false;
  private isMissed = false;
  private isInDoubt = false;
  /** The last changes that were. */
  private taken: PlannedPolicies = NO_POLICY_CHANGES;
  /** Who wants all connections to be followed. */
  private followers = 0;
  private readonly backoff = new Backoff();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private retry: Timer | undefined;
  private stopped = false;

  constructor(private readonly parts: LivePoliciesParts) {
    this.repeated = new RepeatedLog(parts.log);
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.plan.onNoteGiven = (note) => parts.noteGiven?.(note);
  }

  /** Why ports of pods are closed; undefined: they are not. */
  get problem(): string | undefined {
    return this.isMissed && !this.isOpen
      ? `ports of pods are closed, as policies are not known: ${UNKNOWN}`
      : undefined;
  }

  /** What there is, is known from now on. */
  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    if (this.isMissed) this.parts.log.info('policies are known: ports of pods open');
    this.changed();
  }

  /** The store has told all that it holds: where ports are still closed for want of it, they open. */
  known(): void {
    if (this.isMissed) this.open();
  }

  /** It should be known by now and is not. */
  miss(): void {
    if (this.isOpen || this.isMissed) return;
    this.isMissed = true;
    this.parts.log.error(`ports of pods stay closed until policies are known: ${UNKNOWN}`);
  }

  setPolicy(policy: AnyPolicy): void {
    this.plan.setPolicy(policy);
    this.changed();
  }

  /** @param key NAMESPACE/NAME of a NetworkPolicy, NAME of the others */
  removePolicy(kind: AnyPolicy['kind'], key: string): void {
    this.plan.removePolicy(kind, key);
    this.changed();
  }

  setNamespace(name: string, labels: Labels): void {
    this.plan.setNamespace({ name, labels });
    this.changed();
  }

  removeNamespace(name: string): void {
    this.plan.removeNamespace(name);
    this.changed();
  }

  setPod(pod: PolicyPod): void {
    this.plan.setPod(pod);
    this.changed();
  }

  /** @param key of podKeyOf */
  removePod(key: string): void {
    this.plan.removePod(key);
    this.changed();
  }

  /** All that there are. */
  setNodes(nodes: readonly PolicyNode[]): void {
    const names = new Set(nodes.map(({ name }) => name));
    for (const name of this.nodes) if (!names.has(name)) this.plan.removeNode(name);
    this.nodes.clear();
    for (const node of nodes) {
      this.nodes.add(node.name);
      this.plan.setNode(node);
    }
    this.changed();
  }

  /** All overlays, by the number of their domain on this node. */
  setOverlays(domains: ReadonlyMap<string, number>): void {
    for (const name of this.overlays) if (!domains.has(name)) this.plan.setDomain(name, undefined);
    this.overlays.clear();
    for (const [name, domain] of domains) {
      this.overlays.add(name);
      this.plan.setDomain(name, domain);
    }
    this.changed();
  }

  setClusterCidrs(cidrs: readonly string[]): void {
    this.plan.setClusterCidrs(cidrs);
    this.changed();
  }

  /** Notes of networks that routes keep apart: PolicyPlan.keepApart. */
  keepApart(networks: readonly string[]): ReadonlyMap<string, number> {
    return this.plan.keepApart(networks);
  }

  /**
   * Follows connections of all pods, those that nothing selects too, until what it resolves with is called. Resolves when that
   * is in force.
   */
  async follow(): Promise<() => void> {
    this.setFollowers(this.followers + 1);
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.setFollowers(this.followers - 1);
      isOver = true;
    };
    try {
      await this.settled();
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  /** @throws PodwireError STORE_UNREACHABLE where policies are not known */
  checkKnown(): void {
    if (this.isMissed && !this.isOpen) {
      throw new PodwireError('STORE_UNREACHABLE', `policies are not known: ${UNKNOWN}`);
    }
  }

  /** Resolves when all that was set is in force. Rejects where the data plane refuses it; it is tried again. */
  async settled(): Promise<void> {
    if (this.isOpen) await this.parts.publish();
  }

  /** Of every node, in no order. */
  everyPod(): PolicyPod[] {
    return this.plan.everyPod();
  }

  noteOf(note: number): PolicyNote | undefined {
    return this.plan.noteOf(note);
  }

  /** @throws PodwireError NOT_FOUND, INVALID */
  judge(question: PolicyQuestion): PolicyAnswer {
    return this.plan.judge(question);
  }

  /** As everything is now, for somebody who asks what would be otherwise. */
  copy(): PolicyPlan {
    return this.plan.copy();
  }

  /** What everything is now, as data. */
  state(): PolicyState {
    return this.plan.state();
  }

  stop(): void {
    this.stopped = true;
    this.retry?.cancel();
  }

  take(): PlannedPolicies {
    if (!this.isOpen) return NO_POLICY_CHANGES;
    this.taken = this.isInDoubt ? this.again() : this.plan.changes();
    this.isInDoubt = false;
    return this.taken;
  }

  private again(): PlannedPolicies {
    // The plan has no memory of addresses that it has told to be nobody's.
    const nobodys = this.taken.addresses.filter(({ identity }) => identity === IDENTITY_UNKNOWN);
    const whole = this.plan.again();
    return { ...whole, addresses: [...nobodys, ...whole.addresses] };
  }

  lost(error: unknown): void {
    this.isInDoubt = true;
    const { code, message } = asPodwireError(error);
    this.repeated.warn('policies', { code, error: message }, 'policies cannot be put in force');
    this.retry?.cancel();
    if (!this.stopped) this.retry = this.clock.after(this.backoff.next(), () => this.changed());
  }

  private setFollowers(count: number): void {
    this.followers = count;
    this.plan.setFollowsAll(count > 0);
    this.changed();
  }

  /** Who waits for it hears of a failure by `settled`. */
  private changed(): void {
    if (this.stopped || !this.isOpen) return;
    this.parts.publish().then(
      () => this.worked(),
      () => {},
    );
  }

  private worked(): void {
    if (this.isInDoubt) return;
    this.backoff.reset();
    this.repeated.clear('policies');
  }
}
