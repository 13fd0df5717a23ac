/**
 * `v1 Service` as Kubernetes writes it: schema, checks that a schema cannot express, and its normal form, with the defaults
 * of Kubernetes' API server (pkg/apis/core/v1/defaults.go, validation.go). Families, cluster IPs and node ports that are
 * not said stay out of it: services/allocate.ts chooses them, for it knows which there are.
 *
 * Kept of the status is the address of a load balancer, since whoever runs one says there where it is. A load balancer of
 * class X is somebody else's, as in Kubernetes; the service then is reached at the addresses in its status.
 *
 * Not done, and refused: loadBalancerSourceRanges and its annotation, which would be a firewall that is not there; and
 * `topology-mode: Auto` where podwire computes the endpoints (trafficDistribution does about the same).
 */
import { REMOVAL_POLICIES } from '../../dataplane/service-spec.js';
import { invalid, unsupported } from '../errors.js';
import {
  type Ingress,
  IP_FAMILIES,
  IP_FAMILY_POLICIES,
  SERVICE_TYPES,
  type Service,
  type ServiceSpec,
  TRAFFIC_DISTRIBUTIONS,
  TRAFFIC_POLICIES,
} from '../services/types.js';
import { KUBERNETES_META, LABELS } from './meta.js';
import { plainObject, withoutEmpty } from './nulls.js';
import { checker, closed, open, type Schema } from './schema.js';
import { type GivenPort, normalPorts, SERVICE_PORTS_SCHEMA } from './service-ports.js';
import { checkService, normalAddresses } from './service-rules.js';

/** Seconds: three hours. */
const DEFAULT_AFFINITY = 10_800;
const MOST_AFFINITY = 86_400;

const TEXTS: Schema = { type: 'array', maxItems: 256, items: { type: 'string' } };

/** An enumeration in which an empty text is a field left out. */
function choice(values: readonly string[]): Schema {
  return { type: 'string', enum: ['', ...values] };
}

export const SERVICE_SPEC_SCHEMA: Schema = closed({
  type: choice(SERVICE_TYPES),
  ports: SERVICE_PORTS_SCHEMA,
  selector: LABELS,
  clusterIP: { type: 'string' },
  clusterIPs: { ...TEXTS, maxItems: 2 },
  ipFamilies: { type: 'array', maxItems: 2, items: { type: 'string', enum: IP_FAMILIES } },
  ipFamilyPolicy: choice(IP_FAMILY_POLICIES),
  externalIPs: TEXTS,
  externalName: { type: 'string' },
  sessionAffinity: choice(['None', 'ClientIP']),
  sessionAffinityConfig: closed({
    clientIP: closed({ timeoutSeconds: { type: 'integer', minimum: 1, maximum: MOST_AFFINITY } }),
  }),
  internalTrafficPolicy: choice(TRAFFIC_POLICIES),
  externalTrafficPolicy: choice(TRAFFIC_POLICIES),
  healthCheckNodePort: { type: 'integer', minimum: 0, maximum: 65_535 },
  publishNotReadyAddresses: { type: 'boolean' },
  loadBalancerIP: { type: 'string' },
  loadBalancerClass: { type: 'string' },
  loadBalancerSourceRanges: TEXTS,
  allocateLoadBalancerNodePorts: { type: 'boolean' },
  trafficDistribution: choice(TRAFFIC_DISTRIBUTIONS),
});

const INGRESS: Schema = closed({
  ip: { type: 'string' },
  hostname: { type: 'string' },
  ipMode: { type: 'string', enum: ['VIP', 'Proxy'] },
  ports: { type: 'array', items: open({}) },
});

export const SERVICE_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'v1' },
    kind: { type: 'string', const: 'Service' },
    metadata: KUBERNETES_META,
    spec: SERVICE_SPEC_SCHEMA,
    status: open({ loadBalancer: open({ ingress: { type: 'array', maxItems: 256, items: INGRESS } }) }),
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

type GivenSpec = Partial<Omit<ServiceSpec, 'ports' | 'sessionAffinityConfig'>> & {
  ports?: GivenPort[];
  sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
  loadBalancerSourceRanges?: string[];
};
type Given = Omit<Service, 'spec' | 'status'> & {
  spec: GivenSpec;
  status?: { loadBalancer?: { ingress?: Ingress[] } };
};

const check = checker<Given>(SERVICE_SCHEMA);

/** What becomes of TCP connections whose endpoint is in the list no more: `reset` unless it says `drain`. */
export const REMOVAL_ANNOTATION = 'podwire.dev/on-endpoint-removal';

/** DNS-1035: what a Service is called is part of names and of variables of the environment. */
const SERVICE_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const TOPOLOGY = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'];

/**
 * A Service as it is stored.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parseService(value: unknown): Service {
  const { apiVersion, kind, metadata, spec: given, status } = check(plainObject(value));
  if (!SERVICE_NAME.test(metadata.name)) {
    throw invalid('metadata.name', `'${metadata.name}' is no name of a Service (RFC 1035 label)`);
  }
  refuseUndone(given, metadata.annotations ?? {});
  const spec = withDefaults(withoutEmpty(given));
  const ingress = status?.loadBalancer?.ingress ?? [];
  const service: Service = { apiVersion, kind, metadata, spec };
  if (spec.type === 'LoadBalancer' && ingress.length > 0) service.status = { loadBalancer: { ingress } };
  const normal = normalAddresses(service);
  checkService(normal);
  return normal;
}

function refuseUndone(
  { loadBalancerSourceRanges = [], selector = {} }: GivenSpec,
  annotations: Record<string, string>,
) {
  const field = 'spec.loadBalancerSourceRanges';
  if (loadBalancerSourceRanges.length > 0) throw unsupported(field, 'source ranges are not supported');
  if (annotations[SOURCE_RANGES]) {
    throw unsupported(`metadata.annotations["${SOURCE_RANGES}"]`, 'source ranges are not supported');
  }
  checkRemoval(annotations[REMOVAL_ANNOTATION]);
  const mode = TOPOLOGY.find((key) => /^auto$/i.test(annotations[key] ?? ''));
  if (mode === undefined || Object.keys(selector).length === 0) return;
  throw unsupported(
    `metadata.annotations["${mode}"]`,
    'shares by zone are not computed; spec.trafficDistribution: PreferSameZone keeps traffic in its zone',
  );
}

function checkRemoval(policy: string | undefined): void {
  const known: readonly string[] = REMOVAL_POLICIES;
  if (policy === undefined || known.includes(policy)) return;
  const field = `metadata.annotations["${REMOVAL_ANNOTATION}"]`;
  throw invalid(field, `'${policy}' is not one of ${known.join(', ')}`);
}

function withDefaults(given: GivenSpec): ServiceSpec {
  const { type = 'ClusterIP', ports, sessionAffinityConfig, loadBalancerSourceRanges: _, ...rest } = given;
  const { healthCheckNodePort = 0, sessionAffinity = 'None', externalIPs = [], ...kept } = rest;
  const isLocal = type !== 'ExternalName';
  const isOpen = type === 'NodePort' || type === 'LoadBalancer' || (isLocal && externalIPs.length > 0);
  return {
    type,
    ...(ports && ports.length > 0 && { ports: normalPorts(ports, type) }),
    sessionAffinity,
    ...affinity(sessionAffinity, sessionAffinityConfig),
    ...(isLocal && { internalTrafficPolicy: 'Cluster' as const }),
    ...(isOpen && { externalTrafficPolicy: 'Cluster' as const }),
    ...(type === 'LoadBalancer' && { allocateLoadBalancerNodePorts: true }),
    ...(externalIPs.length > 0 && { externalIPs }),
    ...(healthCheckNodePort > 0 && { healthCheckNodePort }),
    ...kept,
  };
}

function affinity(
  kind: ServiceSpec['sessionAffinity'],
  config: GivenSpec['sessionAffinityConfig'],
): Pick<ServiceSpec, 'sessionAffinityConfig'> {
  const { timeoutSeconds } = config?.clientIP ?? {};
  if (kind === 'ClientIP') {
    return { sessionAffinityConfig: { clientIP: { timeoutSeconds: timeoutSeconds ?? DEFAULT_AFFINITY } } };
  }
  if (config?.clientIP) throw invalid('spec.sessionAffinityConfig', 'belongs to sessionAffinity ClientIP');
  return {};
}

/** Of a Service that another proxy is to do, as kube-proxy leaves it alone (label of Kubernetes'). */
export function isForeign({ metadata }: Service): boolean {
  return metadata.labels?.['service.kubernetes.io/service-proxy-name'] !== undefined;
}
