/**
 * Pods of all nodes: each interface has an identity and, where it has no port here, addresses by which forwarding knows it; those
 * with a port are known by that.
 */
import { isDeepStrictEqual } from 'node:util';
import { OPEN_RULESET, type PolicyPortSpec } from '../../dataplane/policy-spec.js';
import { podKeyOf } from '../services/types.js';
import { addTo, removeFrom } from './grouped.js';
import type { Identities, Identity, Placed } from './identities.js';
import type { NamedPorts } from './named-ports.js';
import type { Namespaces } from './namespaces.js';
import type { Places } from './places.js';
import type { Sets } from './sets.js';
import type { PolicyInterface, PolicyPod } from './types.js';

export interface KnownPodsParts {
  readonly identities: Identities;
  readonly sets: Sets;
  readonly namespaces: Namespaces;
  readonly named: NamedPorts;
  readonly places: Places;
  /** Other rulesets may hold for it. */
  readonly ruledAnew: (identity: Identity) => void;
}

interface Known {
  readonly pod: PolicyPod;
  readonly placed: readonly Placed[];
}

export class KnownPods {
  /** Of overlays, on this node. */
  readonly domains = new Map<string, number>();
  private readonly pods = new Map<string, Known>();
  /** Keys of pods by NAMESPACE/NAME. */
  private readonly byName = new Map<string, Set<string>>();
  private readonly byAddress = new Map<string, Set<Placed>>();
  private readonly ports = new Map<number, Placed>();
  private readonly changedPorts = new Set<number>();

  constructor(private readonly parts: KnownPodsParts) {}

  *all(): Iterable<PolicyPod> {
    for (const { pod } of this.pods.values()) yield pod;
  }

  set(pod: PolicyPod): void {
    const key = podKeyOf(pod);
    const before = this.pods.get(key);
    if (before && isDeepStrictEqual(before.pod, pod)) return;
    this.parts.namespaces.enter(pod.namespace);
    this.parts.named.add(pod);
    const placed = pod.interfaces.map((at) => this.place(pod, at));
    // After the new ones, so that what both have is not lost on the way.
    if (before) this.withdrawPod(before);
    this.pods.set(key, { pod, placed });
    addTo(this.byName, nameOf(pod), key);
  }

  /** @param key of podKeyOf */
  remove(key: string): void {
    const known = this.pods.get(key);
    if (!known) return;
    this.pods.delete(key);
    removeFrom(this.byName, nameOf(known.pod), key);
    this.withdrawPod(known);
  }

  setDomain(network: string, domain: number | undefined): void {
    if (this.domains.get(network) === domain) return;
    const placed = [...this.pods.values()].flatMap((known) =>
      known.placed.filter(({ at }) => at.network === network),
    );
    const { named, ruledAnew } = this.parts;
    const pods = new Set(placed.map(({ pod }) => pod));
    for (const one of placed) this.releaseAddresses(one);
    for (const pod of pods) named.remove(pod);
    if (domain === undefined) this.domains.delete(network);
    else this.domains.set(network, domain);
    for (const pod of pods) named.add(pod);
    for (const one of placed) this.claimAddresses(one);
    for (const { identity } of placed) if (identity.locals.size > 0) ruledAnew(identity);
  }

  /** Interfaces of each pod of that name. @param key NAMESPACE/NAME, with or without @NODE */
  named(key: string): (readonly Placed[])[] {
    const isWhole = key.includes('@');
    return [...(this.byName.get(key.split('@')[0]) ?? [])].flatMap((whole) => {
      const known = this.pods.get(whole);
      return known && (!isWhole || whole === key) ? [known.placed] : [];
    });
  }

  /** Of those that are routed first: an overlay may have the address of somebody else. */
  at(address: string): Placed | undefined {
    const placed = [...(this.byAddress.get(address) ?? [])];
    return placed.findLast(({ at }) => !this.domains.has(at.network)) ?? placed.at(-1);
  }

  /** Other rulesets hold for it. */
  markPorts({ locals }: Identity): void {
    for (const { at } of locals) if (at.port !== undefined) this.changedPorts.add(at.port);
  }

  /** Those that are other than when they were taken before. */
  takePorts(): PolicyPortSpec[] {
    const specs = [...this.changedPorts].flatMap((port) => this.portSpec(port));
    this.changedPorts.clear();
    return specs;
  }

  allPorts(): PolicyPortSpec[] {
    return [...this.ports.keys()].flatMap((port) => this.portSpec(port));
  }

  private place(pod: PolicyPod, at: PolicyInterface): Placed {
    const { identities, sets, ruledAnew } = this.parts;
    const identity = identities.acquire(pod, at.network);
    if (identity.uses === 1) sets.identityAdded(identity);
    const placed = { pod, at, identity };
    for (const ip of at.ips) addTo(this.byAddress, ip, placed);
    this.claimAddresses(placed);
    if (at.port === undefined) return placed;
    identity.locals.add(placed);
    this.ports.set(at.port, placed);
    this.changedPorts.add(at.port);
    ruledAnew(identity);
    return placed;
  }

  private withdrawPod({ pod, placed }: Known): void {
    for (const one of placed) this.withdraw(one);
    this.parts.named.remove(pod);
    this.parts.namespaces.exit(pod.namespace);
  }

  private withdraw(placed: Placed): void {
    const { at, identity } = placed;
    const { identities, sets, ruledAnew } = this.parts;
    this.releaseAddresses(placed);
    for (const ip of at.ips) removeFrom(this.byAddress, ip, placed);
    if (identity.locals.delete(placed)) ruledAnew(identity);
    if (at.port !== undefined && this.ports.get(at.port) === placed) this.ports.delete(at.port);
    identities.release(identity);
    if (identity.uses === 0) sets.identityRemoved(identity);
  }

  private claimAddresses(placed: Placed): void {
    const { at, identity } = placed;
    if (at.port !== undefined) return;
    const domain = this.domains.get(at.network);
    for (const ip of at.ips) this.parts.places.claim(placed, ip, domain, identity.id);
  }

  private releaseAddresses(placed: Placed): void {
    const { at } = placed;
    if (at.port !== undefined) return;
    for (const ip of at.ips) this.parts.places.release(placed, ip, this.domains.get(at.network));
  }

  private portSpec(port: number): PolicyPortSpec[] {
    const placed = this.ports.get(port);
    if (!placed) return [];
    const { id, ingress, egress } = placed.identity;
    return [{ port, identity: id, ingress: ingress?.id ?? OPEN_RULESET, egress: egress?.id ?? OPEN_RULESET }];
  }
}

function nameOf({ namespace, name }: PolicyPod): string {
  return `${namespace}/${name}`;
}
