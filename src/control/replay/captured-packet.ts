/**
 * What replay reads of a captured packet, before any engine sees it: where its IP packet begins behind the link header that
 * the capture has, between whom it goes, and of which connection it is. Allocates: this is no path of traffic.
 *
 * Not replayed, and counted by why: what is not IP, what is cut off within its headers, what goes to groups or everybody, and neighbour
 * discovery. No policy holds for the last two kinds of packets.
 */
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_RAW,
  LINKTYPE_RAW_BSD,
} from '../../dataplane/devices/pcap-format.js';
import { formatIpv4, formatIpv6 } from '../../wire/address.js';
import { ETHERTYPE, payloadOffset, payloadType } from '../../wire/ethernet.js';
import * as icmp from '../../wire/icmp.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import * as tcp from '../../wire/tcp.js';
import * as udp from '../../wire/udp.js';

/** Whose packets can be replayed. */
export const LINK_TYPES: readonly number[] = [
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  LINKTYPE_RAW_BSD,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
];

/** With what it means. */
export const PASSED_OVER = {
  'not-ip': 'neither IPv4 nor IPv6',
  'cut-off': 'captured without its whole headers',
  group: 'to a group or to everybody',
  'neighbour-discovery': 'neighbour discovery of IPv6',
} as const;
export type PassedOver = keyof typeof PASSED_OVER;

export interface CapturedPacket {
  /** Where the IP packet begins in the capture, and how many of its octets were captured. */
  readonly at: number;
  readonly captured: number;
  /** As its header says. */
  readonly length: number;
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Of TCP, UDP and SCTP; of ICMP queries the identifier, as both. -1: none, or not in this fragment. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of TCP: it opens, or answers an opening. */
  readonly tcpFlags: number;
  /** Of a fragment, what all of one packet share. */
  readonly fragment: string | undefined;
}

/** @param end behind the last octet of the frame. */
export function readPacket(
  view: DataView,
  at: number,
  end: number,
  linkType: number,
): CapturedPacket | PassedOver {
  const start = networkAt(view, at, end, linkType);
  if (start < 0) return 'not-ip';
  if (start >= end) return 'cut-off';
  const version = view.getUint8(start) >>> 4;
  if (version === 4) return readIpv4(view, start, end);
  return version === 6 ? readIpv6(view, start, end) : 'not-ip';
}

/** -1: not IP. */
function networkAt(view: DataView, at: number, end: number, linkType: number): number {
  switch (linkType) {
    case LINKTYPE_ETHERNET: {
      const payload = payloadOffset(view, at, end);
      return payload >= 0 && isIp(payloadType(view, payload)) ? payload : -1;
    }
    case LINKTYPE_LINUX_SLL:
      return at + 16 <= end && isIp(view.getUint16(at + 14)) ? at + 16 : -1;
    case LINKTYPE_LINUX_SLL2:
      return at + 20 <= end && isIp(view.getUint16(at)) ? at + 20 : -1;
    default:
      return at;
  }
}

function isIp(type: number): boolean {
  return type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6;
}

function readIpv4(view: DataView, at: number, end: number): CapturedPacket | PassedOver {
  if (at + ipv4.HEADER_LENGTH > end) return 'cut-off';
  const upper = at + ipv4.headerLength(view, at);
  const destination = ipv4.dst(view, at);
  if (ipv4.isMulticast(destination) || destination === 0xffff_ffff) return 'group';
  const protocol = ipv4.protocol(view, at);
  const offset = ipv4.fragmentOffset(view, at);
  const packet = {
    at,
    captured: end - at,
    length: ipv4.totalLength(view, at),
    family: 4 as const,
    source: formatIpv4(ipv4.src(view, at)),
    destination: formatIpv4(destination),
    protocol,
    fragment: ipv4.isFragment(view, at) ? String(ipv4.id(view, at)) : undefined,
  };
  return withPorts(packet, view, upper, end, offset > 0);
}

function readIpv6(view: DataView, at: number, end: number): CapturedPacket | PassedOver {
  if (at + ipv6.HEADER_LENGTH > end) return 'cut-off';
  if (ipv6.isMulticast(view, at + ipv6.DST)) return 'group';
  const walked = extensions.walk(view, at, end);
  if (walked < 0) return 'cut-off';
  const fragment = extensions.fragmentHeader(walked);
  const protocol = extensions.upperProtocol(walked);
  const packet = {
    at,
    captured: end - at,
    length: ipv6.HEADER_LENGTH + ipv6.payloadLength(view, at),
    family: 6 as const,
    source: textOf(view, at + ipv6.SRC),
    destination: textOf(view, at + ipv6.DST),
    protocol,
    fragment: fragment > 0 ? String(extensions.fragmentId(view, at + fragment)) : undefined,
  };
  const upper = at + extensions.upperOffset(walked);
  const isLater = extensions.isLaterFragment(walked);
  if (protocol === ipv4.PROTOCOL.ICMPV6 && !isLater && upper < end && isDiscovery(view.getUint8(upper)))
    return 'neighbour-discovery';
  return withPorts(packet, view, upper, end, isLater);
}

type Ends = 'sourcePort' | 'destinationPort' | 'tcpFlags';

function withPorts(
  packet: Omit<CapturedPacket, Ends>,
  view: DataView,
  upper: number,
  end: number,
  isLater: boolean,
): CapturedPacket | PassedOver {
  if (isLater) return { ...packet, sourcePort: -1, destinationPort: -1, tcpFlags: 0 };
  const ports = portsOf(packet.protocol, view, upper, end);
  return ports === undefined ? 'cut-off' : { ...packet, ...ports };
}

/** Undefined: cut off. */
function portsOf(
  protocol: number,
  view: DataView,
  upper: number,
  end: number,
): Pick<CapturedPacket, Ends> | undefined {
  const { TCP, UDP, SCTP, ICMP, ICMPV6 } = ipv4.PROTOCOL;
  if (protocol === TCP) {
    if (upper + tcp.HEADER_LENGTH > end) return undefined;
    return {
      sourcePort: tcp.srcPort(view, upper),
      destinationPort: tcp.dstPort(view, upper),
      tcpFlags: tcp.flags(view, upper),
    };
  }
  if (protocol === UDP || protocol === SCTP) {
    if (upper + udp.HEADER_LENGTH > end) return undefined;
    // SCTP has its ports where UDP has (RFC 9260 section 3.1).
    return { sourcePort: udp.srcPort(view, upper), destinationPort: udp.dstPort(view, upper), tcpFlags: 0 };
  }
  if (protocol !== ICMP && protocol !== ICMPV6) return { sourcePort: -1, destinationPort: -1, tcpFlags: 0 };
  if (upper + icmp.HEADER_LENGTH > end) return undefined;
  const identifier = isQuery(protocol, view.getUint8(upper)) ? icmp.identifier(view, upper) : -1;
  return { sourcePort: identifier, destinationPort: identifier, tcpFlags: 0 };
}

/** Echo, and of IPv4 timestamps: what has an identifier. */
function isQuery(protocol: number, type: number): boolean {
  if (protocol === ipv4.PROTOCOL.ICMPV6) return type === 128 || type === 129;
  return type === 0 || type === 8 || type === 13 || type === 14;
}

function isDiscovery(type: number): boolean {
  return type >= 133 && type <= 137;
}

function textOf(view: DataView, at: number): string {
  return formatIpv6([0, 1, 2, 3].map((index) => ipv6.word(view, at, index)));
}
