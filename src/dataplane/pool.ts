/**
 * The packet pool: memory for packets and what is known of each.
 *
 * A packet is the index of its slot. Its bytes lie in one shared WebAssembly.Memory, which the kernel reads
 * into and writes from; its facts lie in parallel typed arrays indexed by slot. The free list is last-in
 * first-out, so hot slots stay hot, and pages of slots never used cost nothing.
 *
 * Ownership: whoever got a slot from `take` or from a device owns one reference and passes it on or gives it
 * back with `release`. A flooded packet is one slot with several references; nobody may write to a slot that
 * has more than one (`isShared`).
 *
 * Costs: 64 bytes of facts a slot. Evicts nothing: an empty pool answers -1 and the caller counts a drop.
 */
import { FRAME_START, SLOT_SIZE } from './constants.js';

/** What kind of packet follows the Ethernet header and its tags. */
export const KIND = { OTHER: 0, ARP: 1, IPV4: 2, IPV6: 3 } as const;

/** Bits of `PacketPool.flags`. */
export const PACKET = {
  /** The L4 checksum holds the pseudo-header sum only (virtio NEEDS_CSUM). */
  PARTIAL_CHECKSUM: 1,
  /** The L4 checksum was verified by who handed the packet over (virtio DATA_VALID). */
  CHECKSUM_VALID: 2,
  /** A fragment, first or later. */
  FRAGMENT: 4,
  /** Made by the switch itself: no source guard, and it never causes an ICMP error. */
  ORIGINATED: 8,
  /** IPv4 with options: the router has more to check. */
  OPTIONS: 16,
  /** Its addresses are another's already: it is for no service any more. */
  TRANSLATED: 32,
} as const;

/** Bit of `PacketPool.vlan` that tells VLAN 0 (priority tag) from no tag at all. */
export const VLAN_TAGGED = 0x1000;

export class PacketPool {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly capacity: number;
  /** Address within the memory of slot 0. */
  readonly base: number;

  /** Where the frame begins (its destination MAC), as an address in the memory. */
  readonly at: Int32Array;
  /** Frame length in bytes, from the destination MAC to the end; no virtio header, no FCS. */
  readonly length: Int32Array;
  /** Where the network header begins, as an address in the memory. */
  readonly l3: Int32Array;
  /** Bytes of the network packet: header, extensions and payload, without link-layer padding. */
  readonly l3Length: Int32Array;
  /** Where the transport header begins; 0 where there is none (later fragment, ARP, unknown). */
  readonly l4: Int32Array;
  /** Ingress port. */
  readonly port: Uint16Array;
  /** Egress port, once an element has chosen it. */
  readonly egress: Uint16Array;
  /** Bridge domain that the packet is in; after routing, the one it leaves through. */
  readonly domain: Uint16Array;
  /** VLAN id of the outer tag | VLAN_TAGGED; 0: untagged. */
  readonly vlan: Uint16Array;
  /** One of KIND. */
  readonly kind: Uint8Array;
  /** Upper-layer protocol number behind IPv4 or the IPv6 extension headers. */
  readonly protocol: Uint8Array;
  /** Bits of PACKET. */
  readonly flags: Uint8Array;
  /** virtio gso_type; 0: one packet on the wire too. */
  readonly gsoType: Uint8Array;
  /** Payload bytes of each segment that a GSO packet becomes. */
  readonly gsoSize: Uint16Array;
  /** With PARTIAL_CHECKSUM: where to sum from, and where to store, relative to the frame and to that. */
  readonly checksumStart: Uint16Array;
  readonly checksumOffset: Uint16Array;
  /** An element's word to the next: next-hop index, MTU of a Packet Too Big, flow hash of a datagram … */
  readonly info: Int32Array;
  /**
   * Of a tunnel datagram (device.ts): the underlay address of the other end, four words a slot, IPv4 as an
   * IPv4-mapped address (RFC 4291 section 2.5.5.2), and its UDP port. `gsoSize` of a datagram is the length of
   * each of several that lie one behind the other, the last of which may be shorter; 0: there is one.
   */
  readonly remote: Int32Array;
  readonly remotePort: Uint16Array;

  private readonly references: Uint16Array;
  private readonly freeList: Uint32Array;
  private freeCount: number;

  /** @param slots how many packets may exist at once. 4 GiB of memory hold 65,000. */
  constructor(slots: number) {
    const pages = Math.ceil(((slots + 1) * SLOT_SIZE) / 65_536);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.capacity = slots;
    // Address 0 stays unused, so that 0 can mean "no header", and a kernel's scratch space fits there.
    this.base = SLOT_SIZE - (SLOT_SIZE % 4);
    this.at = new Int32Array(slots);
    this.length = new Int32Array(slots);
    this.l3 = new Int32Array(slots);
    this.l3Length = new Int32Array(slots);
    this.l4 = new Int32Array(slots);
    this.port = new Uint16Array(slots);
    this.egress = new Uint16Array(slots);
    this.domain = new Uint16Array(slots);
    this.vlan = new Uint16Array(slots);
    this.kind = new Uint8Array(slots);
    this.protocol = new Uint8Array(slots);
    this.flags = new Uint8Array(slots);
    this.gsoType = new Uint8Array(slots);
    this.gsoSize = new Uint16Array(slots);
    this.checksumStart = new Uint16Array(slots);
    this.checksumOffset = new Uint16Array(slots);
    this.info = new Int32Array(slots);
    this.remote = new Int32Array(slots * 4);
    this.remotePort = new Uint16Array(slots);
    this.references = new Uint16Array(slots);
    this.freeList = new Uint32Array(slots);
    for (let i = 0; i < slots; i++) this.freeList[i] = slots - 1 - i;
    this.freeCount = slots;
  }

  /** Slots that nobody owns. */
  get free(): number {
    return this.freeCount;
  }

  /** A slot with one reference and its frame at the usual place, or -1 when the pool is empty. */
  take(): number {
    if (this.freeCount === 0) return -1;
    const slot = this.freeList[--this.freeCount];
    this.references[slot] = 1;
    this.at[slot] = this.base + slot * SLOT_SIZE + FRAME_START;
    return slot;
  }

  /** Adds `count` references: one slot, sent to several ports. */
  share(slot: number, count: number): void {
    this.references[slot] += count;
  }

  isShared(slot: number): boolean {
    return this.references[slot] > 1;
  }

  /** Whether anybody owns the slot; a free one has no reference. */
  isOwned(slot: number): boolean {
    return this.references[slot] > 0;
  }

  /** Gives one reference back; the last one frees the slot. */
  release(slot: number): void {
    if (--this.references[slot] === 0) this.freeList[this.freeCount++] = slot;
  }

  /** Marks a packet as plain: no offload, no tag, nothing known. Length is the frame's. */
  reset(slot: number, length: number, port: number): void {
    this.length[slot] = length;
    this.port[slot] = port;
    this.flags[slot] = 0;
    this.gsoType[slot] = 0;
    this.gsoSize[slot] = 0;
    this.vlan[slot] = 0;
    this.info[slot] = 0;
    this.l4[slot] = 0;
  }

  /** Copies the facts of a packet, with places translated to `to`'s own frame; not its bytes. */
  copyFacts(from: number, to: number): void {
    const shift = this.at[to] - this.at[from];
    this.length[to] = this.length[from];
    this.l3[to] = this.l3[from] + shift;
    this.l3Length[to] = this.l3Length[from];
    this.l4[to] = this.l4[from] === 0 ? 0 : this.l4[from] + shift;
    this.port[to] = this.port[from];
    this.egress[to] = this.egress[from];
    this.domain[to] = this.domain[from];
    this.vlan[to] = this.vlan[from];
    this.kind[to] = this.kind[from];
    this.protocol[to] = this.protocol[from];
    this.flags[to] = this.flags[from];
    this.gsoType[to] = this.gsoType[from];
    this.gsoSize[to] = this.gsoSize[from];
    this.checksumStart[to] = this.checksumStart[from];
    this.checksumOffset[to] = this.checksumOffset[from];
    this.info[to] = this.info[from];
  }

  /** One past the last byte of a slot: nothing of the packet may lie at or behind it. */
  end(slot: number): number {
    return this.base + (slot + 1) * SLOT_SIZE;
  }
}
