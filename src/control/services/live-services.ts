/**
 * What services are at this moment: everybody who knows a part of it says so here, and the data plane has it a moment later.
 *
 * Calls return at once. What is set in one turn, or while changes are on their way, is told together; `settled` is for those
 * who answer somebody. What the data plane was told and may not have, since telling it failed, is told again as a whole.
 *
 * Pods of a node that does not answer count as not ready: the tunnel's probe knows that in a second, the lease of the
 * node's records lapses much later. Its endpoints in slices that somebody else wrote stay as they were written.
 */
import type { ServiceSpec } from '../../dataplane/service-spec.js';
import { Backoff } from '../backoff.js';
import { holds } from '../cidr.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { ServicesSource } from '../publisher.js';
import type { Here } from './endpoints.js';
import { ExternalAddresses } from './external-addresses.js';
import { type PlanChanges, ServicePlan } from './plan.js';
import type { PlannedPort } from './planned.js';
import { type EndpointSlice, podKeyOf, type Service, type ServicePod } from './types.js';

export interface LiveServicesParts {
  readonly here: Here;
  readonly serviceCidrs: () => readonly string[];
  /** Adds what leads in from outside. Told of each change once, in order. */
  readonly expose: (changes: PlanChanges) => PlanChanges;
  /** Resolves when what was exposed is in force. */
  readonly exposed?: () => Promise<void>;
  /** Publisher.publishServices */
  readonly publish: () => Promise<void>;
  /** `externalAddresses` are others now: the snapshot has routes to them. */
  readonly rerouted: () => Promise<void>;
  /** A service, or its endpoints, may be other than before: as they are told to the data plane, or where that has none of them. */
  readonly planned?: (key: string) => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

export class LiveServices implements ServicesSource {
  private readonly plan: ServicePlan;
  private readonly external: ExternalAddresses;
  /** By number: what the data plane has, or is being told. */
  private readonly told = new Map<number, ServiceSpec>();
  /** One more than the highest number that was ever told. */
  private numbers = 0;
  private isInDoubt = false;
  /** As they were set, by key; the plan has those of nodes that do not answer as not ready. */
  private readonly pods = new Map<string, ServicePod>();
  private readonly downNodes = new Set<string>();
  private readonly zones = new Map<string, string | undefined>();
  private readonly backoff = new Backoff();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private retry: Timer | undefined;
  private stopped = false;
  /** Routes to external addresses coming into force. */
  private rerouting: Promise<void> | undefined;

  constructor(private readonly parts: LiveServicesParts) {
    this.plan = new ServicePlan(parts.here, parts.planned);
    this.repeated = new RepeatedLog(parts.log);
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.external = new ExternalAddresses((address) =>
      parts.serviceCidrs().some((cidr) => holds(cidr, address)),
    );
  }

  /** With families and addresses, as allocated. */
  setService(service: Service): void {
    this.plan.setService(service);
    this.changed();
  }

  /** @param key NAMESPACE/NAME, as of slices */
  removeService(key: string): void {
    this.plan.removeService(key);
    this.changed();
  }

  setSlice(slice: EndpointSlice): void {
    this.plan.setSlice(slice);
    this.changed();
  }

  removeSlice(key: string): void {
    this.plan.removeSlice(key);
    this.changed();
  }

  setPod(pod: ServicePod): void {
    this.pods.set(podKeyOf(pod), pod);
    this.plan.setPod(this.seen(pod));
    this.changed();
  }

  /** @param key of podKeyOf */
  removePod(key: string): void {
    this.pods.delete(key);
    this.plan.removePod(key);
    this.changed();
  }

  /** @param zone undefined: the node has none. */
  setZone(node: string, zone: string | undefined): void {
    if (this.zones.get(node) === zone) return;
    this.zones.set(node, zone);
    this.plan.setZone(node, zone);
    this.changed();
  }

  setHere(here: Here): void {
    this.plan.setHere(here);
    this.changed();
  }

  /** Whether a node can be reached; one of which nothing was said can. */
  setNodeLive(node: string, isLive: boolean): void {
    if (this.downNodes.has(node) !== isLive) return;
    if (isLive) this.downNodes.delete(node);
    else this.downNodes.add(node);
    for (const pod of this.pods.values()) if (pod.node === node) this.plan.setPod(this.seen(pod));
    this.changed();
  }

  /**
   * What is no Service: published ports, the DNS server.
   * @param name of all its ports; not NAMESPACE/NAME, which is a Service's.
   */
  setExtra(name: string, ports: readonly PlannedPort[]): void {
    this.plan.setExtra(name, ports);
    this.changed();
  }

  removeExtra(name: string): void {
    this.plan.setExtra(name, []);
    this.changed();
  }

  /** Resolves when all that was set is in force. Rejects where the data plane refuses it; it is tried again. */
  async settled(): Promise<void> {
    await this.parts.publish();
    await this.rerouting;
    await this.parts.exposed?.();
  }

  /** Frontends outside of the service prefixes, in no order: a packet for one of them must be looked at. */
  get externalAddresses(): readonly string[] {
    return this.external.list;
  }

  /** As they were set, in no order. */
  get written(): Iterable<Service> {
    return this.plan.written;
  }

  /** @param key NAMESPACE/NAME */
  service(key: string): Service | undefined {
    return this.plan.service(key);
  }

  /** All of a service: as they were set, and those computed of pods. */
  endpointSlices(key: string): EndpointSlice[] {
    return this.plan.endpointSlices(key);
  }

  /** As the data plane has it, or is being told. */
  get all(): Iterable<ServiceSpec> {
    return this.told.values();
  }

  /** EndpointSlices that are computed from selectors and pods, in no order. */
  get computedSlices(): Iterable<EndpointSlice> {
    return this.plan.computedSlices();
  }

  stop(): void {
    this.stopped = true;
    this.retry?.cancel();
  }

  take(): PlanChanges {
    const changes = this.parts.expose(this.plan.changes());
    for (const id of changes.removed) this.forget(id);
    for (const spec of changes.changed) this.note(spec);
    if (this.external.takeChanged()) this.reroute();
    if (!this.isInDoubt) return changes;
    this.isInDoubt = false;
    return this.whole();
  }

  lost(error: unknown): void {
    this.isInDoubt = true;
    const { code, message } = asPodwireError(error);
    this.repeated.warn('services', { code, error: message }, 'services cannot be put in force');
    this.retry?.cancel();
    if (!this.stopped) this.retry = this.clock.after(this.backoff.next(), () => this.changed());
  }

  private note(spec: ServiceSpec): void {
    // In this order an address that stays has not gone in between.
    this.external.add(spec);
    this.external.drop(this.told.get(spec.id));
    this.told.set(spec.id, spec);
    this.numbers = Math.max(this.numbers, spec.id + 1);
  }

  private forget(id: number): void {
    this.external.drop(this.told.get(id));
    this.told.delete(id);
  }

  private reroute(): void {
    this.rerouting = this.parts.rerouted();
    this.rerouting.catch(() => {});
  }

  private whole(): PlanChanges {
    const removed = Array.from({ length: this.numbers }, (_, id) => id).filter((id) => !this.told.has(id));
    return { removed, changed: [...this.told.values()] };
  }

  private seen(pod: ServicePod): ServicePod {
    const isDown = pod.node !== undefined && this.downNodes.has(pod.node);
    return isDown ? { ...pod, ready: false } : pod;
  }

  /** Who waits for it hears of a failure by `settled`. */
  private changed(): void {
    if (this.stopped) return;
    this.parts.publish().then(
      () => this.worked(),
      () => {},
    );
  }

  private worked(): void {
    if (this.isInDoubt) return;
    this.backoff.reset();
    this.repeated.clear('services');
  }
}
