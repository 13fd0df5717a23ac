/**
 * A service as the data plane is to have it: plain data, one PlannedService for each port and family of a Service. It is
 * the proposal for `ServiceSpec` in the snapshot. planService is pure.
 *
 * A frontend without a backend that its clients may be given is answered at once, with port unreachable or a TCP reset.
 * The exception, as in kube-proxy: by policy Local, where other nodes have endpoints, packets are dropped, for the load
 * balancer sends the next one elsewhere.
 */
import { familyOf } from '../cidr.js';
import { isForeign } from '../model/service.js';
import { externalAddresses } from './allocate.js';
import {
  type BackendState,
  endpointsOf,
  familiesOf,
  type Here,
  pickEndpoints,
  policiesOf,
} from './endpoints.js';
import { NODE } from './taken-ports.js';
import {
  type EndpointSlice,
  hasClusterIp,
  type IpFamily,
  keyOf,
  type Protocol,
  type Service,
  type ServicePort,
} from './types.js';

/**
 * Whose endpoints a client is given. cluster: any · local: this node's · split: any for clients in the cluster, pods and
 * nodes, and this node's for all others, since only they come through a load balancer that knows where endpoints are.
 */
export const SCOPES = ['cluster', 'local', 'split'] as const;
export type Scope = (typeof SCOPES)[number];

export interface PlannedFrontend {
  /** Or `node`: every address of the node. */
  readonly address: string;
  readonly port: number;
  readonly scope: Scope;
}

export interface PlannedBackend {
  /** Its name in Maglev tables, the same on every node. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
  /** For clients in the scope of the cluster, and of the node; of backends elsewhere without the latter. */
  readonly cluster: BackendState;
  readonly node?: BackendState;
}

export interface PlannedService {
  /** Stays the same while the service has this port and family; as small as can be. */
  readonly id: number;
  /** For people: `shop/web:http`, and of the second family `shop/web:http/IPv6`. */
  readonly name: string;
  readonly family: IpFamily;
  readonly protocol: Protocol;
  readonly frontends: readonly PlannedFrontend[];
  readonly backends: readonly PlannedBackend[];
  /** A client keeps its backend until it has been silent for so long. */
  readonly affinitySeconds?: number;
}

/** Before it has a number. */
export type PlannedPort = Omit<PlannedService, 'id'>;

/** Whether the switch has anything to do with it: else it is a name, or another proxy's. */
export function isPlanned(service: Service): boolean {
  return hasClusterIp(service) && !isForeign(service);
}

/** @param service with its families and addresses. @param slices all of it, of both families. */
export function planService(service: Service, slices: readonly EndpointSlice[], here: Here): PlannedPort[] {
  if (!isPlanned(service)) return [];
  const { ports = [] } = service.spec;
  return familiesOf(service).flatMap((family, index) =>
    ports.map((port) => ({
      name: `${keyOf(service)}:${port.name ?? port.port}${index === 0 ? '' : `/${family}`}`,
      family,
      protocol: port.protocol,
      frontends: frontendsOf(service, port, family),
      backends: backendsOf(service, port, family, slices, here),
      ...affinityOf(service),
    })),
  );
}

function frontendsOf(service: Service, { port, nodePort }: ServicePort, family: IpFamily): PlannedFrontend[] {
  const { internal, external } = policiesOf(service.spec);
  const inside: Scope = internal === 'Local' ? 'local' : 'cluster';
  const outside: Scope = external === 'Local' ? 'split' : 'cluster';
  const isOf = (address: string) => `IPv${familyOf(address)}` === family;
  const own = (service.spec.clusterIPs ?? []).filter(isOf);
  const more = externalAddresses(service).filter(({ address }) => isOf(address));
  return [
    ...own.map((address) => ({ address, port, scope: inside })),
    ...more.map(({ address }) => ({ address, port, scope: outside })),
    ...(nodePort === undefined ? [] : [{ address: NODE, port: nodePort, scope: outside }]),
  ];
}

function backendsOf(
  service: Service,
  port: ServicePort,
  family: IpFamily,
  slices: readonly EndpointSlice[],
  here: Here,
): PlannedBackend[] {
  const picked = pickEndpoints(service, endpointsOf(port, family, slices, here), here);
  return picked.map((one) => ({ name: nameOf(one.address, one.port), ...one }));
}

/** As in a URL (RFC 3986 section 3.2.2). */
function nameOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function affinityOf({ spec }: Service): Pick<PlannedService, 'affinitySeconds'> {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  if (sessionAffinity !== 'ClientIP' || !sessionAffinityConfig) return {};
  return { affinitySeconds: sessionAffinityConfig.clientIP.timeoutSeconds };
}
