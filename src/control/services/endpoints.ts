/**
 * Which endpoints a port of a service has, and which of them new flows go to. Pure functions over EndpointSlices, whether
 * applied or computed (from-pods.ts). The rules are kube-proxy's (pkg/proxy/topology.go, CategorizeEndpoints):
 *
 * - A slice's port is the service's where name and protocol agree; so a named targetPort may be another number in each slice.
 * - New flows go to ready endpoints; only where there is none, to terminating ones that still serve.
 * - By policy Local, the same among those of this node alone; without one nothing answers, whatever other nodes have.
 * - Hints: to endpoints for this node, else for its zone, where every ready endpoint has such hints and at least one is for
 *   here. Else hints are ignored, as incomplete: better far than lopsided.
 * - Endpoints that are not picked stay in the list while they exist, since flows that they have go on.
 */
import type { BackendState } from '../../dataplane/service-spec.js';
import type { Endpoint, EndpointSlice, IpFamily, Protocol, Service, ServicePort } from './types.js';
import { isExternal, isHeadless } from './types.js';

/** The node that traffic is to be forwarded on. */
export interface Here {
  readonly node: string;
  /** Label `topology.kubernetes.io/zone` of it. */
  readonly zone?: string;
}

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Of this node. */
  readonly local: boolean;
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

/** One backend of a plan. */
export interface PickedEndpoint {
  readonly address: string;
  readonly port: number;
  readonly local: boolean;
  /** For clients by policy Cluster. */
  readonly cluster: BackendState;
  /** For clients by policy Local; left out where no client of the service is, and of endpoints of other nodes. */
  readonly node?: BackendState;
}

/**
 * All of a port, each address and port once, in the order of their names. Of one that is in several slices the best word
 * counts: a slice that is about to go may be behind.
 */
export function endpointsOf(
  { name = '', protocol }: Pick<ServicePort, 'name' | 'protocol'>,
  family: IpFamily,
  slices: readonly EndpointSlice[],
  here: Here,
): ServiceEndpoint[] {
  const found = new Map<string, ServiceEndpoint>();
  for (const slice of slices) {
    const number = slice.addressType === family ? portOf(slice, name, protocol) : undefined;
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const one = readEndpoint(endpoint, number, here);
      const key = `${one.address} ${one.port}`;
      const other = found.get(key);
      found.set(key, other ? merge(other, one) : one);
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

function portOf({ ports }: EndpointSlice, name: string, protocol: Protocol): number | undefined {
  return ports.find((port) => port.name === name && port.protocol === protocol)?.port;
}

function readEndpoint({ addresses, conditions, nodeName, hints }: Endpoint, port: number, here: Here) {
  return {
    address: addresses[0],
    port,
    ...conditions,
    local: nodeName === here.node,
    zones: hints?.forZones?.map(({ name }) => name) ?? [],
    nodes: hints?.forNodes?.map(({ name }) => name) ?? [],
  };
}

function rankOf({ ready, serving, terminating }: ServiceEndpoint): number {
  if (ready) return 3;
  if (!serving) return 0;
  return terminating ? 2 : 1;
}

function merge(a: ServiceEndpoint, b: ServiceEndpoint): ServiceEndpoint {
  const best = rankOf(b) > rankOf(a) ? b : a;
  return { ...best, local: a.local || b.local };
}

/** @param endpoints all of one port and family. */
export function pickEndpoints(
  { spec }: Service,
  endpoints: readonly ServiceEndpoint[],
  here: Here,
): PickedEndpoint[] {
  const isNear = nearBy(endpoints, here);
  const cluster = new Set(choose(endpoints, isNear));
  const local = new Set(
    choose(
      endpoints.filter((one) => one.local),
      () => true,
    ),
  );
  const { hasLocal } = policiesOf(spec);
  return endpoints.map((one) => ({
    address: one.address,
    port: one.port,
    local: one.local,
    cluster: stateOf(one, cluster),
    ...(hasLocal && one.local && { node: stateOf(one, local) }),
  }));
}

/** Terminating ones are not asked for hints: keeping connections alive comes before where they lead. */
function choose(
  endpoints: readonly ServiceEndpoint[],
  isNear: (endpoint: ServiceEndpoint) => boolean,
): ServiceEndpoint[] {
  const ready = endpoints.filter((one) => one.ready && isNear(one));
  return ready.length > 0 ? ready : endpoints.filter((one) => one.serving && one.terminating);
}

function stateOf(one: ServiceEndpoint, chosen: ReadonlySet<ServiceEndpoint>): BackendState {
  if (chosen.has(one)) return 'active';
  return one.serving || one.ready ? 'draining' : 'unready';
}

/** Which endpoints hints leave over here: all of them, where hints say nothing. */
function nearBy(
  endpoints: readonly ServiceEndpoint[],
  { node, zone }: Here,
): (endpoint: ServiceEndpoint) => boolean {
  const ready = endpoints.filter((one) => one.ready);
  const isUseful = (hintsOf: (one: ServiceEndpoint) => readonly string[], here: string | undefined) =>
    here !== undefined &&
    ready.every((one) => hintsOf(one).length > 0) &&
    ready.some((one) => hintsOf(one).includes(here));
  if (isUseful(({ nodes }) => nodes, node)) return ({ nodes }) => nodes.includes(node);
  if (isUseful(({ zones }) => zones, zone)) return ({ zones }) => zone !== undefined && zones.includes(zone);
  return () => true;
}

/** Whether some client of the service is to be answered by this node's endpoints alone. */
export function policiesOf(spec: Service['spec']): {
  internal: 'Cluster' | 'Local';
  external: 'Cluster' | 'Local';
  hasLocal: boolean;
} {
  const { internalTrafficPolicy: internal = 'Cluster', externalTrafficPolicy = 'Cluster' } = spec;
  const external = isExternal(spec) ? externalTrafficPolicy : 'Cluster';
  return { internal, external, hasLocal: internal === 'Local' || external === 'Local' };
}

/** Families that its endpoints are of; of a headless service too, for its names. */
export function familiesOf(service: Service): readonly IpFamily[] {
  const { ipFamilies = [], clusterIPs = [] } = service.spec;
  if (ipFamilies.length > 0 || isHeadless(service)) return ipFamilies;
  return clusterIPs.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
}
