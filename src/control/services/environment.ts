/**
 * Services as environment variables, in the words that Docker's links began with and Kubernetes kept (pkg/kubelet/envvars):
 *
 *     WEB_SERVICE_HOST=10.96.0.12        WEB_PORT=tcp://10.96.0.12:80
 *     WEB_SERVICE_PORT=80                WEB_PORT_80_TCP=tcp://10.96.0.12:80
 *     WEB_SERVICE_PORT_HTTP=80           WEB_PORT_80_TCP_PROTO=tcp, …_PORT=80, …_ADDR=10.96.0.12
 *
 * A pod gets the services of its namespace that have an address, and `kubernetes` of the namespace `default`, unless its own
 * namespace has one of that name. A program sees what was there when it started: DNS is for those that come later.
 *
 * Neither names nor values need quotes: letters, digits, and of punctuation `_ : / . [ ]`.
 */
import { DEFAULT_NAMESPACE } from '../model/kinds.js';
import { hasClusterIp, type Service, type ServicePort } from './types.js';

export interface Variable {
  readonly name: string;
  readonly value: string;
}

/** Where a pod finds the API of Kubernetes, if there is one. */
const API_SERVICE = 'kubernetes';

/**
 * Each name once, in the order of the services' names. Where two services come to one name the later one's value counts.
 * @param links whether services of the namespace are wanted at all: `enableServiceLinks` of a pod.
 */
export function environmentOf(services: Iterable<Service>, namespace: string, links = true): Variable[] {
  const found = new Map<string, Service>();
  for (const service of services) {
    const { name, namespace: own = DEFAULT_NAMESPACE } = service.metadata;
    const isHere = links && own === namespace;
    const isApi = own === DEFAULT_NAMESPACE && name === API_SERVICE;
    if (!hasAddress(service) || !(isHere || (isApi && !found.has(name)))) continue;
    found.set(name, service);
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  const values = new Map(sorted.flatMap(([, service]) => variablesOf(service)));
  return [...values].map(([name, value]) => ({ name, value }));
}

function hasAddress(service: Service): boolean {
  const { clusterIP, ports = [] } = service.spec;
  return hasClusterIp(service) && clusterIP !== undefined && clusterIP !== '' && ports.length > 0;
}

type Assignment = [name: string, value: string];

function variablesOf({ metadata, spec: { clusterIP = '', ports = [] } }: Service): Assignment[] {
  const prefix = nameOf(metadata.name);
  const named = ports.filter(({ name }) => name !== undefined && name !== '');
  return [
    [`${prefix}_SERVICE_HOST`, clusterIP],
    [`${prefix}_SERVICE_PORT`, String(ports[0].port)],
    ...named.map(
      ({ name = '', port }): Assignment => [`${prefix}_SERVICE_PORT_${nameOf(name)}`, String(port)],
    ),
    [`${prefix}_PORT`, urlOf(clusterIP, ports[0])],
    ...ports.flatMap((port) => linkOf(prefix, clusterIP, port)),
  ];
}

function linkOf(prefix: string, address: string, port: ServicePort): Assignment[] {
  const name = `${prefix}_PORT_${port.port}_${port.protocol}`;
  return [
    [name, urlOf(address, port)],
    [`${name}_PROTO`, port.protocol.toLowerCase()],
    [`${name}_PORT`, String(port.port)],
    [`${name}_ADDR`, address],
  ];
}

/** As in a URL (RFC 3986 section 3.2.2). */
function urlOf(address: string, { protocol, port }: ServicePort): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${protocol.toLowerCase()}://${host}:${port}`;
}

function nameOf(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}
