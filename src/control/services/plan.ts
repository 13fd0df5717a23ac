/**
 * The plan: from services, slices and pods to what the data plane is to have, kept as they change. Each change marks the
 * services that it concerns; `changes` computes those again and tells what is different. So one endpoint costs one service,
 * however many there are: a pod finds its services by an index over the first label of each selector.
 *
 * A service's endpoints are its slices; where it has a selector and Kubernetes' controller writes none of them, those
 * computed from pods as well. Memory: what is planned stays here, some 200 bytes a backend.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ServiceChanges, ServiceSpec } from '../../dataplane/service-spec.js';
import type { Here } from './endpoints.js';
import { isControlled, SERVICE_LABEL, selects, slicesFromPods } from './from-pods.js';
import { LabelIndex, type Labels } from './label-index.js';
import { type PlannedPort, planService } from './planned.js';
import { type EndpointSlice, keyOf, podKeyOf, type Service, type ServicePod } from './types.js';

/** `changed` are new, or different from before; of `removed` none is among them. */
export type PlanChanges = Omit<ServiceChanges, 'generation'>;

export class ServicePlan {
  private readonly services = new Map<string, Service>();
  private readonly slices = new Map<string, EndpointSlice>();
  /** By service: keys of its slices. */
  private readonly slicesOf = new Map<string, Set<string>>();
  private readonly pods = new Map<string, ServicePod>();
  private readonly podsByLabel = new LabelIndex();
  private readonly servicesByLabel = new LabelIndex();
  private readonly zones = new Map<string, string>();
  /** What is no Service, by a name that is no key of one. */
  private readonly extras = new Map<string, readonly PlannedPort[]>();
  private readonly dirty = new Set<string>();
  /** By service, then by name. */
  private readonly planned = new Map<string, Map<string, ServiceSpec>>();
  private readonly freeIds: number[] = [];
  private nextId = 0;

  /** @param replanned told of each service, with `changes`, that was looked at: what follows from it may be other than before. */
  constructor(
    private here: Here,
    private readonly replanned: (key: string) => void = () => {},
  ) {}

  /** In no order. */
  get written(): Iterable<Service> {
    return this.services.values();
  }

  service(key: string): Service | undefined {
    return this.services.get(key);
  }

  /** All of a service: as written, and computed ones. */
  endpointSlices(key: string): EndpointSlice[] {
    const service = this.services.get(key);
    const written = this.writtenSlices(key);
    return service ? [...written, ...this.computedFor(key, service, written)] : written;
  }

  /** All there is, in no order. */
  *all(): Iterable<ServiceSpec> {
    for (const ports of this.planned.values()) yield* ports.values();
  }

  /** What is computed from selectors and pods, in no order. */
  *computedSlices(): Iterable<EndpointSlice> {
    for (const [key, service] of this.services) {
      yield* this.computedFor(key, service, this.writtenSlices(key));
    }
  }

  /** With families and addresses, as allocated. */
  setService(service: Service): void {
    const key = keyOf(service);
    this.removeService(key);
    this.services.set(key, service);
    this.servicesByLabel.add(namespaceOf(key), firstLabel(service), key);
  }

  removeService(key: string): void {
    const service = this.services.get(key);
    if (service) this.servicesByLabel.remove(namespaceOf(key), firstLabel(service), key);
    this.services.delete(key);
    this.dirty.add(key);
  }

  setSlice(slice: EndpointSlice): void {
    const key = keyOf(slice);
    this.removeSlice(key);
    const service = serviceOf(slice);
    if (service === undefined) return;
    this.slices.set(key, slice);
    const known = this.slicesOf.get(service);
    if (known) known.add(key);
    else this.slicesOf.set(service, new Set([key]));
    this.dirty.add(service);
  }

  removeSlice(key: string): void {
    const slice = this.slices.get(key);
    const service = slice && serviceOf(slice);
    if (service === undefined) return;
    this.slices.delete(key);
    this.slicesOf.get(service)?.delete(key);
    if (this.slicesOf.get(service)?.size === 0) this.slicesOf.delete(service);
    this.dirty.add(service);
  }

  setPod(pod: ServicePod): void {
    const key = podKeyOf(pod);
    this.removePod(key);
    this.pods.set(key, pod);
    this.podsByLabel.add(pod.namespace, pod.labels, key);
    this.markServicesOf(pod);
  }

  /** @param key of podKeyOf */
  removePod(key: string): void {
    const pod = this.pods.get(key);
    if (!pod) return;
    this.markServicesOf(pod);
    this.podsByLabel.remove(pod.namespace, pod.labels, key);
    this.pods.delete(key);
  }

  /** @param zone of a node; undefined: it has none. */
  setZone(node: string, zone: string | undefined): void {
    if (this.zones.get(node) === zone) return;
    if (zone === undefined) this.zones.delete(node);
    else this.zones.set(node, zone);
    for (const [key, { spec }] of this.services) if (spec.trafficDistribution) this.dirty.add(key);
  }

  setHere(here: Here): void {
    if (isDeepStrictEqual(here, this.here)) return;
    this.here = here;
    for (const key of this.services.keys()) this.dirty.add(key);
  }

  /** @param ports none: it is gone. */
  setExtra(name: string, ports: readonly PlannedPort[]): void {
    if (ports.length > 0) this.extras.set(name, ports);
    else this.extras.delete(name);
    this.dirty.add(name);
  }

  /** What is different since the last call. */
  changes(): PlanChanges {
    const changed: ServiceSpec[] = [];
    const removed: number[] = [];
    for (const key of this.dirty) this.replan(key, changed, removed);
    for (const key of this.dirty) this.replanned(key);
    this.dirty.clear();
    // Only now: a number in both lists would be two services at once.
    this.freeIds.push(...removed);
    return { changed, removed };
  }

  private replan(key: string, changed: ServiceSpec[], removed: number[]): void {
    const before = this.planned.get(key) ?? new Map<string, ServiceSpec>();
    const after = new Map<string, ServiceSpec>();
    for (const port of this.portsOf(key)) {
      const old = before.get(port.name);
      before.delete(port.name);
      const planned = { id: old?.id ?? this.takeId(), ...port };
      const isSame = old !== undefined && isDeepStrictEqual(old, planned);
      after.set(port.name, isSame ? old : planned);
      if (!isSame) changed.push(planned);
    }
    for (const { id } of before.values()) removed.push(id);
    if (after.size > 0) this.planned.set(key, after);
    else this.planned.delete(key);
  }

  private portsOf(key: string): readonly PlannedPort[] {
    const extra = this.extras.get(key);
    if (extra) return extra;
    const service = this.services.get(key);
    return service ? planService(service, this.endpointSlices(key), this.here) : [];
  }

  private writtenSlices(key: string): EndpointSlice[] {
    return [...(this.slicesOf.get(key) ?? [])].flatMap((slice) => this.slices.get(slice) ?? []);
  }

  private computedFor(key: string, service: Service, written: EndpointSlice[]): EndpointSlice[] {
    if (written.some(isControlled)) return [];
    const { selector = {} } = service.spec;
    const candidates = this.podsByLabel.withAll(namespaceOf(key), selector);
    const pods = [...candidates].flatMap((pod) => this.pods.get(pod) ?? []);
    return slicesFromPods(service, pods, this.zones);
  }

  private markServicesOf(pod: ServicePod): void {
    for (const key of this.servicesByLabel.withAny(pod.namespace, pod.labels)) {
      const service = this.services.get(key);
      if (service && selects(service, pod)) this.dirty.add(key);
    }
  }

  private takeId(): number {
    return this.freeIds.pop() ?? this.nextId++;
  }
}

function namespaceOf(key: string): string {
  return key.split('/')[0];
}

function firstLabel({ spec: { selector = {} } }: Service): Labels {
  return Object.fromEntries(Object.entries(selector).slice(0, 1));
}

function serviceOf({ metadata: { namespace = 'default', labels } }: EndpointSlice): string | undefined {
  const name = labels?.[SERVICE_LABEL];
  return name === undefined ? undefined : `${namespace}/${name}`;
}
