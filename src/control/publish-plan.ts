/** Published ports as the data plane has them: services with one backend, the pod, for each family that the pod has. */
import { NODE_FRONTEND } from '../dataplane/service-spec.js';
import type { PublishedPort } from './api/publish-types.js';
import { hostName } from './model/publish.js';
import { isEvery } from './publish-map.js';
import type { PlannedPort } from './services/planned.js';
import { IP_FAMILIES, type IpFamily } from './services/types.js';

const PREFIX = 'publish';

/** Of all ports of a pod, among what is no Service. */
export function extraName(key: string): string {
  return `${PREFIX}/${key}`;
}

/** Whether a planned port is a published one: names of Services have no colon before their key. */
export function isPublished(name: string): boolean {
  return name.startsWith(`${PREFIX}:`);
}

/** What of an attachment matters here. */
export interface Target {
  readonly ips: readonly string[];
  /** One that is not is answered for: connections are refused at once. */
  readonly isUp: boolean;
}

/** @param key of the pod. */
export function planPublished(key: string, port: PublishedPort, { ips, isUp }: Target): PlannedPort[] {
  const { hostIP, hostPort, containerPort, protocol } = port;
  const own = hostIP === undefined ? undefined : ofFamily(hostIP);
  const at = isEvery(hostIP) ? NODE_FRONTEND : (hostIP ?? NODE_FRONTEND);
  return IP_FAMILIES.filter((family) => own === undefined || own === family).flatMap((family) => {
    const address = ips.find((ip) => ofFamily(ip) === family);
    if (address === undefined) return [];
    const isSecond = own === undefined && family === 'IPv6';
    return {
      name: `${PREFIX}:${key}:${hostName(port)}${isSecond ? '/IPv6' : ''}`,
      family,
      protocol,
      frontends: [{ address: at, port: hostPort, scope: 'cluster' }],
      isOwn: true,
      backends: isUp ? [backend(address, containerPort)] : [],
    };
  });
}

function backend(address: string, port: number): PlannedPort['backends'][number] {
  const name = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return { name, address, port, local: true, cluster: 'active', node: 'active' };
}

function ofFamily(address: string): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
