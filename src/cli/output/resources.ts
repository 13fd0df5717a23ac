/** The tables of resources, for `get` and `pods`. */
import type {
  Impairment,
  ImpairmentEnd,
  InterfaceStatus,
  Network,
  Node,
  Pod,
  Resource,
} from '../../control/api/types.js';
import { publishedText } from './published.js';
import type { Column } from './table.js';
import { formatAge, formatBitRate, formatMicros } from './units.js';

/** A pod has a row for each of its interfaces, and one where it has none: a row can be found by its network, too. */
export interface PodRow {
  readonly pod: Pod;
  readonly at?: InterfaceStatus;
}

export function podRows(pods: readonly Pod[]): PodRow[] {
  return pods.flatMap((pod): PodRow[] => {
    const interfaces = pod.status?.interfaces ?? [];
    return interfaces.length === 0 ? [{ pod }] : interfaces.map((at) => ({ pod, at }));
  });
}

export const POD_COLUMNS: readonly Column<PodRow>[] = [
  { header: 'NAMESPACE', value: ({ pod }) => pod.metadata.namespace ?? 'default' },
  { header: 'NAME', value: ({ pod }) => pod.metadata.name },
  { header: 'STATUS', value: ({ pod }) => pod.status?.phase },
  { header: 'IPS', value: ({ at }) => at?.ips.join(',') },
  { header: 'NETWORK', value: ({ at }) => at?.network },
  { header: 'IFNAME', value: ({ at }) => at?.ifname },
  { header: 'AGE', value: ({ pod }) => ageOf(pod), right: true },
  { header: 'MAC', value: ({ at }) => at?.mac, wide: true },
  { header: 'MTU', value: ({ at }) => at?.mtu, right: true, wide: true },
  { header: 'LIMITS', value: limitsOf, wide: true },
  { header: 'PORTS', value: ({ at }) => at?.ports?.map(publishedText).join(','), wide: true },
  { header: 'TAP', value: ({ at }) => at?.tap, wide: true },
  { header: 'NETNS', value: ({ pod }) => pod.status?.netns, wide: true },
  { header: 'LABELS', value: ({ pod }) => labelsOf(pod), wide: true },
];

export const NETWORK_COLUMNS: readonly Column<Network>[] = [
  { header: 'NAME', value: (network) => network.metadata.name },
  { header: 'MODE', value: (network) => network.spec.mode },
  { header: 'CIDRS', value: (network) => network.spec.cidrs.join(',') },
  { header: 'GATEWAYS', value: (network) => network.status?.gateways.join(',') },
  { header: 'PODS', value: (network) => network.status?.pods, right: true },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'INTERNAL', value: (network) => ofSwitch(network, network.spec.internal ?? false), wide: true },
  { header: 'GUARD', value: (network) => ofSwitch(network, network.spec.sourceGuard ?? true), wide: true },
  { header: 'MTU', value: (network) => network.spec.mtu, right: true, wide: true },
  { header: 'PARENT', value: parentOf, wide: true },
  { header: 'NOTE', value: (network) => network.status?.message, wide: 'unless said' },
  { header: 'LABELS', value: labelsOf, wide: true },
];

export const NODE_COLUMNS: readonly Column<Node>[] = [
  { header: 'NAME', value: (node) => node.metadata.name },
  { header: 'STATE', value: (node) => node.status?.state },
  { header: 'UNDERLAY', value: (node) => node.spec.underlay?.address },
  { header: 'POD CIDRS', value: (node) => node.spec.podCIDRs.join(',') },
  { header: 'MTU', value: (node) => node.status?.mtu, right: true },
  { header: 'RTT', value: roundTripOf, right: true },
  { header: 'NOTE', value: noteOf },
  { header: 'PORT', value: (node) => node.spec.underlay?.port, right: true, wide: true },
  { header: 'VTEP MAC', value: (node) => node.spec.vtepMAC, wide: true },
  { header: 'MANAGED', value: (node) => node.status?.managed, wide: true },
  { header: 'LAST SEEN', value: (node) => node.status?.lastSeen, wide: true },
  { header: 'AGE', value: ageOf, right: true, wide: true },
];

export const IMPAIRMENT_COLUMNS: readonly Column<Impairment>[] = [
  { header: 'NAME', value: (impairment) => impairment.metadata.name },
  { header: 'FROM', value: ({ spec }) => endText(spec.from) },
  { header: 'TO', value: ({ spec }) => endText(spec.to) },
  { header: 'WAYS', value: ({ spec }) => (spec.bidirectional === false ? 'one' : 'both') },
  { header: 'DELAY', value: ({ spec }) => spec.delay, right: true },
  { header: 'JITTER', value: ({ spec }) => spec.jitter, right: true },
  { header: 'LOSS', value: ({ spec }) => spec.loss, right: true },
  { header: 'RATE', value: ({ spec: { rate } }) => rate && formatBitRate(Number(rate)), right: true },
  { header: 'AGE', value: ageOf, right: true },
  { header: 'NOTE', value: ({ status }) => status?.message },
  { header: 'LABELS', value: labelsOf, wide: true },
];

function endText({ pod, cidr }: ImpairmentEnd): string | undefined {
  return pod ?? cidr;
}

/** `out:10Mbit/s,in:20Mbit/s` as the pod sees it. */
function limitsOf({ at }: PodRow): string | undefined {
  const { egress, ingress } = at?.limits ?? {};
  const parts = [
    egress && `out:${formatBitRate(egress.rate)}`,
    ingress && `in:${formatBitRate(ingress.rate)}`,
  ];
  return parts.filter(Boolean).join(',').replaceAll(' ', '');
}

function roundTripOf({ status }: Node): string | undefined {
  const micros = status?.rttMicros ?? undefined;
  return micros === undefined ? undefined : formatMicros(micros);
}

/** What there is to know at a glance: what is wrong with it, else that nobody but people keep it up to date. */
function noteOf({ status }: Node): string | undefined {
  if (status?.message !== undefined) return status.message;
  return status?.managed === 'manual' ? 'applied by hand' : undefined;
}

function parentOf({ spec: { parent, vlan } }: Network): string | undefined {
  return vlan === undefined ? parent : `${parent}.${vlan}`;
}

export function ageOf(resource: Resource): string | undefined {
  const since = resource.metadata.creationTimestamp;
  return since === undefined ? undefined : formatAge(Date.now() - Date.parse(since));
}

export function labelsOf(resource: Resource): string {
  return Object.entries(resource.metadata.labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Networks without a port of the switch have neither. */
function ofSwitch({ spec: { mode } }: Network, value: boolean): string | undefined {
  if (mode === 'none' || mode === 'host') return undefined;
  return value ? 'yes' : 'no';
}
