/** The tables of resources, for `get` and `pods`. */
import type { Network, Pod, Resource } from '../../control/api/types.js';
import type { Column } from './table.js';
import { formatAge } from './units.js';

export const POD_COLUMNS: readonly Column<Pod>[] = [
  { header: 'NAMESPACE', value: (pod) => pod.metadata.namespace ?? 'default' },
  { header: 'NAME', value: (pod) => pod.metadata.name },
  { header: 'STATUS', value: (pod) => pod.status?.phase },
  { header: 'IPS', value: (pod) => pod.status?.podIPs?.map(({ ip }) => ip).join(',') },
  { header: 'NETWORK', value: (pod) => pod.status?.network },
  { header: 'IFNAME', value: (pod) => pod.status?.ifname },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'MAC', value: (pod) => pod.status?.mac, wide: true },
  { header: 'MTU', value: (pod) => pod.status?.mtu, right: true, wide: true },
  { header: 'NETNS', value: (pod) => pod.status?.netns, wide: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

export const NETWORK_COLUMNS: readonly Column<Network>[] = [
  { header: 'NAME', value: (network) => network.metadata.name },
  { header: 'MODE', value: (network) => network.spec.mode },
  { header: 'CIDRS', value: (network) => network.spec.cidrs.join(',') },
  { header: 'GATEWAYS', value: (network) => network.status?.gateways.join(',') },
  { header: 'PODS', value: (network) => network.status?.pods, right: true },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'INTERNAL', value: (network) => yesNo(network.spec.internal ?? false), wide: true },
  { header: 'GUARD', value: (network) => yesNo(network.spec.sourceGuard ?? true), wide: true },
  { header: 'MTU', value: (network) => network.spec.mtu, right: true, wide: true },
  { header: 'LABELS', value: labelsOf, wide: true },
];

function ageOf(resource: Resource): string | undefined {
  const since = resource.metadata.creationTimestamp;
  return since === undefined ? undefined : formatAge(Date.now() - Date.parse(since));
}

function labelsOf(resource: Resource): string {
  return Object.entries(resource.metadata.labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
