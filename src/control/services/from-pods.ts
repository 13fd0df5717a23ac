/**
 * EndpointSlices computed from a service's selector and pods, as Kubernetes' controller does it (staging/src/k8s.io/endpointslice,
 * utils.go podToEndpoint, FindPort): for each family, one slice for each set of port numbers that its pods have, for a
 * named targetPort may be another number in each pod. From here on nobody needs to know where a slice came from.
 *
 * - ready: the pod is, and is not terminating; or the service publishes addresses that are not.
 * - A pod that lacks a named port is no endpoint of it, and stays one of the other ports.
 * - A service without a selector, or ExternalName, has none: somebody else writes its slices.
 * - trafficDistribution becomes hints: of each endpoint its own zone, or its own node and zone.
 */
import { hasSelector } from '../model/service-rules.js';
import { familiesOf } from './endpoints.js';
import type {
  Endpoint,
  EndpointPort,
  EndpointSlice,
  Hints,
  IpFamily,
  Service,
  ServicePod,
  ServicePort,
} from './types.js';

export const SERVICE_LABEL = 'kubernetes.io/service-name';
export const MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by';

/** Who computes slices here, by its name in them. */
export const MANAGER = 'podwire.dev';

/** Whoever has this name computes the endpoints of the service already. */
const KUBERNETES_CONTROLLER = 'endpointslice-controller.k8s.io';

/** By node. */
export type Zones = ReadonlyMap<string, string>;

/** Every key of the selector with its value; an empty selector picks none. */
export function selects({ spec, metadata }: Service, pod: ServicePod): boolean {
  const { selector } = spec;
  if (selector === undefined || !hasSelector(selector) || spec.type === 'ExternalName') return false;
  if ((metadata.namespace ?? 'default') !== pod.namespace) return false;
  return Object.entries(selector).every(([key, value]) => pod.labels[key] === value);
}

/** Whether a slice was written by Kubernetes' controller, so that nothing needs to be computed beside. */
export function isControlled({ metadata }: EndpointSlice): boolean {
  return metadata.labels?.[MANAGER_LABEL] === KUBERNETES_CONTROLLER;
}

/** @param pods any; those that it does not select are left out. */
export function slicesFromPods(service: Service, pods: Iterable<ServicePod>, zones: Zones): EndpointSlice[] {
  const slices = new Map<string, EndpointSlice>();
  const families = familiesOf(service);
  for (const pod of pods) {
    if (!selects(service, pod)) continue;
    const ports = portsOf(service, pod);
    for (const family of families) {
      const address = pod.ips.find((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4') === family);
      if (address === undefined) continue;
      sliceFor(slices, service, family, ports).endpoints.push(endpointOf(service, pod, address, zones));
    }
  }
  return [...slices.values()];
}

function sliceFor(
  slices: Map<string, EndpointSlice>,
  { metadata: { name, namespace = 'default' } }: Service,
  addressType: IpFamily,
  ports: EndpointPort[],
): EndpointSlice {
  const key = `${addressType} ${ports.map((port) => `${port.name}=${port.port}`).join()}`;
  const known = slices.get(key);
  if (known) return known;
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${slices.size}`,
      namespace,
      labels: { [SERVICE_LABEL]: name, [MANAGER_LABEL]: MANAGER },
    },
    addressType,
    endpoints: [],
    ports,
  };
  slices.set(key, slice);
  return slice;
}

function portsOf({ spec: { ports = [] } }: Service, pod: ServicePod): EndpointPort[] {
  return ports.flatMap(({ name = '', protocol, appProtocol, ...port }) => {
    const number = targetIn(pod, { protocol, ...port });
    if (number === undefined) return [];
    return { name, protocol, port: number, ...(appProtocol !== undefined && { appProtocol }) };
  });
}

function targetIn(pod: ServicePod, { protocol, targetPort }: ServicePort): number | undefined {
  if (typeof targetPort === 'number') return targetPort;
  return pod.ports.find((port) => port.name === targetPort && port.protocol === protocol)?.port;
}

/** A hostname is a name in the service that is the pod's subdomain, and in no other (as Kubernetes' controller has it). */
function endpointOf({ spec, metadata }: Service, pod: ServicePod, address: string, zones: Zones): Endpoint {
  const { node, hostname, subdomain, namespace, name, terminating } = pod;
  const zone = node === undefined ? undefined : zones.get(node);
  const hints = hintsOf(spec, node, zone);
  return {
    addresses: [address],
    conditions: {
      ready: spec.publishNotReadyAddresses === true || (pod.ready && !terminating),
      serving: spec.publishNotReadyAddresses === true || pod.ready,
      terminating,
    },
    ...(hostname !== undefined && subdomain === metadata.name && { hostname }),
    ...(node !== undefined && { nodeName: node }),
    ...(zone !== undefined && { zone }),
    ...(hints && { hints }),
    targetRef: { kind: 'Pod', namespace, name },
  };
}

function hintsOf(
  { trafficDistribution }: Service['spec'],
  node: string | undefined,
  zone: string | undefined,
): Hints | undefined {
  if (trafficDistribution === undefined) return undefined;
  const byNode = trafficDistribution === 'PreferSameNode' && node !== undefined;
  if (zone === undefined && !byNode) return undefined;
  return {
    ...(zone !== undefined && { forZones: [{ name: zone }] }),
    ...(byNode && { forNodes: [{ name: node }] }),
  };
}
