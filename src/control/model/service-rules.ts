/**
 * What must be true of a Service beside its schema: which fields belong to which type, and that addresses agree with
 * families. Rules and their words follow Kubernetes' validation, so that what passes there passes here.
 */
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { HEADLESS, isExternal, type Service, type ServiceSpec, type ServiceType } from '../services/types.js';
import { parseServiceAddress } from './endpoint-address.js';

/** Fields that only these types have. */
const TYPES_OF: Partial<Record<keyof ServiceSpec, readonly ServiceType[]>> = {
  externalName: ['ExternalName'],
  loadBalancerIP: ['LoadBalancer'],
  loadBalancerClass: ['LoadBalancer'],
  allocateLoadBalancerNodePorts: ['LoadBalancer'],
  healthCheckNodePort: ['LoadBalancer'],
  externalIPs: ['ClusterIP', 'NodePort', 'LoadBalancer'],
  clusterIPs: ['ClusterIP', 'NodePort', 'LoadBalancer'],
  ipFamilies: ['ClusterIP', 'NodePort', 'LoadBalancer'],
  ipFamilyPolicy: ['ClusterIP', 'NodePort', 'LoadBalancer'],
  internalTrafficPolicy: ['ClusterIP', 'NodePort', 'LoadBalancer'],
};

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
const CLASS = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** Every address in its one form, clusterIP the first of clusterIPs. @throws PodwireError INVALID */
export function normalAddresses(service: Service): Service {
  const { clusterIP: _, clusterIPs: __, externalIPs, loadBalancerIP, ...rest } = service.spec;
  const ips = clusterIps(service.spec);
  const spec: ServiceSpec = {
    ...rest,
    ...(ips.length > 0 && { clusterIP: ips[0], clusterIPs: ips }),
    ...(externalIPs && { externalIPs: addresses('spec.externalIPs', externalIPs) }),
    ...(loadBalancerIP && { loadBalancerIP: parseServiceAddress('spec.loadBalancerIP', loadBalancerIP) }),
  };
  if (spec.externalName !== undefined) spec.externalName = spec.externalName.replace(/\.$/, '').toLowerCase();
  return { ...service, spec, ...normalStatus(service) };
}

function addresses(field: string, texts: readonly string[]): string[] {
  return texts.map((text, index) => parseServiceAddress(`${field}[${index}]`, text));
}

function normalStatus({ status }: Service): Pick<Service, 'status'> {
  if (!status) return {};
  const ingress = status.loadBalancer.ingress.map(({ ip, hostname, ipMode }, index) => ({
    ...(ip && { ip: parseServiceAddress(`status.loadBalancer.ingress[${index}].ip`, ip) }),
    ...(hostname && { hostname }),
    ...(ipMode && { ipMode }),
  }));
  return { status: { loadBalancer: { ingress } } };
}

/** The two fields are one; where both are given, they agree. */
function clusterIps({ clusterIP, clusterIPs = [] }: ServiceSpec): string[] {
  const given = clusterIPs.length > 0 ? clusterIPs : clusterIP === undefined ? [] : [clusterIP];
  const field = (index: number) => (clusterIPs.length > 0 ? `spec.clusterIPs[${index}]` : 'spec.clusterIP');
  const ips = given.map((text, i) => (text === HEADLESS ? text : parseServiceAddress(field(i), text)));
  if (ips.length > 1 && ips.includes(HEADLESS)) throw invalid('spec.clusterIPs', 'None stands alone');
  if (clusterIP !== undefined && clusterIP !== given[0]) {
    throw invalid('spec.clusterIPs[0]', 'must be the same as spec.clusterIP');
  }
  return ips;
}

/** @throws PodwireError INVALID naming the field */
export function checkService({ spec }: Service): void {
  refuseForeignFields(spec);
  const isHeadless = spec.clusterIP === HEADLESS;
  if (!spec.ports && spec.type !== 'ExternalName' && !isHeadless) {
    throw invalid(
      'spec.ports',
      'is missing: only headless services and those of type ExternalName have none',
    );
  }
  if (isHeadless && spec.type !== 'ClusterIP') {
    throw invalid('spec.clusterIP', `may not be None for a service of type ${spec.type}`);
  }
  if (spec.type === 'ExternalName') checkName(spec.externalName);
  if (spec.loadBalancerClass !== undefined && !CLASS.test(spec.loadBalancerClass)) {
    throw invalid(
      'spec.loadBalancerClass',
      `'${spec.loadBalancerClass}' is no class such as example.com/internal`,
    );
  }
  checkExternal(spec);
  checkFamilies(spec);
}

function refuseForeignFields(spec: ServiceSpec): void {
  for (const [field, types] of Object.entries(TYPES_OF)) {
    if (spec[field as keyof ServiceSpec] === undefined || types.includes(spec.type)) continue;
    throw invalid(`spec.${field}`, `belongs to type ${types.join(', ')}, not ${spec.type}`);
  }
}

function checkName(name: string | undefined): void {
  if (name === undefined) throw invalid('spec.externalName', 'is missing');
  if (!DNS_NAME.test(name)) throw invalid('spec.externalName', `'${name}' is no name (RFC 1123)`);
}

function checkExternal(spec: ServiceSpec): void {
  if (spec.externalTrafficPolicy !== undefined && !isExternal(spec)) {
    throw invalid('spec.externalTrafficPolicy', 'belongs to services that are reached from outside');
  }
  if (spec.healthCheckNodePort !== undefined && spec.externalTrafficPolicy !== 'Local') {
    throw invalid('spec.healthCheckNodePort', 'belongs to externalTrafficPolicy Local');
  }
  const same = spec.ports?.findIndex(
    ({ protocol, nodePort = 0 }) => protocol === 'TCP' && nodePort === spec.healthCheckNodePort,
  );
  if (same === undefined || same < 0) return;
  throw invalid('spec.healthCheckNodePort', `is spec.ports[${same}].nodePort too`);
}

/** Families and addresses in the same order, and as many as the policy allows. */
function checkFamilies({ ipFamilies = [], ipFamilyPolicy, clusterIPs = [], selector }: ServiceSpec): void {
  const ips = clusterIPs.filter((ip) => ip !== HEADLESS);
  const found = ips.map((ip) => `IPv${familyOf(ip)}`);
  if (found.length === 2 && found[0] === found[1]) {
    throw invalid('spec.clusterIPs', 'at most one address of each family');
  }
  if (ipFamilies.length === 2 && ipFamilies[0] === ipFamilies[1]) {
    throw invalid('spec.ipFamilies[1]', `${ipFamilies[1]} is given twice`);
  }
  found.forEach((family, index) => {
    const wanted = ipFamilies[index];
    if (wanted === undefined || wanted === family) return;
    throw invalid(
      `spec.clusterIPs[${index}]`,
      `${ips[index]} is no ${wanted} address, as spec.ipFamilies asks`,
    );
  });
  const isFree = clusterIPs[0] === HEADLESS && !hasSelector(selector) && ipFamilyPolicy === undefined;
  const isSingle = ipFamilyPolicy === undefined || ipFamilyPolicy === 'SingleStack';
  if (isSingle && !isFree && Math.max(ips.length, ipFamilies.length) > 1) {
    throw invalid('spec.ipFamilyPolicy', 'must be PreferDualStack or RequireDualStack for two families');
  }
}

export function hasSelector(selector: ServiceSpec['selector']): boolean {
  return selector !== undefined && Object.keys(selector).length > 0;
}
