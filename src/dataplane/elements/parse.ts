/**
 * Parse: finds the headers of a packet once, checks every length, and says what kind of packet it is.
 *
 * After it, accessors of src/wire may be used on `l3` and `l4` without checks. Sets `domain`, `vlan`, `kind`,
 * `l3`, `l3Length`, `l4`, `protocol` and the fragment and option flags. Packets of a port that is not open are
 * dropped first. Later fragments have no `l4`. Up to two VLAN tags are walked (802.1Q in 802.1ad).
 *
 * Output `ok`. Drops: port-closed, malformed-*, extension-chain, bad-offload, oversize.
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import { ETHERTYPE } from '../../wire/ethernet.js';
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import * as tcp from '../../wire/tcp.js';
import * as udp from '../../wire/udp.js';
import type { Batch } from '../batch.js';
import { MAX_FRAME } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { isOffloadSound } from '../offload.js';
import { KIND, PACKET, type PacketPool, VLAN_TAGGED } from '../pool.js';

/** What `parse…` functions answer when the packet is sound; anything else is a drop reason. */
const SOUND = -1;

export class Parse implements Element {
  readonly name = 'parse';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly ok: Batch,
  ) {}

  process(batch: Batch): void {
    const { context } = this;
    const { pool } = context;
    const { open, domain } = context.tables.ports;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const port = pool.port[slot];
      if (open[port] !== 1) {
        context.drop(slot, DROP['port-closed']);
        continue;
      }
      pool.domain[slot] = domain[port];
      const verdict = parsePacket(pool, slot);
      if (verdict === SOUND) this.ok.push(slot);
      else context.drop(slot, verdict);
    }
  }
}

/** Parses one packet whose `at` and `length` are set. Answers -1 or the number of a drop reason. */
export function parsePacket(pool: PacketPool, slot: number): number {
  const { view } = pool;
  const at = pool.at[slot];
  const length = pool.length[slot];
  if (length < ethernet.HEADER_LENGTH) return DROP['malformed-ethernet'];
  if (length > MAX_FRAME) return DROP.oversize;
  if (ethernet.isMulticastHi(ethernet.srcHi(view, at))) return DROP['malformed-ethernet'];
  let type = ethernet.etherType(view, at);
  let l3 = at + ethernet.HEADER_LENGTH;
  const end = at + length;
  for (let tags = 0; ethernet.isTag(type); tags++) {
    if (tags === ethernet.MAX_TAGS || l3 + ethernet.TAG_LENGTH > end) return DROP['malformed-vlan'];
    if (tags === 0) pool.vlan[slot] = ethernet.vlanId(view.getUint16(l3)) | VLAN_TAGGED;
    type = view.getUint16(l3 + 2);
    l3 += ethernet.TAG_LENGTH;
  }
  pool.l3[slot] = l3;
  pool.l3Length[slot] = end - l3;
  const verdict = parseNetwork(pool, slot, type, l3, end);
  if (verdict !== SOUND) return verdict;
  return isOffloadSound(pool, slot) ? SOUND : DROP['bad-offload'];
}

function parseNetwork(pool: PacketPool, slot: number, type: number, l3: number, end: number): number {
  switch (type) {
    case ETHERTYPE.IPV4:
      return parseIpv4(pool, slot, l3, end);
    case ETHERTYPE.IPV6:
      return parseIpv6(pool, slot, l3, end);
    case ETHERTYPE.ARP:
      pool.kind[slot] = KIND.ARP;
      if (end - l3 < arp.LENGTH || !arp.isEthernetIpv4(pool.view, l3)) return DROP['malformed-arp'];
      return SOUND;
    default:
      pool.kind[slot] = KIND.OTHER;
      return SOUND;
  }
}

/** RFC 791 section 3.1; the checks of RFC 1812 section 5.2.2 but for the checksum, which a bridge leaves alone. */
function parseIpv4(pool: PacketPool, slot: number, l3: number, end: number): number {
  const { view } = pool;
  pool.kind[slot] = KIND.IPV4;
  if (end - l3 < ipv4.HEADER_LENGTH || ipv4.version(view, l3) !== 4) return DROP['malformed-ipv4'];
  const headerLength = ipv4.headerLength(view, l3);
  const total = ipv4.totalLength(view, l3);
  if (headerLength < ipv4.HEADER_LENGTH || total < headerLength || total > end - l3) {
    return DROP['malformed-ipv4'];
  }
  pool.l3Length[slot] = total;
  const protocol = ipv4.protocol(view, l3);
  pool.protocol[slot] = protocol;
  if (headerLength > ipv4.HEADER_LENGTH) pool.flags[slot] |= PACKET.OPTIONS;
  if (ipv4.isFragment(view, l3)) {
    pool.flags[slot] |= PACKET.FRAGMENT;
    if (ipv4.fragmentOffset(view, l3) > 0) return laterFragment(pool, slot);
  }
  return parseTransport(pool, slot, protocol, l3 + headerLength, l3 + total);
}

/** RFC 8200 section 3; a first fragment holds the whole header chain (RFC 7112 section 5). */
function parseIpv6(pool: PacketPool, slot: number, l3: number, end: number): number {
  const { view } = pool;
  pool.kind[slot] = KIND.IPV6;
  if (end - l3 < ipv6.HEADER_LENGTH || ipv6.version(view, l3) !== 6) return DROP['malformed-ipv6'];
  const total = ipv6.HEADER_LENGTH + ipv6.payloadLength(view, l3);
  if (total > end - l3) return DROP['malformed-ipv6'];
  pool.l3Length[slot] = total;
  const chain = extensions.walk(view, l3, l3 + total);
  if (chain === extensions.TOO_LONG) return DROP['extension-chain'];
  if (chain < 0) return DROP['malformed-ipv6'];
  const protocol = extensions.upperProtocol(chain);
  pool.protocol[slot] = protocol;
  if (extensions.fragmentHeader(chain) !== 0) {
    pool.flags[slot] |= PACKET.FRAGMENT;
    if (extensions.isLaterFragment(chain)) return laterFragment(pool, slot);
  }
  return parseTransport(pool, slot, protocol, l3 + extensions.upperOffset(chain), l3 + total);
}

function laterFragment(pool: PacketPool, slot: number): number {
  pool.l4[slot] = 0;
  return SOUND;
}

/** The least that each transport's header needs; `end` is the end of the network packet. */
function parseTransport(pool: PacketPool, slot: number, protocol: number, l4: number, end: number): number {
  const { view } = pool;
  const room = end - l4;
  switch (protocol) {
    case PROTOCOL.TCP:
      if (room < tcp.HEADER_LENGTH) return DROP['malformed-l4'];
      if (tcp.dataOffset(view, l4) < tcp.HEADER_LENGTH) return DROP['malformed-l4'];
      if (tcp.dataOffset(view, l4) > room) return DROP['malformed-l4'];
      break;
    case PROTOCOL.UDP:
      if (room < udp.HEADER_LENGTH || udp.length(view, l4) < udp.HEADER_LENGTH) return DROP['malformed-l4'];
      if ((pool.flags[slot] & PACKET.FRAGMENT) === 0 && udp.length(view, l4) > room)
        return DROP['malformed-l4'];
      break;
    case PROTOCOL.ICMP:
      if (room < icmp.HEADER_LENGTH) return DROP['malformed-l4'];
      break;
    case PROTOCOL.ICMPV6:
      if (room < icmpv6.HEADER_LENGTH) return DROP['malformed-l4'];
      break;
    default:
  }
  pool.l4[slot] = l4;
  return SOUND;
}
