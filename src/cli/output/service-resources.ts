/** The tables of services, endpoint slices and namespaces, with the columns and words of kubectl. */
import type { EndpointSlice, Namespace, Service } from '../../control/api/types.js';
import { ageOf, labelsOf } from './resources.js';
import type { Column } from './table.js';

const NONE = '<none>';
/** More than these are counted. */
const SHOWN = 3;

export const SERVICE_COLUMNS: readonly Column<Service>[] = [
  { header: 'NAMESPACE', value: ({ metadata }) => metadata.namespace },
  { header: 'NAME', value: ({ metadata }) => metadata.name },
  { header: 'TYPE', value: ({ spec }) => spec.type },
  { header: 'CLUSTER-IP', value: ({ spec }) => spec.clusterIP ?? NONE },
  { header: 'EXTERNAL-IP', value: externalOf },
  { header: 'PORT(S)', value: portsOf },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'SELECTOR', value: selectorOf, wide: true },
  { header: 'CLUSTER-IPS', value: ({ spec }) => spec.clusterIPs?.join(',') ?? NONE, wide: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

export const SLICE_COLUMNS: readonly Column<EndpointSlice>[] = [
  { header: 'NAMESPACE', value: ({ metadata }) => metadata.namespace },
  { header: 'NAME', value: ({ metadata }) => metadata.name },
  { header: 'ADDRESSTYPE', value: ({ addressType }) => addressType },
  { header: 'PORTS', value: ({ ports }) => shortened(ports.map(({ port }) => String(port ?? '*'))) },
  {
    header: 'ENDPOINTS',
    value: ({ endpoints }) => shortened(endpoints.map(({ addresses }) => addresses[0])),
  },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'READY', value: readyOf, wide: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

export const NAMESPACE_COLUMNS: readonly Column<Namespace>[] = [
  { header: 'NAME', value: ({ metadata }) => metadata.name },
  { header: 'STATUS', value: ({ status }) => status?.phase },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

function externalOf({ spec, status }: Service): string {
  const { type, externalName, externalIPs = [], loadBalancerIP, loadBalancerClass } = spec;
  if (type === 'ExternalName') return externalName ?? NONE;
  if (type !== 'LoadBalancer') return externalIPs.join(',') || NONE;
  const ingress = (status?.loadBalancer.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
  // Of podwire's own load balancers the address that was asked for is the one in force.
  const asked = loadBalancerIP === undefined || loadBalancerClass !== undefined ? [] : [loadBalancerIP];
  return [...new Set([...ingress, ...asked, ...externalIPs])].join(',') || '<pending>';
}

/** `80/TCP`, with a node port `80:30080/TCP`. */
function portsOf({ spec: { ports = [] } }: Service): string {
  const texts = ports.map(({ port, nodePort, protocol }) =>
    nodePort === undefined ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`,
  );
  return texts.join(',') || NONE;
}

function selectorOf({ spec: { selector = {} } }: Service): string {
  return (
    Object.entries(selector)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || NONE
  );
}

function readyOf({ endpoints }: EndpointSlice): string {
  return `${endpoints.filter(({ conditions }) => conditions.ready).length}/${endpoints.length}`;
}

function shortened(texts: readonly string[]): string {
  if (texts.length === 0) return '<unset>';
  const more = texts.length - SHOWN;
  return `${texts.slice(0, SHOWN).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}
