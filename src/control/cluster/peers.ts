/**
 * Peers: from the nodes of the cluster to the peers and routes of a snapshot. A pure function but for the peers'
 * numbers, which stay for as long as a node is known.
 *
 * Whatever is wrong with one node concerns that node alone: it is left out, in whole or for a subnet, with a
 * message for its status. A subnet counts only where the store's owner record names the node that announces
 * it, so a node cannot draw another's traffic to itself by claiming its subnet.
 */
import { familyOf, firstHost, hostPrefix } from '../cidr.js';
import { VXLAN_PORT } from '../model/node.js';
import type { PlannedPeer } from '../plan.js';
import type { PeerIds } from './peer-ids.js';
import type { PublishedNode } from './records.js';

export interface PeerSources {
  readonly self: { readonly name: string; readonly address: string };
  readonly nodes: Iterable<PublishedNode>;
  /** Name of the node that owns exactly this subnet; undefined: nobody. */
  readonly ownerOf: (cidr: string) => string | undefined;
  /** Whether the peer's probe is answered. */
  readonly isLive: (id: number) => boolean;
  /** Largest packet of a pod that reaches this underlay address whole, bytes. */
  readonly innerMtu: (address: string) => number;
}

export interface PeersFound {
  readonly peers: readonly PlannedPeer[];
  /** By name of a node: what keeps it, or a subnet of it, from being used. */
  readonly messages: ReadonlyMap<string, string>;
}

export function findPeers(sources: PeerSources, ids: PeerIds): PeersFound {
  const messages = new Map<string, string>();
  const others = [...sources.nodes].filter(({ metadata }) => metadata.name !== sources.self.name);
  ids.keep(new Set(others.map(({ metadata }) => metadata.name)));
  const taken = new Map([[sources.self.address, 'this node']]);
  const peers = others.sort(byPrecedence).flatMap((node): PlannedPeer[] => {
    const { name } = node.metadata;
    const problem = problemOf(node, sources.self.address, taken);
    if (problem !== undefined) {
      messages.set(name, problem);
      return [];
    }
    const id = ids.of(name);
    if (id === undefined) {
      messages.set(name, 'there are more nodes than a switch can have peers');
      return [];
    }
    taken.set(addressOf(node), `node ${name}`);
    const { owned, message } = ownedSubnets(node, sources.ownerOf);
    if (message !== undefined) messages.set(name, message);
    return [peerOf(node, id, owned, sources)];
  });
  return { peers: peers.sort((a, b) => a.id - b.id), messages };
}

/** Who wins where two nodes have one underlay address: one with a daemon, then the older, then by name. */
function byPrecedence(a: PublishedNode, b: PublishedNode): number {
  if (a.managed !== b.managed) return a.managed === 'daemon' ? -1 : 1;
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function problemOf(
  { spec }: PublishedNode,
  own: string,
  taken: ReadonlyMap<string, string>,
): string | undefined {
  if (!spec.underlay || spec.vtepMAC === undefined)
    return 'has no tunnel: its daemon runs without --underlay';
  const { address } = spec.underlay;
  const holder = taken.get(address);
  if (holder !== undefined) return `its underlay address ${address} is that of ${holder}`;
  if (familyOf(address) === familyOf(own)) return undefined;
  return `its underlay address ${address} is of another family than this node's ${own}`;
}

function ownedSubnets(
  { metadata: { name }, spec: { podCIDRs } }: PublishedNode,
  ownerOf: PeerSources['ownerOf'],
): { owned: readonly string[]; message?: string } {
  if (podCIDRs.every((cidr) => ownerOf(cidr) === name)) return { owned: podCIDRs };
  const owned = podCIDRs.filter((cidr) => ownerOf(cidr) === name);
  const strange = podCIDRs
    .filter((cidr) => !owned.includes(cidr))
    .map((cidr) => {
      const owner = ownerOf(cidr);
      return owner === undefined ? `${cidr}, which nobody owns` : `${cidr}, which belongs to node ${owner}`;
    });
  return { owned, message: `announces ${strange.join(' and ')}: no route is made for it` };
}

function peerOf(
  node: PublishedNode,
  id: number,
  prefixes: readonly string[],
  { isLive, innerMtu }: PeerSources,
): PlannedPeer {
  const address = addressOf(node);
  const probed = prefixes.find((cidr) => familyOf(cidr) === 4) ?? prefixes[0];
  return {
    id,
    name: node.metadata.name,
    address,
    port: node.spec.underlay?.port ?? VXLAN_PORT,
    mac: node.spec.vtepMAC ?? '',
    // Its underlay address is the node itself: pods reach it there, too, and it answers under that address.
    ...(prefixes.length > 0 && { hosts: hostOf(prefixes, address) }),
    prefixes,
    mtu: innerMtu(address),
    ...(probed !== undefined && { probe: firstHost(probed) }),
    live: isLive(id),
  };
}

const hostsOf = new WeakMap<
  readonly string[],
  { readonly address: string; readonly hosts: readonly string[] }
>();

/**
 * The same list each time for the same list of a record: what the data plane knows of a list of prefixes is kept for as
 * long as that list is (route-columns.ts).
 */
function hostOf(prefixes: readonly string[], address: string): readonly string[] {
  const known = hostsOf.get(prefixes);
  if (known?.address === address) return known.hosts;
  const hosts = [hostPrefix(address)];
  hostsOf.set(prefixes, { address, hosts });
  return hosts;
}

function addressOf({ spec }: PublishedNode): string {
  return spec.underlay?.address ?? '';
}
