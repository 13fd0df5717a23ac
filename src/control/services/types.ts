/**
 * Service, EndpointSlice and Namespace, as they are written and kept, and the pods that endpoints are computed from.
 * Plain data. The first three are resources of the API (api/types.ts names them too).
 */
import type { ObjectMeta } from '../api/types.js';

export const SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const IP_FAMILIES = ['IPv4', 'IPv6'] as const;
export type IpFamily = (typeof IP_FAMILIES)[number];

export const IP_FAMILY_POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;
export type IpFamilyPolicy = (typeof IP_FAMILY_POLICIES)[number];

export const TRAFFIC_POLICIES = ['Cluster', 'Local'] as const;
export type TrafficPolicy = (typeof TRAFFIC_POLICIES)[number];

/** PreferClose is the older word for PreferSameZone. */
export const TRAFFIC_DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'] as const;
export type TrafficDistribution = (typeof TRAFFIC_DISTRIBUTIONS)[number];

/** What a headless service has in place of an address. */
export const HEADLESS = 'None';

export interface ServicePort {
  /** Left out where the service has one port without a name. */
  name?: string;
  protocol: Protocol;
  /** Kept for those who read it; the switch does the same for each. */
  appProtocol?: string;
  port: number;
  /** A number, or the name of a port of the pods. */
  targetPort: number | string;
  /** Of NodePort and LoadBalancer. */
  nodePort?: number;
}

export interface ServiceSpec {
  type: ServiceType;
  ports?: ServicePort[];
  selector?: Record<string, string>;
  /** The first of `clusterIPs`. Until it is allocated, left out. */
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: IpFamily[];
  ipFamilyPolicy?: IpFamilyPolicy;
  externalIPs?: string[];
  externalName?: string;
  sessionAffinity: 'None' | 'ClientIP';
  sessionAffinityConfig?: { clientIP: { timeoutSeconds: number } };
  internalTrafficPolicy?: TrafficPolicy;
  externalTrafficPolicy?: TrafficPolicy;
  healthCheckNodePort?: number;
  publishNotReadyAddresses?: boolean;
  loadBalancerIP?: string;
  loadBalancerClass?: string;
  allocateLoadBalancerNodePorts?: boolean;
  trafficDistribution?: TrafficDistribution;
}

/** An address at which a load balancer hands over to the service. */
export interface Ingress {
  ip?: string;
  hostname?: string;
  /** `Proxy`: what arrives has the node's address already, and the ingress address is not the service's. Default VIP. */
  ipMode?: 'VIP' | 'Proxy';
}

export interface Service {
  apiVersion: 'v1';
  kind: 'Service';
  metadata: ObjectMeta;
  spec: ServiceSpec;
  /** Written by whoever runs the load balancer. */
  status?: { loadBalancer: { ingress: Ingress[] } };
}

/** With Kubernetes' defaults filled in. */
export interface Conditions {
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}

export interface Hints {
  forZones?: { name: string }[];
  forNodes?: { name: string }[];
}

export interface Endpoint {
  /** All of one endpoint; the switch uses the first. */
  addresses: string[];
  conditions: Conditions;
  hostname?: string;
  nodeName?: string;
  zone?: string;
  hints?: Hints;
  targetRef?: Record<string, unknown>;
}

export interface EndpointPort {
  /** Empty where the service's port has no name. */
  name: string;
  protocol: Protocol;
  appProtocol?: string;
  /** Left out: every port, which no service can use. */
  port?: number;
}

export interface EndpointSlice {
  apiVersion: 'discovery.k8s.io/v1';
  kind: 'EndpointSlice';
  metadata: ObjectMeta;
  addressType: IpFamily;
  endpoints: Endpoint[];
  ports: EndpointPort[];
}

export interface Namespace {
  apiVersion: 'v1';
  kind: 'Namespace';
  metadata: ObjectMeta;
  /** `deleted`: answered by a DELETE, what was in it: `service/shop/web`. */
  status?: { phase: 'Active' | 'Terminating'; deleted?: string[] };
}

/**
 * What services want to know of a pod; pods that have ended for good are none. Names are of its node: two nodes may have a pod
 * of the same name.
 */
export interface ServicePod {
  namespace: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  ips: readonly string[];
  node?: string;
  hostname?: string;
  /** The headless service that its hostname is a name in. */
  subdomain?: string;
  ready: boolean;
  terminating: boolean;
  /** Ports of its containers that have names. */
  ports: readonly { name: string; protocol: Protocol; port: number }[];
}

/** NAMESPACE/NAME@NODE. */
export function podKeyOf({
  namespace,
  name,
  node = '',
}: Pick<ServicePod, 'namespace' | 'name' | 'node'>): string {
  return `${namespace}/${name}@${node}`;
}

/** NAMESPACE/NAME. */
export function keyOf({ metadata }: { metadata: ObjectMeta }): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

export function isHeadless({ spec }: Service): boolean {
  return spec.clusterIP === HEADLESS;
}

/** Whether it has, or is to have, addresses of its own. */
export function hasClusterIp(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && !isHeadless(service);
}

/** Whether anything outside the cluster is meant to reach it. */
export function isExternal({ type, externalIPs = [] }: Pick<ServiceSpec, 'type' | 'externalIPs'>): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIPs.length > 0);
}
