/**
 * Gossip: how engines that share ports tell each other what they learned. Without it every worker would flood what
 * another one has learned already.
 *
 * Each engine reads some of the ports and writes to all. What it learns from a packet it pushes at once into its ring
 * to each other engine (gossip-ring.ts), and each engine applies what waits for it between reading packets and looking
 * at them. What was applied is never told on, so every message is about a port that its sender reads, and two ports
 * with the same address cause no storm.
 *
 * Why an answer finds its entry. Engine A reads a packet, stores its message (Atomics.store of the tail) and then hands
 * the packet to the kernel. The kernel gives it to the pod, the pod answers, engine B reads the answer, and only
 * after all reads of its cycle B loads the tail. Each step happens after the one before: a system call and the kernel's
 * queue locks order the store before what the receiver does, on any processor, and an atomic load cannot move before
 * the system call that returned the packet, or the load of the ring's tail by which io_uring handed it over.
 *
 * Who is right. A message carries its place in one order over all engines (a shared counter, raised with each). The
 * latest message about an address wins, wherever it arrives first: all engines come to the same state, and where that
 * is wrong, since two engines heard the address at the same time, the owner of the right port sees the difference with
 * its next packet and says so. Where others may have forgotten and it cannot see that, it says so all the same
 * (learned-sharing.ts).
 *
 * Why nothing stale is applied. A message is put aside unless its port is open in the receiver's snapshot, in
 * the domain of the message, and the domain learns. One of a later snapshot waits, with those behind it, until the
 * receiver has it too. A receiver empties its rings before it takes a snapshot or forgets a port. A port is first closed
 * by a snapshot that is in force at all engines, then taken from the engine that reads it, and from the others when
 * that is done: whatever was said of it is in their rings by then, of a snapshot that they have, and they hear it and
 * forget the port. So nothing is left for whom the number is given next.
 *
 * A full ring: the message is lost, counted (unsharedAddresses), and told again by the next sweep (learned.ts).
 *
 * Bounds: N × (N - 1) rings of 40 KiB. Cost: 45 ns to tell one other engine, 100 to apply a message; 13 for a cycle with
 * one empty ring.
 */
import { GossipRing, makeRing, RECORD_WORDS, RECORDS } from './gossip-ring.js';

/** Most engines that may share: a set of them is 16 bits. */
export const MAX_WORKERS = 16;

/** What one engine gets of the rings; it may be posted to another thread. */
export interface GossipShare {
  /** Which of the engines it is. */
  readonly own: number;
  /** By sender and receiver. */
  readonly rings: readonly (readonly SharedArrayBuffer[])[];
}

/** Rings for this many engines. An engine has none to itself: in the first one's place is the common counter. */
export function makeGossipRings(workers: number): SharedArrayBuffer[][] {
  if (!(workers >= 1 && workers <= MAX_WORKERS)) throw new RangeError(`no gossip of ${workers} workers`);
  return Array.from({ length: workers }, (_, from) =>
    Array.from({ length: workers }, (_, to) => (from === to ? new SharedArrayBuffer(4) : makeRing())),
  );
}

/** What a message is about. */
export const ABOUT = { MAC: 0, IPV4: 1, IPV6: 2 } as const;

/** Words of a message. The address of a MAC message is unused; an IPv4 address is the last word of it. */
export const MESSAGE = {
  /** ABOUT in bits 0 to 3, VLAN in 4 to 15, port from 16 on. */
  SUBJECT: 0,
  /** The domain, and below it the first two octets of the MAC address. */
  DOMAIN_HI: 1,
  LO: 2,
  ADDRESS: 3,
  /** Its place among all messages. */
  ORDER: 7,
  /** Generation of the sender's snapshot. */
  GENERATION: 8,
  /** How long ago the address was seen (ms). */
  AGE: 9,
} as const;

const VLAN_SHIFT = 4;
const PORT_SHIFT = 16;

export function aboutOf(message: Int32Array): number {
  return message[MESSAGE.SUBJECT] & 0xf;
}

export function vlanOf(message: Int32Array): number {
  return (message[MESSAGE.SUBJECT] >>> VLAN_SHIFT) & 0xfff;
}

export function portOf(message: Int32Array): number {
  return message[MESSAGE.SUBJECT] >>> PORT_SHIFT;
}

/** Who applies messages. */
export interface GossipReceiver {
  /** The message is valid until the next. */
  hear(message: Int32Array): void;
}

export class Gossip {
  /** The message that is told next. */
  readonly message = new Int32Array(RECORD_WORDS);
  /** Every other engine, as bits. */
  readonly others: number;
  private readonly heard = new Int32Array(RECORD_WORDS);
  private readonly out: readonly GossipRing[];
  private readonly in: readonly GossipRing[];
  /** By place in `out`: the engine's bit. */
  private readonly bits: readonly number[];
  private readonly order: Int32Array;

  constructor({ own, rings }: GossipShare) {
    const others = rings.map((_, index) => index).filter((index) => index !== own);
    this.bits = others.map((index) => 1 << index);
    this.others = this.bits.reduce((all, bit) => all | bit, 0);
    this.out = others.map((index) => new GossipRing(rings[own][index]));
    this.in = others.map((index) => new GossipRing(rings[index][own]));
    this.order = new Int32Array(rings[0][0]);
  }

  /** The place of a message that is told for the first time, after all that were told before. */
  nextOrder(): number {
    return (Atomics.add(this.order, 0, 1) + 1) | 0;
  }

  subject(about: number, vlan: number, port: number): void {
    this.message[MESSAGE.SUBJECT] = about | (vlan << VLAN_SHIFT) | (port << PORT_SHIFT);
  }

  /** Tells `message` to the engines of the set `to`. Returns those that it could not be told: their ring is full. */
  tell(to: number): number {
    return this.push(to, 0);
  }

  /** The same for one that is told again: half of each ring is left to what is new. */
  repeat(to: number): number {
    return this.push(to, RECORDS >>> 1);
  }

  /** Has `receiver` hear all that waits at this moment, up to the first message of a snapshot after `generation`. */
  drain(receiver: GossipReceiver, generation: number): void {
    const { heard } = this;
    for (let i = 0; i < this.in.length; i++) {
      const ring = this.in[i];
      for (let left = ring.waiting; left > 0; left--) {
        ring.peek(heard);
        if (((heard[MESSAGE.GENERATION] - generation) | 0) > 0) break;
        ring.release();
        receiver.hear(heard);
      }
    }
  }

  private push(to: number, spare: number): number {
    const { out, bits, message } = this;
    let missed = 0;
    for (let i = 0; i < out.length; i++) {
      if ((to & bits[i]) !== 0 && !out[i].push(message, spare)) missed |= bits[i];
    }
    return missed;
  }
}
