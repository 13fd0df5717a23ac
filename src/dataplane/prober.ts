/**
 * The prober: finds out through the data path which peers answer.
 *
 * Each peer of the snapshot with a `probe` address is sent an echo request inside the tunnel (probe-packet.ts), by
 * the way that routed packets take, whether or not a route to it is in force. An answer proves the way there, the
 * peer's tunnel and the way back. Nothing else counts as life: a packet from the peer proves only the way from it,
 * and what a pod there sends without being asked could keep routes alive that lead nowhere.
 *
 * A peer is up with the first answer, and down when MISSES probes in a row have been left unanswered: 3 s. Probes
 * are a second apart, and QUICK ms apart for the first seconds of a peer that is not up. Each interval is shortened
 * by a chance of up to an eighth, so that probes of many peers and nodes do not fall into step; at most BUDGET are
 * sent at once, GAP ms apart.
 *
 * Time is an argument. A probe is judged when the next one is due. Where that comes much too late, because the
 * process stood still or the machine slept, its answer may be waiting unread: it is not judged, and a new one is
 * sent. An answer to one of the last WINDOW probes counts; a round trip is taken only from the latest and in time.
 *
 * Answers are known by a token of 32 bits that only the seed's owner can compute, and by the peer whose prefix they
 * come from, which the tunnel has checked (drop tunnel-source). So no pod, and no other node, can speak for a peer.
 *
 * Costs: 64 bytes for each number up to the highest in use, nothing for a probe; a look at every peer once in GAP
 * ms while some probe is due. Bounded by MAX_PEERS. Without a free slot a probe waits, and is not counted as sent.
 */
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Batch } from './batch.js';
import { PEER_EGRESS } from './constants.js';
import type { Context } from './element.js';
import { PEER_STATE, PeerStates } from './peer-states.js';
import { KIND } from './pool.js';
import { isEchoReply, isProbed, quotedProbe, tokenAt, writeProbe } from './probe-packet.js';
import { KeyedHash } from './tables/hash.js';
import { NEXT_HOP } from './tables/next-hops.js';
import { NO_PEER } from './tables/peer-table.js';
import { NO_TUNNEL, PEER_SOURCES_TABLE, type Tables } from './tables.js';

/** Between two probes of a peer (ms). */
const INTERVAL = 1000;
/** The same while it is not up and has had fewer than QUICK_PROBES: 3 s. */
const QUICK = 250;
const QUICK_PROBES = 12;
/** Unanswered probes in a row after which a peer is down. */
const MISSES = 3;
/** Most probes in one sweep, and the time between sweeps that send any (ms): 16,384 peers take 640 ms. */
const BUDGET = 128;
const GAP = 5;
/** How late a probe may be judged (ms): later than this, the process has not been running. */
const LATE = 200;
/** How many probes back an answer counts. A power of two. */
const WINDOW = 4;

/** In `due`: to be set by the next sweep, which knows the time. */
const UNSET = -1;
/** In `sentAt`: the probe has been answered; a second answer is a copy. */
const DONE = -1;

/** Told when a peer begins or ceases to be up, and when one that was never up does not answer. */
export type PeerListener = (peer: number, isUp: boolean) => void;

export class Prober {
  readonly states = new PeerStates();
  onPeer: PeerListener = () => {};
  /** Peers that are probed: the first `count`. */
  private peers = new Uint16Array(0);
  private count = 0;
  /** By peer: number of the last probe; it goes on when a number changes hands, so that no old answer counts. */
  private probes = new Uint32Array(0);
  /** By peer and probe modulo WINDOW: when it was sent (ms). */
  private sentAt = new Float64Array(0);
  private due = new Float64Array(0);
  private isAwaited = new Uint8Array(0);
  private missed = new Uint8Array(0);
  private quick = new Uint8Array(0);
  /** When the peers must be looked at again (ms). */
  private next = 0;
  /** Where the next look begins, so that a budget that runs out does so on others. */
  private first = 0;
  private readonly hash: KeyedHash;

  /** @param output takes probes with their egress chosen. */
  constructor(
    private readonly context: Context,
    private readonly output: Batch,
    seed: number,
  ) {
    // The tables hash what packets say under the seed itself.
    this.hash = new KeyedHash((seed ^ 0x70_72_6f_62) >>> 0);
  }

  /** A snapshot comes into force in place of `before`: peers that are new, or are others now, start anew. */
  swap(before: Tables, after: Tables): void {
    const size = Math.max(before.peers.known.length, after.peers.known.length);
    this.grow(size);
    for (let peer = 0; peer < size; peer++) if (!isSame(before, after, peer)) this.restart(peer);
    this.peers = Uint16Array.from({ length: size }, (_, peer) => peer).filter((peer) =>
      canProbe(after, peer),
    );
    this.count = this.peers.length;
    this.next = 0;
  }

  /** Queues the probes that are due. Answers how long until the next (ms), or -1 where nobody is probed. */
  sweep(now: number): number {
    if (this.count === 0) return -1;
    // Passed on in the context: a fraction is boxed on the heap for a call that V8 does not inline.
    this.context.now = now;
    if (now >= this.next) this.look();
    return Math.ceil(this.next - now);
  }

  /** Whether the last sweep has queued any. */
  get hasQueued(): boolean {
    return this.output.count > 0;
  }

  /** Takes note of an ICMP message for the switch, if it answers a probe; its slot stays the caller's. */
  accept(slot: number): boolean {
    const { pool, tables } = this.context;
    const { tunnel } = tables;
    if (this.count === 0 || pool.port[slot] !== tunnel.port || pool.domain[slot] !== tunnel.domain)
      return false;
    const isIpv4 = pool.kind[slot] === KIND.IPV4;
    const l3 = pool.l3[slot];
    const peer = this.sender(l3, isIpv4);
    if (peer === NO_PEER) return false;
    const src = isIpv4 ? ipv4.SRC : ipv6.SRC;
    if (isEchoReply(pool, slot)) {
      return isProbed(this.context, isIpv4, l3 + src, peer) && this.answered(peer, pool.l4[slot]);
    }
    const quote = quotedProbe(pool, slot);
    if (quote === 0) return false;
    const dst = isIpv4 ? ipv4.DST : ipv6.DST;
    const l4 = quote + (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
    return isProbed(this.context, isIpv4, quote + dst, peer) && this.answered(peer, l4);
  }

  private grow(size: number): void {
    if (size <= this.probes.length) return;
    this.probes = grown(this.probes, new Uint32Array(size));
    this.sentAt = grown(this.sentAt, new Float64Array(size * WINDOW));
    this.due = grown(this.due, new Float64Array(size).fill(UNSET));
    this.isAwaited = grown(this.isAwaited, new Uint8Array(size));
    this.missed = grown(this.missed, new Uint8Array(size));
    this.quick = grown(this.quick, new Uint8Array(size));
  }

  private restart(peer: number): void {
    const wasUp = this.states.isUp(peer);
    this.states.reset(peer);
    this.probes[peer] += WINDOW;
    this.due[peer] = UNSET;
    this.isAwaited[peer] = 0;
    this.missed[peer] = 0;
    this.quick[peer] = QUICK_PROBES;
    this.sentAt.fill(DONE, peer * WINDOW, (peer + 1) * WINDOW);
    if (wasUp) this.onPeer(peer, false);
  }

  private look(): void {
    const { peers, due, count } = this;
    const { pool, now } = this.context;
    // Half of what is free is left to packets.
    let budget = Math.min(BUDGET, pool.free >>> 1);
    let earliest = Number.POSITIVE_INFINITY;
    let at = this.first < count ? this.first : 0;
    for (let i = 0; i < count; i++) {
      const peer = peers[at];
      if (due[peer] === UNSET) due[peer] = now + this.spread(peer);
      if (due[peer] <= now && budget > 0) {
        this.probe(peer);
        if (--budget === 0) this.first = at + 1;
      }
      if (due[peer] < earliest) earliest = due[peer];
      if (++at === count) at = 0;
    }
    this.next = Math.max(earliest, now + GAP);
  }

  private probe(peer: number): void {
    const { pool, counters, now } = this.context;
    if (this.isAwaited[peer] === 1 && now - this.due[peer] <= LATE) this.miss(peer);
    const slot = pool.take();
    const probe = ++this.probes[peer];
    const token = this.token(peer, probe);
    writeProbe(this.context, slot, peer, token);
    pool.egress[slot] = PEER_EGRESS + peer;
    counters.originated();
    this.output.push(slot);
    this.states.countSent(peer);
    this.sentAt[peer * WINDOW + (probe & (WINDOW - 1))] = now;
    this.isAwaited[peer] = 1;
    const isQuick = !this.states.isUp(peer) && this.quick[peer] > 0;
    if (isQuick) this.quick[peer]--;
    const interval = isQuick ? QUICK : INTERVAL;
    this.due[peer] = now + interval - (interval * (token & 0xff)) / 2048;
  }

  private miss(peer: number): void {
    if (this.missed[peer] === MISSES) return;
    if (++this.missed[peer] < MISSES) return;
    this.states.setState(peer, PEER_STATE.DOWN);
    this.onPeer(peer, false);
  }

  /** An echo message of `peer` at `l4` that may hold the token of a probe. */
  private answered(peer: number, l4: number): boolean {
    const { context, states } = this;
    const { now } = context;
    const token = tokenAt(context.pool.view, l4);
    const last = this.probes[peer];
    let back = 0;
    while (this.token(peer, last - back) !== token) if (++back === WINDOW) return false;
    const at = peer * WINDOW + ((last - back) & (WINDOW - 1));
    const sent = this.sentAt[at];
    if (sent === DONE) return false;
    this.sentAt[at] = DONE;
    if (back === 0) {
      this.isAwaited[peer] = 0;
      if (now <= this.due[peer] + LATE) states.measured(peer, now - sent);
    }
    this.missed[peer] = 0;
    states.countAnswer(peer, now);
    if (states.isUp(peer)) return true;
    this.quick[peer] = 0;
    states.setState(peer, PEER_STATE.UP);
    this.onPeer(peer, true);
    return true;
  }

  private token(peer: number, probe: number): number {
    return this.hash.hash2(peer, probe | 0);
  }

  /** New peers are probed at once, a millisecond apart, and no later than QUICK. */
  private spread(peer: number): number {
    return (Math.min(this.count - 1, QUICK) * (this.token(peer, 0) & 0xff)) / 256;
  }

  /** The peer that may use the source address of the packet at `l3`. */
  private sender(l3: number, isIpv4: boolean): number {
    const { pool, tables } = this.context;
    const { view } = pool;
    const hop = isIpv4
      ? tables.fib4.lookup(PEER_SOURCES_TABLE, ipv4.src(view, l3) | 0)
      : tables.fib6.lookup(
          PEER_SOURCES_TABLE,
          ipv6.srcWord(view, l3, 0) | 0,
          ipv6.srcWord(view, l3, 1) | 0,
          ipv6.srcWord(view, l3, 2) | 0,
          ipv6.srcWord(view, l3, 3) | 0,
        );
    if (hop < 0 || tables.nextHops.kind[hop] !== NEXT_HOP.PEER) return NO_PEER;
    return tables.nextHops.target[hop];
  }
}

/** Whether a number stands for the same node, reached and probed in the same way. */
function isSame(before: Tables, after: Tables, peer: number): boolean {
  const a = before.peers;
  const b = after.peers;
  if ((a.known[peer] ?? 0) !== (b.known[peer] ?? 0)) return false;
  if (a.port[peer] !== b.port[peer] || a.probeFamily[peer] !== b.probeFamily[peer]) return false;
  if (a.macHi[peer] !== b.macHi[peer] || a.macLo[peer] !== b.macLo[peer]) return false;
  for (let word = peer * 4; word < peer * 4 + 4; word++) {
    if (a.address[word] !== b.address[word] || a.probe[word] !== b.probe[word]) return false;
  }
  return true;
}

/** It has an address to be probed at, and this node one of that family to ask from. */
function canProbe({ tunnel, peers, domains }: Tables, peer: number): boolean {
  if (tunnel.port === NO_TUNNEL) return false;
  const word = tunnel.domain * 4;
  const { v6 } = domains;
  if (peers.probeFamily[peer] === 4) return (domains.v4[tunnel.domain] ?? 0) !== 0;
  return peers.probeFamily[peer] === 6 && (v6[word] | v6[word + 1] | v6[word + 2] | v6[word + 3]) !== 0;
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
