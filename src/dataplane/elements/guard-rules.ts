/**
 * What the source guard and the tunnel guard have in common: which packets may come from no address at all, what a
 * neighbour discovery message claims, what no bridge forwards. Who owns an address each of them knows for itself.
 */
import * as arp from '../../wire/arp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import * as udp from '../../wire/udp.js';
import { checkDiscovery } from '../neighbour-discovery.js';
import type { PacketPool } from '../pool.js';

const BOOTP_CLIENT = 68;
const BOOTP_SERVER = 67;

const RESERVED_HI = 0x0180;
const RESERVED_LO = 0xc200_0000 | 0;

/** What `judgeIpv6` answers. */
export const SOURCE_6 = {
  REFUSED: 0,
  ALLOWED: 1,
  /** It is discovery, and what it claims counts too. */ DISCOVERY: 2,
} as const;

/** IEEE 802.1D-2004 section 7.12.6, 01:80:C2:00:00:00 to :0F: never forwarded. `lo`: a signed word. */
export function isLinkProtocol(hi: number, lo: number): boolean {
  return hi === RESERVED_HI && (lo & ~0xf) === RESERVED_LO;
}

/** RFC 2131 section 4.1: a client without an address sends from 0.0.0.0, port 68, to port 67. */
export function isDhcpRequest(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 === 0 || pool.protocol[slot] !== PROTOCOL.UDP) return false;
  return udp.srcPort(pool.view, l4) === BOOTP_CLIENT && udp.dstPort(pool.view, l4) === BOOTP_SERVER;
}

/** RFC 5227 section 1.1: whoever asks from 0.0.0.0 whether an address is taken claims nothing yet. */
export function isArpProbe(view: DataView, l3: number): boolean {
  return arp.isProbe(view, l3) && arp.operation(view, l3) === arp.OP.REQUEST;
}

/** Whether an IPv6 packet may come from where it says, given whether the source is the sender's own. */
export function judgeIpv6(pool: PacketPool, slot: number, own: boolean): number {
  const { view } = pool;
  const plain = own ? SOURCE_6.ALLOWED : SOURCE_6.REFUSED;
  // A later fragment has no type to look at; neighbour discovery is never fragmented (RFC 6980).
  if (pool.protocol[slot] !== PROTOCOL.ICMPV6 || pool.l4[slot] === 0) return plain;
  if (!own && !ipv6.isUnspecified(view, pool.l3[slot] + ipv6.SRC)) return SOURCE_6.REFUSED;
  const type = icmpv6.type(view, pool.l4[slot]);
  if (icmpv6.isNeighbourDiscovery(type)) return SOURCE_6.DISCOVERY;
  // MLD reports may come from :: before an address is ready (RFC 3590); nothing else may.
  return own || icmpv6.isListenerReport(type) ? SOURCE_6.ALLOWED : SOURCE_6.REFUSED;
}

/**
 * The checks of a discovery message that need no addresses: nobody but the switch advertises routers or redirects
 * (RFC 6105). Answers -1, `refusal`, or malformed-nd.
 */
export function checkRole(pool: PacketPool, slot: number, refusal: number): number {
  const type = icmpv6.type(pool.view, pool.l4[slot]);
  if (type === icmpv6.TYPE.ROUTER_ADVERTISEMENT || type === icmpv6.TYPE.REDIRECT) return refusal;
  return checkDiscovery(pool, slot);
}

/** Whether the link-layer options of a sound discovery message name no other MAC address than this. */
export function namesOwnMac(pool: PacketPool, slot: number, hi: number, lo: number): boolean {
  const { view } = pool;
  const l4 = pool.l4[slot];
  const option = isAdvertisement(view, l4) ? nd.OPTION.TARGET_LINK_LAYER : nd.OPTION.SOURCE_LINK_LAYER;
  return nd.namesOnly(view, l4, pool.l3[slot] + pool.l3Length[slot], option, hi, lo);
}

/** Whether a sound discovery message claims its target: an advertisement, or a solicitation from `::`. */
export function claimsTarget(view: DataView, l3: number, l4: number): boolean {
  if (isAdvertisement(view, l4)) return true;
  const isSolicitation = icmpv6.type(view, l4) === icmpv6.TYPE.NEIGHBOUR_SOLICITATION;
  return isSolicitation && nd.isDuplicateDetection(view, l3);
}

function isAdvertisement(view: DataView, l4: number): boolean {
  return icmpv6.type(view, l4) === icmpv6.TYPE.NEIGHBOUR_ADVERTISEMENT;
}
