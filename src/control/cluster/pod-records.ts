/**
 * A pod as its node tells it to the others: the record `cluster/pods/NODE/NAMESPACE/NAME`, on the node's lease.
 *
 * All labels and addresses of all families: services select by the former, and so will policies. Any node may write there,
 * so what is read is checked like a request.
 */
import { canonicalIp } from '../cidr.js';
import { LABELS, NAME, NAMESPACE } from '../model/meta.js';
import { checker, closed } from '../model/schema.js';
import { PROTOCOLS, type ServicePod } from '../services/types.js';
import type { Json } from '../store/store.js';

export const CLUSTER_PODS = 'cluster/pods/';

const TEXT = { type: 'string', minLength: 1, maxLength: 253 };

const check = checker<Omit<ServicePod, 'node'>>(
  closed(
    {
      namespace: NAMESPACE,
      name: NAME,
      labels: LABELS,
      ips: { type: 'array', maxItems: 64, items: TEXT },
      hostname: TEXT,
      subdomain: TEXT,
      ready: { type: 'boolean' },
      terminating: { type: 'boolean' },
      ports: {
        type: 'array',
        maxItems: 1024,
        items: closed(
          {
            name: TEXT,
            protocol: { type: 'string', enum: [...PROTOCOLS] },
            port: { type: 'integer', minimum: 1, maximum: 65_535 },
          },
          ['name', 'protocol', 'port'],
        ),
      },
    },
    ['namespace', 'name', 'labels', 'ips', 'ready', 'terminating', 'ports'],
  ),
  'the record',
);

export function podRecordKey({ node = '', namespace, name }: ServicePod): string {
  return `${CLUSTER_PODS}${node}/${namespace}/${name}`;
}

export function podRecord({ node: _, ...pod }: ServicePod): Json {
  return JSON.parse(JSON.stringify(pod)) as Json;
}

/** The node that a key is of. */
export function nodeOfPodKey(key: string): string {
  return key.slice(CLUSTER_PODS.length).split('/')[0];
}

/** undefined for a record that cannot be read, or that lies under another's key. */
export function readPod(key: string, value: Json): ServicePod | undefined {
  try {
    const pod = { ...check(value), node: nodeOfPodKey(key) };
    const isCanonical = pod.ips.every((ip) => canonicalIp(ip) === ip);
    return isCanonical && podRecordKey(pod) === key ? pod : undefined;
  } catch {
    return undefined;
  }
}
