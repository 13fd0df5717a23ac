/**
 * Reset: refuses a TCP packet with a reset, built in its place (RFC 9293 section 3.10.7.1, "CLOSED").
 *
 * The received packet is counted as dropped, with the reason that is in `info`; the reset is originated. A reset causes none.
 * Resets are as many as the packets that cause them and smaller, so no limiter is needed.
 *
 * Output `out`: a packet to be routed.
 */
import { l4Checksum, pseudoIpv4, pseudoIpv6 } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as tcp from '../../wire/tcp.js';
import { GSO } from '../../wire/virtio-net.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { ORIGINATED_TTL } from '../icmp-build.js';
import { KIND, PACKET } from '../pool.js';

export class Reset implements Element {
  readonly name = 'reset';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly out: Batch,
  ) {}

  process(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      counters.dropped(pool.port[slot], pool.info[slot]);
      if ((tcp.flags(pool.view, pool.l4[slot]) & tcp.FLAG.RST) !== 0) {
        pool.release(slot);
        continue;
      }
      this.turn(slot);
      counters.originated();
      this.out.push(slot);
    }
  }

  private turn(slot: number): void {
    const { pool } = this.context;
    this.turnSegment(slot);
    ethernet.swapMacs(pool.view, pool.at[slot]);
    if (pool.kind[slot] === KIND.IPV4) this.turnIpv4(slot);
    else this.turnIpv6(slot);
    pool.flags[slot] = PACKET.ORIGINATED | PACKET.TRANSLATED;
    pool.gsoType[slot] = GSO.NONE;
    pool.gsoSize[slot] = 0;
    pool.info[slot] = 0;
  }

  /** The header without options and payload; its checksum waits for the network header. */
  private turnSegment(slot: number): void {
    const { pool } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const end = pool.l3[slot] + pool.l3Length[slot];
    const flags = tcp.flags(view, l4);
    const isAcknowledged = (flags & tcp.FLAG.ACK) !== 0;
    const sequence = isAcknowledged ? tcp.acknowledgment(view, l4) : 0;
    const payload = end - l4 - tcp.dataOffset(view, l4);
    const octets = payload + ((flags & tcp.FLAG.SYN) === 0 ? 0 : 1) + ((flags & tcp.FLAG.FIN) === 0 ? 0 : 1);
    const acknowledgment = isAcknowledged ? 0 : (tcp.sequence(view, l4) + octets) >>> 0;
    const source = tcp.dstPort(view, l4);
    tcp.setDstPort(view, l4, tcp.srcPort(view, l4));
    tcp.setSrcPort(view, l4, source);
    tcp.writeReset(view, l4, sequence, acknowledgment, isAcknowledged);
  }

  /** Without options: nobody who is reset needs them. */
  private turnIpv4(slot: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const l3 = l4 - ipv4.HEADER_LENGTH;
    const old = pool.l3[slot];
    const source = ipv4.dst(view, old);
    const destination = ipv4.src(view, old);
    this.moveUp(slot, l3);
    const length = ipv4.HEADER_LENGTH + tcp.HEADER_LENGTH;
    const flags = ipv4.FLAG.DONT_FRAGMENT;
    ipv4.writeHeader(view, l3, 0, length, 0, flags, ORIGINATED_TTL, PROTOCOL.TCP, source, destination);
    this.finish(slot, length);
    const pseudo = pseudoIpv4(view, l3, PROTOCOL.TCP, tcp.HEADER_LENGTH);
    tcp.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, tcp.HEADER_LENGTH));
  }

  private turnIpv6(slot: number): void {
    const { pool, checksum } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const l3 = l4 - ipv6.HEADER_LENGTH;
    ipv6.swapAddresses(view, pool.l3[slot]);
    // Both addresses move over the extension headers, if any: from the front, so that none is written over before it is read.
    this.moveUp(slot, l3, ipv6.HEADER_LENGTH);
    ipv6.writeHeader(view, l3, 0, 0, tcp.HEADER_LENGTH, PROTOCOL.TCP, ORIGINATED_TTL);
    this.finish(slot, ipv6.HEADER_LENGTH + tcp.HEADER_LENGTH);
    const pseudo = pseudoIpv6(view, l3, PROTOCOL.TCP, tcp.HEADER_LENGTH);
    tcp.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, tcp.HEADER_LENGTH));
  }

  /** The Ethernet header, and as much of the network header as asked for, to right before `l3`. */
  private moveUp(slot: number, l3: number, header = 0): void {
    const { pool, checksum } = this.context;
    const at = l3 - ethernet.HEADER_LENGTH;
    if (at !== pool.at[slot]) checksum.copy(at, pool.at[slot], ethernet.HEADER_LENGTH + header);
    pool.at[slot] = at;
    pool.l3[slot] = l3;
  }

  private finish(slot: number, length: number): void {
    const { pool } = this.context;
    pool.l3Length[slot] = length;
    pool.length[slot] = ethernet.HEADER_LENGTH + length;
  }
}
