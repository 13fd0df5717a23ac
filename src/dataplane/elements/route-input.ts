/**
 * RouteInput: what a router checks before it looks for a route (RFC 1812 section 5.2.2 and 5.3.7, RFC 7126).
 *
 * Takes untagged IPv4 and IPv6 packets for the switch's own MAC address. IPv4: the header checksum; options
 * that can be walked, of which source routes are refused and the others carried; addresses that no packet may
 * have. Multicast, broadcast and link-local packets are not forwarded, but what is for the switch itself is
 * let through from and to link-local addresses, so that a neighbour can ping its gateway under any name.
 * Link-layer padding is cut off: behind this element `length` ends with the network packet.
 *
 * Outputs: `ok`; `local`, for the switch itself, where the FIB cannot know it (link-local).
 * Drops: ipv4-checksum, malformed-ipv4, source-route, martian, not-forwardable.
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as options from '../../wire/ipv4-options.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';
import { SWITCH_PORT } from '../tables.js';

/** What the checks answer; anything else is a drop reason. */
const ROUTED = -1;
const OWN = -2;

const BROADCAST = 0xffff_ffff;

export class RouteInput implements Element {
  readonly name = 'route-input';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly ok: Batch; readonly local: Batch },
  ) {}

  process(batch: Batch): void {
    const { context, outputs } = this;
    const { pool } = context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const verdict = pool.kind[slot] === KIND.IPV4 ? this.checkIpv4(slot) : this.checkIpv6(slot);
      if (verdict >= 0) {
        context.drop(slot, verdict);
        continue;
      }
      pool.length[slot] = pool.l3[slot] - pool.at[slot] + pool.l3Length[slot];
      if (verdict === ROUTED) outputs.ok.push(slot);
      else outputs.local.push(slot);
    }
  }

  private checkIpv4(slot: number): number {
    const { pool } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const headerLength = ipv4.headerLength(view, l3);
    if (!ipv4.isChecksumRight(view, l3, headerLength)) return DROP['ipv4-checksum'];
    if ((pool.flags[slot] & PACKET.OPTIONS) !== 0) {
      if (!options.areSound(view, l3, headerLength)) return DROP['malformed-ipv4'];
      if (options.hasSourceRoute(view, l3, headerLength)) return DROP['source-route'];
    }
    const src = ipv4.src(view, l3);
    const dst = ipv4.dst(view, l3);
    if (isMartianSource(src) || isMartianDestination(dst)) return DROP.martian;
    if (ipv4.isMulticast(dst) || dst === BROADCAST) return DROP['not-forwardable'];
    if (!isLinkLocal(src) && !isLinkLocal(dst)) return ROUTED;
    return this.isOwn4(slot, dst | 0) ? OWN : DROP['not-forwardable'];
  }

  private checkIpv6(slot: number): number {
    const { pool } = this.context;
    const { view } = pool;
    const src = pool.l3[slot] + ipv6.SRC;
    const dst = pool.l3[slot] + ipv6.DST;
    if (ipv6.isMulticast(view, src) || isNobody(view, src) || isNobody(view, dst)) return DROP.martian;
    if (ipv6.isMulticast(view, dst)) return DROP['not-forwardable'];
    if (!ipv6.isLinkLocal(view, src) && !ipv6.isLinkLocal(view, dst)) return ROUTED;
    return this.isOwn6(slot, dst) ? OWN : DROP['not-forwardable'];
  }

  private isOwn4(slot: number, address: number): boolean {
    const { pool, tables } = this.context;
    const index = tables.neighbours.lookup4(pool.domain[slot], address);
    return index >= 0 && tables.neighbours.port(index) === SWITCH_PORT;
  }

  private isOwn6(slot: number, at: number): boolean {
    const { pool, tables } = this.context;
    const { view } = pool;
    const index = tables.neighbours.lookup6(
      pool.domain[slot],
      ipv6.word(view, at, 0) | 0,
      ipv6.word(view, at, 1) | 0,
      ipv6.word(view, at, 2) | 0,
      ipv6.word(view, at, 3) | 0,
    );
    return index >= 0 && tables.neighbours.port(index) === SWITCH_PORT;
  }
}

/** "This" network, loopback, multicast, reserved and broadcast: 0/8, 127/8, 224/3 (RFC 1812 section 5.3.7). */
function isMartianSource(address: number): boolean {
  const first = address >>> 24;
  return first === 0 || first === 127 || first >= 224;
}

/** 0/8, 127/8, and 240/4 but for the limited broadcast address. */
function isMartianDestination(address: number): boolean {
  const first = address >>> 24;
  return first === 0 || first === 127 || (first >= 240 && address !== BROADCAST);
}

/** 169.254/16: a router must not forward from or to it (RFC 3927 section 2.7). */
function isLinkLocal(address: number): boolean {
  return address >>> 16 === 0xa9fe;
}

/** `::` and `::1`, which no packet on a link may have but for the source of a host without an address. */
function isNobody(view: DataView, address: number): boolean {
  return ipv6.isUnspecified(view, address) || ipv6.isLoopback(view, address);
}
