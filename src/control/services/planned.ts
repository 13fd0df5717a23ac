/**
 * A service as the data plane has it: one ServiceSpec for each port and family of a Service. planService is pure.
 *
 * A frontend without a backend that its clients may be given is answered at once, with port unreachable or a TCP reset.
 * The exception, as in kube-proxy: by policy Local, where other nodes have endpoints, packets are dropped, for the load
 * balancer sends the next one elsewhere.
 */
import {
  type BackendSpec,
  type FrontendSpec,
  NODE_FRONTEND,
  type Scope,
  type ServiceSpec,
} from '../../dataplane/service-spec.js';
import { familyOf } from '../cidr.js';
import { isForeign, REMOVAL_ANNOTATION } from '../model/service.js';
import { externalAddresses } from './allocate.js';
import { endpointsOf, familiesOf, type Here, pickEndpoints, policiesOf } from './endpoints.js';
import {
  type EndpointSlice,
  hasClusterIp,
  type IpFamily,
  keyOf,
  type Service,
  type ServicePort,
} from './types.js';

/** Before it has a number. */
export type PlannedPort = Omit<ServiceSpec, 'id'>;

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
      ...removalOf(service),
    })),
  );
}

function frontendsOf(service: Service, { port, nodePort }: ServicePort, family: IpFamily): FrontendSpec[] {
  const { internal, external } = policiesOf(service.spec);
  const inside: Scope = internal === 'Local' ? 'local' : 'cluster';
  const outside: Scope = external === 'Local' ? 'split' : 'cluster';
  const isOf = (address: string) => `IPv${familyOf(address)}` === family;
  const own = (service.spec.clusterIPs ?? []).filter(isOf);
  const more = externalAddresses(service).filter(({ address }) => isOf(address));
  return [
    ...own.map((address) => ({ address, port, scope: inside })),
    ...more.map(({ address }) => ({ address, port, scope: outside })),
    ...(nodePort === undefined ? [] : [{ address: NODE_FRONTEND, port: nodePort, scope: outside }]),
  ];
}

function backendsOf(
  service: Service,
  port: ServicePort,
  family: IpFamily,
  slices: readonly EndpointSlice[],
  here: Here,
): BackendSpec[] {
  const picked = pickEndpoints(service, endpointsOf(port, family, slices, here), here);
  return picked.map((one) => ({ name: nameOf(one.address, one.port), ...one }));
}

/** As in a URL (RFC 3986 section 3.2.2). */
function nameOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function affinityOf({ spec }: Service): Pick<ServiceSpec, 'affinitySeconds'> {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  if (sessionAffinity !== 'ClientIP' || !sessionAffinityConfig) return {};
  return { affinitySeconds: sessionAffinityConfig.clientIP.timeoutSeconds };
}

function removalOf({ metadata: { annotations } }: Service): Pick<ServiceSpec, 'onRemoval'> {
  return annotations?.[REMOVAL_ANNOTATION] === 'drain' ? { onRemoval: 'drain' } : {};
}
