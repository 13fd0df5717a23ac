/**
 * Every reason for which a packet is dropped, in one list: `podwire drops` and the metrics read it.
 *
 * A reason's number is its place in the list and may change between versions; its name may not.
 */
const REASONS = [
  ['malformed-ethernet', 'shorter than an Ethernet header, or sent from a group address'],
  ['malformed-vlan', 'a VLAN tag is cut off, or more than two are stacked'],
  ['malformed-arp', 'an ARP packet is cut off or not Ethernet/IPv4'],
  ['malformed-ipv4', 'wrong version, header length or total length'],
  ['malformed-ipv6', 'wrong version or payload length, or an extension header is cut off'],
  ['malformed-l4', 'the TCP, UDP, ICMP or ICMPv6 header is cut off or its length is wrong'],
  ['malformed-nd', 'a neighbour discovery message fails the checks of RFC 4861 section 7.1'],
  ['extension-chain', 'more IPv6 extension headers than podwire walks'],
  ['bad-offload', 'the offload metadata does not fit the packet'],
  ['oversize', 'larger than a packet can be'],
  ['ipv4-checksum', 'the IPv4 header checksum is wrong'],
  ['l4-checksum', 'the checksum of a packet for the switch itself is wrong'],
  ['port-closed', 'the ingress port is not open yet, or no longer'],
  ['spoofed-mac', 'the source MAC address is not the port’s own'],
  ['spoofed-ipv4', 'the IPv4 source address is not the port’s own'],
  ['spoofed-ipv6', 'the IPv6 source address is not the port’s own'],
  ['spoofed-arp', 'an ARP packet claims an address that is not the port’s own'],
  ['spoofed-nd', 'a neighbour discovery packet claims an address or a role that is not the port’s own'],
  ['link-protocol', 'a link-local protocol (IEEE 802.1D reserved address) that bridges do not forward'],
  ['same-port', 'the destination is behind the port that the packet came from'],
  ['no-other-port', 'nobody else is in the bridge domain to flood to'],
  ['vlan-not-routed', 'a tagged packet to the gateway, which lives in the untagged network'],
  ['not-ip', 'sent to the gateway’s MAC address, but neither IPv4, IPv6 nor ARP'],
  ['vlan-in-vlan', 'a tagged packet for an interface that sends under a VLAN tag of its own'],
  ['not-for-us', 'seen on the host’s interface, and for a MAC address that nobody here has'],
  ['martian', 'an address that must not be routed (RFC 1812 section 5.3.7)'],
  ['not-forwardable', 'multicast, broadcast or link-local, which the router does not forward'],
  ['ttl-expired', 'TTL or hop limit ran out'],
  ['no-route', 'no route to the destination'],
  ['unreachable', 'the route says that the destination is unreachable'],
  ['neighbour-unknown', 'nobody in the destination’s network has this address'],
  ['too-big', 'larger than the MTU of the port or the path that it would leave through'],
  ['source-route', 'IPv4 source routing, which the router refuses (RFC 7126 section 4.3)'],
  ['no-service', 'for the switch’s own address, but a protocol or port that it does not serve'],
  ['ignored', 'for the switch itself, which has nothing to say to it'],
  ['reassembly', 'fragments for the switch itself that overlap, are too many or never became whole'],
  ['malformed-tunnel', 'not a VXLAN packet: too short, too long, or without a VNI (RFC 7348 section 5)'],
  ['unknown-peer', 'a tunnel packet from an address that is no known node’s'],
  ['wrong-vni', 'a tunnel packet with a VXLAN network identifier that this node does not have'],
  ['tunnel-mac', 'a tunnel packet for another MAC address than this node’s'],
  ['tunnel-source', 'a tunnel packet whose inner source does not belong to the node that sent it'],
  ['no-endpoint', 'for a service that has no endpoint which takes it; the client is told'],
  [
    'no-local-endpoint',
    'for a service that keeps to its node (policy Local), and has endpoints on other nodes only',
  ],
  ['endpoint-removed', 'of a TCP connection whose endpoint is gone; the client gets a reset'],
  ['flow-invalid', 'for a service, but belongs to no connection in its present state, and begins none'],
  [
    'flow-table-full',
    'a new connection that the flow table, or the share of its port in it, has no room for',
  ],
  ['fragment-orphan', 'a later fragment for a service, whose first one was not seen'],
  ['network-isolation', 'the destination is in a network that the pod’s is kept apart from; the pod is told'],
  ['policy-egress', 'no policy allows the pod to send it, or one denies it'],
  ['policy-ingress', 'no policy allows it to the pod it is for, or one denies it'],
  ['policy-pending', 'from or to a pod whose policies are not known here yet'],
  ['rate-limited', 'more than a rate limit lets pass, and enough waits for it'],
  ['impaired-loss', 'lost on purpose, as an impairment of the port asks'],
  ['shaper-full', 'too many packets of the port wait for a rate limit or a delay'],
  ['no-slot', 'the packet pool is empty'],
  ['tx-queue-full', 'more packets for one port in a cycle than its queue, or the tunnel’s socket, holds'],
  ['port-down', 'the egress port is gone or its interface is down'],
  ['device-error', 'the kernel refused to take the packet'],
] as const;

export type DropReasonName = (typeof REASONS)[number][0];

/** Names in the order of their numbers. */
export const DROP_REASONS: readonly DropReasonName[] = REASONS.map(([name]) => name);

/** What each means, for people; the same order. */
export const DROP_MEANINGS: readonly string[] = REASONS.map(([, meaning]) => meaning);

/** Number by name: `DROP['ttl-expired']`. */
export const DROP = Object.fromEntries(DROP_REASONS.map((name, index) => [name, index])) as Readonly<
  Record<DropReasonName, number>
>;
