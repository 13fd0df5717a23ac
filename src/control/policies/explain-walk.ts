/**
 * A rule, walked for people: which of its items match, or why none does.
 *
 * A rule matches by one of its peers and one of its ports. Where several of a list do, the first is named.
 */
import { adminPeer, type NamespaceLabels, networkPeer, type Other, type PeerItem } from './explain-peers.js';
import { type AskedPort, adminPort, networkPort, type PortItem } from './explain-ports.js';
import type { AnyPolicy, Direction, NetworkPolicy } from './types.js';

export interface Walk {
  readonly direction: Direction;
  readonly other: Other;
  readonly asked: AskedPort;
  readonly labelsOf: NamespaceLabels;
}

export interface WalkedItem {
  readonly path: string;
  readonly text: string;
}

export interface WalkedRule {
  readonly path: string;
  /** undefined: it is for everybody, or nobody of it matches. */
  readonly peer: WalkedItem | undefined;
  readonly port: WalkedItem | undefined;
  /** Why it does not match; undefined: it does. */
  readonly why: string | undefined;
}

/** More of a kind than these are counted. */
const SHOWN = 3;

interface Items {
  /** undefined: no restriction, as of a list that is empty. */
  readonly peers: readonly PeerItem[] | undefined;
  readonly ports: readonly PortItem[] | undefined;
}

/** All rules of the direction. */
export function walkPolicy(policy: AnyPolicy, walk: Walk): WalkedRule[] {
  const rules = policy.kind === 'NetworkPolicy' ? networkItems(policy, walk) : adminItems(policy, walk);
  return rules.map((items, index) => walkRule(items, `spec.${walk.direction}[${index}]`, walk));
}

function networkItems({ metadata, spec }: NetworkPolicy, { direction, asked, labelsOf }: Walk): Items[] {
  const { namespace = 'default' } = metadata;
  const rules =
    direction === 'ingress'
      ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
      : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
  return rules.map(({ peers, ports }) => ({
    peers: unlessEmpty(peers)?.map((peer) => networkPeer(peer, namespace, labelsOf)),
    ports: unlessEmpty(ports)?.map((port) => networkPort(port, asked)),
  }));
}

function adminItems(
  policy: Exclude<AnyPolicy, NetworkPolicy>,
  { direction, asked, labelsOf }: Walk,
): Items[] {
  return (policy.spec[direction] ?? []).map(({ from, to, ports }) => ({
    peers: unlessEmpty(direction === 'ingress' ? from : to)?.map((peer) => adminPeer(peer, labelsOf)),
    ports: unlessEmpty(ports)?.map((port) => adminPort(port, asked)),
  }));
}

function unlessEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

function walkRule({ peers, ports }: Items, path: string, { direction, other, asked }: Walk): WalkedRule {
  const field = direction === 'ingress' ? 'from' : 'to';
  const peer = peers?.findIndex(({ missing }) => missing(other) === undefined) ?? 0;
  const port = ports?.findIndex(({ matches }) => matches) ?? 0;
  const reasons = [
    ...(peers && peer < 0 ? [listed(peers.map(({ missing }) => missing(other) ?? ''))] : []),
    ...(ports && port < 0 ? [portsMiss(asked, ports)] : []),
  ];
  return {
    path,
    peer: peers?.[peer] && { path: `${path}.${field}[${peer}]`, text: peers[peer].text },
    port: ports?.[port] && { path: `${path}.ports[${port}]`, text: ports[port].text },
    why: reasons.length > 0 ? reasons.join('; ') : undefined,
  };
}

function portsMiss({ protocol, port }: AskedPort, ports: readonly PortItem[]): string {
  const what =
    protocol === undefined ? 'ICMP' : `${protocol}${port === undefined ? ', every port' : ` ${port}`}`;
  return `${what} is not ${listed(ports.map(({ text }) => text))}`;
}

function listed(texts: readonly string[]): string {
  const distinct = [...new Set(texts)];
  const more = distinct.length - SHOWN;
  return `${distinct.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
