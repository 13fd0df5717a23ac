/**
 * What a Service is given when it is applied: families, cluster IPs, node ports, the port of health checks. What it says
 * itself it gets, or an error that names the field; what it does not say it keeps from before, else it is chosen. Pure:
 * services are the truth, and are claimed again when the daemon starts.
 *
 * As in Kubernetes: the first cluster IP never changes while the service has one; a second comes and goes with
 * the family policy; node ports stay with their port and protocol.
 */
import { NODE_FRONTEND } from '../../dataplane/service-spec.js';
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { ClusterIps } from './cluster-ips.js';
import { chooseFamilies, type Families } from './families.js';
import { type PortClaim, type PortRange, TakenPorts } from './taken-ports.js';
import {
  HEADLESS,
  type IpFamily,
  isHeadless,
  keyOf,
  type Service,
  type ServicePort,
  type ServiceSpec,
} from './types.js';

export interface ServiceRanges {
  /** At most one of each family; the first is the default. */
  readonly cidrs: readonly string[];
  readonly nodePorts?: PortRange;
  /** Addresses that services do not get, with who has them. */
  readonly reserved?: ReadonlyMap<string, string>;
}

/** One thing of which no two services have the same: a cluster IP, or a port of a protocol at an address. */
export interface Holding {
  readonly ip?: string;
  readonly port?: PortClaim;
  /** The field that says it. */
  readonly field: string;
}

/** All that a service has. */
export function holdingsOf(service: Service): Holding[] {
  const ips = ownIps(service).map((ip, index) => ({ ip, field: `spec.clusterIPs[${index}]` }));
  return [...ips, ...claimsOf(service).map((port) => ({ port, field: port.field }))];
}

export class ServiceAllocator {
  private readonly ips: ClusterIps;
  private readonly ports: TakenPorts;
  private readonly claimed = new Map<string, Service>();

  constructor({ cidrs, nodePorts, reserved }: ServiceRanges) {
    this.ips = new ClusterIps(cidrs, reserved);
    this.ports = new TakenPorts(nodePorts);
  }

  /**
   * The service with all that it is given, which it has from now on; after an error nothing has changed.
   * @throws PodwireError INVALID, ADDRESS_IN_USE, ADDRESS_EXHAUSTED, PORT_IN_USE, NODE_PORTS_EXHAUSTED
   */
  allocate(service: Service): Service {
    const key = keyOf(service);
    const before = this.claimed.get(key);
    const full = this.complete(service, before);
    if (before) this.free(key, before);
    this.claim(full);
    return full;
  }

  /** Takes what a stored service has. It is not asked whether another has it too: who comes last has it then. */
  claim(service: Service): void {
    const key = keyOf(service);
    for (const ip of ownIps(service)) this.ips.take(key, ip);
    this.ports.take(key, claimsOf(service));
    this.claimed.set(key, service);
  }

  /** @param key NAMESPACE/NAME. */
  release(key: string): void {
    const service = this.claimed.get(key);
    if (service) this.free(key, service);
    this.claimed.delete(key);
  }

  /** Keeps from being given what somebody has taken in the cluster store, whose service is not known here. */
  hold(holder: string, { ip, port }: Pick<Holding, 'ip' | 'port'>): void {
    if (ip !== undefined) this.ips.take(holder, ip);
    if (port) this.ports.take(holder, [port]);
  }

  /** What the holder does not have, stays. */
  drop(holder: string, { ip, port }: Pick<Holding, 'ip' | 'port'>): void {
    if (ip !== undefined) this.ips.release(holder, ip);
    if (port) this.ports.release(holder, [port]);
  }

  private free(key: string, service: Service): void {
    for (const ip of ownIps(service)) this.ips.release(key, ip);
    this.ports.release(key, claimsOf(service));
  }

  private complete(service: Service, before: Service | undefined): Service {
    if (service.spec.type === 'ExternalName') return service;
    const withIps = this.withAddresses(service, before);
    for (const claim of claimsOf(withIps)) this.checkClaim(keyOf(service), claim);
    const full = this.withNodePorts(withIps, before);
    return this.withHealthPort(full, before);
  }

  private checkClaim(key: string, claim: PortClaim): void {
    if (claim.at !== NODE_FRONTEND && this.ips.holds(claim.at)) {
      throw invalid(claim.field, `${claim.at} is within the service prefixes`);
    }
    this.ports.check(key, claim);
  }

  private withAddresses(service: Service, before: Service | undefined): Service {
    const kept = inherit(service, before);
    const families = chooseFamilies(kept, this.ips.families);
    refuseMove(before, kept.spec, families);
    const ips = isHeadless(kept) ? [HEADLESS] : this.clusterIps(kept, before, families.ipFamilies);
    return { ...kept, spec: { ...kept.spec, clusterIP: ips[0], clusterIPs: ips, ...families } };
  }

  private clusterIps(service: Service, before: Service | undefined, families: readonly IpFamily[]): string[] {
    const { clusterIPs = [] } = service.spec;
    clusterIPs.forEach((ip, index) => {
      this.ips.check(keyOf(service), ip, `spec.clusterIPs[${index}]`);
    });
    const known = [...clusterIPs, ...(before ? ownIps(before) : [])];
    return families.map(
      (family, index) =>
        known.find((ip) => `IPv${familyOf(ip)}` === family) ??
        this.ips.choose(family, `spec.clusterIPs[${index}]`),
    );
  }

  private withNodePorts(service: Service, before: Service | undefined): Service {
    const { spec } = service;
    if (!wantsNodePorts(spec) || !spec.ports) return service;
    const used = new Set(spec.ports.flatMap(({ nodePort }) => nodePort ?? []));
    if (spec.healthCheckNodePort !== undefined) used.add(spec.healthCheckNodePort);
    const ports = spec.ports.map((port, index): ServicePort => {
      if (port.nodePort !== undefined) return port;
      const old = before?.spec.ports?.find((one) => one.port === port.port && one.protocol === port.protocol);
      const kept = old?.nodePort !== undefined && !used.has(old.nodePort) ? old.nodePort : undefined;
      const nodePort = kept ?? this.ports.chooseNodePort(`spec.ports[${index}].nodePort`, used);
      used.add(nodePort);
      return { ...port, nodePort };
    });
    return { ...service, spec: { ...spec, ports } };
  }

  /** Load balancers ask there whether this node has endpoints (policy Local). */
  private withHealthPort(service: Service, before: Service | undefined): Service {
    const { spec } = service;
    if (spec.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return service;
    if (spec.healthCheckNodePort !== undefined) return service;
    const used = new Set(spec.ports?.flatMap(({ nodePort }) => nodePort ?? []));
    const old = before?.spec.healthCheckNodePort;
    const kept = old !== undefined && !used.has(old) ? old : undefined;
    const healthCheckNodePort = kept ?? this.ports.chooseNodePort('spec.healthCheckNodePort', used);
    return { ...service, spec: { ...spec, healthCheckNodePort } };
  }
}

/** What is not said stays: no cluster IP at all, the family policy, and with it the families. */
function inherit(service: Service, before: Service | undefined): Service {
  if (!before || before.spec.type === 'ExternalName') return service;
  const { ipFamilyPolicy, ipFamilies, clusterIPs } = service.spec;
  const ips = clusterIPs ?? (isHeadless(before) ? [HEADLESS] : undefined);
  const policy = ipFamilyPolicy ?? (ipFamilies ? undefined : before.spec.ipFamilyPolicy);
  const families = ipFamilies ?? before.spec.ipFamilies?.slice(0, policy === 'SingleStack' ? 1 : 2);
  return {
    ...service,
    spec: {
      ...service.spec,
      ...(ips && { clusterIP: ips[0], clusterIPs: ips }),
      ...(policy !== undefined && { ipFamilyPolicy: policy }),
      ...(families && { ipFamilies: families }),
    },
  };
}

/** Clients and resolvers remember the first address. @throws PodwireError INVALID naming the field */
function refuseMove(before: Service | undefined, { clusterIPs = [] }: ServiceSpec, families: Families): void {
  const old = before?.spec.clusterIPs?.[0];
  if (old === undefined) return;
  const again = 'delete the service first';
  if (clusterIPs.length > 0 && clusterIPs[0] !== old) {
    throw invalid('spec.clusterIPs[0]', `may not change (it is ${old}): ${again}`);
  }
  if (old !== HEADLESS && `IPv${familyOf(old)}` !== families.ipFamilies[0]) {
    throw invalid('spec.ipFamilies[0]', `may not change while the service has ${old}: ${again}`);
  }
}

function wantsNodePorts({ type, allocateLoadBalancerNodePorts = true }: ServiceSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts);
}

function ownIps({ spec: { clusterIPs = [] } }: Service): string[] {
  return clusterIPs.filter((ip) => ip !== HEADLESS);
}

/** Addresses of load balancers that are the service's own here, and those that it names. */
export function externalAddresses({ spec, status }: Service): { address: string; field: string }[] {
  const { externalIPs = [], loadBalancerIP, loadBalancerClass } = spec;
  const named = externalIPs.map((address, i) => ({ address, field: `spec.externalIPs[${i}]` }));
  const ingress = (status?.loadBalancer.ingress ?? []).flatMap(({ ip, ipMode }, i) =>
    ip === undefined || ipMode === 'Proxy'
      ? []
      : { address: ip, field: `status.loadBalancer.ingress[${i}].ip` },
  );
  // Asked of podwire; of another's load balancer it is a wish, and the status says what came of it.
  const asked =
    loadBalancerIP !== undefined && loadBalancerClass === undefined
      ? [{ address: loadBalancerIP, field: 'spec.loadBalancerIP' }]
      : [];
  const all = [...named, ...asked, ...ingress];
  return all.filter(({ address }, i) => all.findIndex((one) => one.address === address) === i);
}

function claimsOf(service: Service): PortClaim[] {
  const { ports = [], healthCheckNodePort } = service.spec;
  const claims: PortClaim[] = ports.flatMap(({ protocol, nodePort }, index) =>
    nodePort === undefined
      ? []
      : { at: NODE_FRONTEND, protocol, port: nodePort, field: `spec.ports[${index}].nodePort` },
  );
  if (healthCheckNodePort !== undefined) {
    claims.push({
      at: NODE_FRONTEND,
      protocol: 'TCP',
      port: healthCheckNodePort,
      field: 'spec.healthCheckNodePort',
    });
  }
  const outside = externalAddresses(service).flatMap(({ address, field }) =>
    ports.map(({ protocol, port }) => ({ at: address, protocol, port, field })),
  );
  return [...claims, ...outside];
}
