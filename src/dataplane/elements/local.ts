/**
 * Local: packets for the switch's own addresses.
 *
 * Answers echo requests of any size in place; source and destination change places, so that a request to any
 * of the switch's addresses is answered by that address. Answers to probes of other nodes are for the prober;
 * other ICMP is taken note of by nobody. TCP and UDP find no service here, other protocols nobody who speaks
 * them; fragments are put together first.
 *
 * A reply carries the IPv4 options of its request, but no IPv6 extension headers. It may be fragmented.
 *
 * Outputs: `answer`, to be routed; `reassemble`; `portUnreachable` and `protocolUnreachable`, with the
 * pointer of an ICMPv6 Parameter Problem in `info`. Drops: l4-checksum, ignored.
 */
import { l4Checksum, nonZero, pseudoIpv6 } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import { GSO } from '../../wire/virtio-net.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { ORIGINATED_TTL } from '../icmp-build.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';
import { isTransportSound, TRUSTED } from '../transport-checksum.js';

/** Where the fixed IPv6 header names what follows it. */
const NEXT_HEADER = 6;

export interface LocalOutputs {
  readonly answer: Batch;
  readonly reassemble: Batch;
  readonly portUnreachable: Batch;
  readonly protocolUnreachable: Batch;
}

/** Who waits for answers to echo requests of the switch's own. */
export interface ProbeAnswers {
  /** Whether the ICMP message in `slot` is one; it is not kept. */
  accept(slot: number): boolean;
}

const NO_PROBES: ProbeAnswers = { accept: () => false };

export class Local implements Element {
  readonly name = 'local';
  /** Of the last IPv4 reply: replies may be fragmented, so each has an identification (RFC 6864). */
  private identification = 0;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: LocalOutputs,
    private readonly probes = NO_PROBES,
  ) {}

  process(batch: Batch): void {
    const { context, outputs } = this;
    const { pool, checksum } = context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (isOnItsWay(pool, slot)) {
        context.drop(slot, DROP.ignored);
      } else if ((pool.flags[slot] & PACKET.FRAGMENT) !== 0) {
        outputs.reassemble.push(slot);
      } else {
        if (isTransportSound(pool, checksum, slot)) this.deliver(slot);
        else context.drop(slot, DROP['l4-checksum']);
      }
    }
  }

  private deliver(slot: number): void {
    const { context, outputs } = this;
    const { pool } = context;
    const isIpv4 = pool.kind[slot] === KIND.IPV4;
    const protocol = pool.protocol[slot];
    if (protocol === PROTOCOL.UDP || protocol === PROTOCOL.TCP) {
      outputs.portUnreachable.push(slot);
    } else if (protocol === (isIpv4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6)) {
      if (isEchoRequest(pool, slot, isIpv4)) this.answer(slot, isIpv4);
      else if (this.probes.accept(slot)) this.consume(slot);
      else context.drop(slot, DROP.ignored);
    } else if (!isIpv4 && protocol === extensions.EXTENSION.NONE) {
      context.drop(slot, DROP.ignored);
    } else {
      pool.info[slot] = isIpv4 ? 0 : pointerToProtocol(pool, slot);
      outputs.protocolUnreachable.push(slot);
    }
  }

  private consume(slot: number): void {
    const { pool, counters } = this.context;
    counters.consumed();
    pool.release(slot);
  }

  private answer(slot: number, isIpv4: boolean): void {
    const { pool, counters } = this.context;
    if (isIpv4) this.answerIpv4(slot);
    else this.answerIpv6(slot);
    ethernet.swapMacs(pool.view, pool.at[slot]);
    pool.flags[slot] = PACKET.ORIGINATED | (pool.flags[slot] & PACKET.OPTIONS);
    pool.gsoType[slot] = GSO.NONE;
    pool.info[slot] = 0;
    counters.consumed();
    counters.originated();
    this.outputs.answer.push(slot);
  }

  private answerIpv4(slot: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const l4 = pool.l4[slot];
    const source = ipv4.src(view, l3);
    this.identification = (this.identification + 1) & 0xffff;
    ipv4.setSrc(view, l3, ipv4.dst(view, l3));
    ipv4.setDst(view, l3, source);
    ipv4.setTtl(view, l3, ORIGINATED_TTL);
    ipv4.setId(view, l3, this.identification);
    ipv4.setFragment(view, l3, 0, 0);
    ipv4.writeChecksum(view, l3, ipv4.headerLength(view, l3));
    icmp.turnIntoEchoReply(view, l4);
    // A reply of nothing but zeros has the sum 0, which an update cannot tell from 0xffff; 0xffff suits both.
    icmp.setChecksum(view, l4, nonZero(icmp.checksum(view, l4)));
    if ((pool.flags[slot] & TRUSTED) === 0) return;
    icmp.setChecksum(view, l4, 0);
    icmp.setChecksum(view, l4, l4Checksum(checksum, 0, l4, l3 + pool.l3Length[slot] - l4));
  }

  /** Extension headers disappear under the fixed header, which moves up to the message. */
  private answerIpv6(slot: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const length = pool.l3[slot] + pool.l3Length[slot] - l4;
    const extra = l4 - ipv6.HEADER_LENGTH - pool.l3[slot];
    if (extra > 0) {
      const headers = ethernet.HEADER_LENGTH + ipv6.HEADER_LENGTH;
      checksum.copy(pool.at[slot] + extra, pool.at[slot], headers);
      pool.at[slot] += extra;
      pool.l3[slot] += extra;
      pool.l3Length[slot] -= extra;
      pool.length[slot] -= extra;
    }
    const l3 = pool.l3[slot];
    ipv6.swapAddresses(view, l3);
    ipv6.writeHeader(view, l3, ipv6.trafficClass(view, l3), 0, length, PROTOCOL.ICMPV6, ORIGINATED_TTL);
    icmpv6.turnIntoEchoReply(view, l4);
    if ((pool.flags[slot] & TRUSTED) === 0) return;
    icmpv6.setChecksum(view, l4, 0);
    const pseudo = pseudoIpv6(view, l3, PROTOCOL.ICMPV6, length);
    icmpv6.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, length));
  }
}

function isEchoRequest(pool: PacketPool, slot: number, isIpv4: boolean): boolean {
  const { view } = pool;
  const l4 = pool.l4[slot];
  if (isIpv4) return icmp.type(view, l4) === icmp.TYPE.ECHO_REQUEST && icmp.code(view, l4) === 0;
  return icmpv6.type(view, l4) === icmpv6.TYPE.ECHO_REQUEST && icmpv6.code(view, l4) === 0;
}

/** A routing header that is not used up asks for more hops, which no host gives (RFC 5095). */
function isOnItsWay(pool: PacketPool, slot: number): boolean {
  if (pool.kind[slot] !== KIND.IPV6) return false;
  const l3 = pool.l3[slot];
  if (ipv6.nextHeader(pool.view, l3) === pool.protocol[slot]) return false;
  return extensions.hasSegmentsLeft(extensions.walk(pool.view, l3, l3 + pool.l3Length[slot]));
}

/** Octets from the fixed header to the field that names the upper layer's protocol (RFC 4443 section 3.4). */
function pointerToProtocol(pool: PacketPool, slot: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  let type = ipv6.nextHeader(view, l3);
  let pointer = NEXT_HEADER;
  let p = l3 + ipv6.HEADER_LENGTH;
  while (p < pool.l4[slot]) {
    pointer = p - l3;
    const next = view.getUint8(p);
    p += extensionLength(view, p, type);
    type = next;
  }
  return pointer;
}

/** Octets of the extension header at `p`, which the parser has walked over. */
function extensionLength(view: DataView, p: number, type: number): number {
  if (type === extensions.EXTENSION.FRAGMENT) return extensions.FRAGMENT_LENGTH;
  const units = view.getUint8(p + 1);
  return type === extensions.EXTENSION.AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
}
