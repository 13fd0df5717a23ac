/**
 * Whether a packet may leave by the port, or for the peer, that was chosen for it: what policy says about its connection.
 *
 * Only where the port that it came from or that it leaves by asks (`policies.asks`). Then the packet belongs to a connection, which
 * is decided about once, by its first packet, for both ways; in a newer generation it is decided about again, by its next packet. What was refused stays
 * known as refused, so that who has opened it is not forgotten. A connection that is translated has that decision beside the
 * other one in its flow; any other has a flow for this alone.
 *
 * A TCP packet within a connection that nobody has seen begin, as after a restart or where a policy is new, may go either way. It
 * counts as the opener's if its port is the higher one, as those are which kernels give out; else the connection is the other
 * end's, who must be allowed to begin it, and the packet one that may come in where it goes: what a closed pod is sent is no answer because its
 * sender says so. So does a datagram, as long as its connection may be older than the policy: an answer that
 * was on its way when a pod was first asked about must not make its server the opener, and keep open what is forbidden.
 *
 * Never refused: what the switch itself says, ARP and neighbour discovery, membership in multicast groups, what a pod says to itself. ICMP errors go with the
 * connection that they are about, later fragments with their first one. What has neither ports nor queries that can be
 * answered is decided about packet by packet.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import { MAX_PORTS, PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { FlowKey } from '../flows/flow-key.js';
import { WAY as FLOW_WAY } from '../flows/flow-memory.js';
import { NOTHING, OPEN, TRACK } from '../flows/flow-table.js';
import { PART } from '../flows/icmp-queries.js';
import { isMembership } from '../group-membership.js';
import { isDiscovery } from '../neighbour-discovery.js';
import { wirePackets } from '../offload.js';
import { KIND, PACKET } from '../pool.js';
import { DECISION } from '../translation/chooser.js';
import { FragmentTable } from '../translation/fragment-table.js';
import { Quote } from '../translation/quote.js';
import { Rewritten } from '../translation/rewrite.js';
import { flowFlags } from '../translation/translator.js';
import { isIcmpError, readTuple } from '../translation/tuple.js';
import type { Admitted } from './admitted.js';
import { ROUTED_ZONE, readKey, turn, zoneOf } from './connection-key.js';
import { Ends } from './ends.js';
import { Judge } from './judge.js';
import { ASK } from './policy-table.js';

/** A flow may be opened by another engine, or end, while a packet is looked at; more often than this it never is. */
const TRIES = 4;
/** What a step answers. */
const REFUSED = 0;
const ADMITTED = 1;
const AGAIN = 2;

/** Of packets that are looked for nowhere but in the flow table. */
const SPECIAL = PACKET.FRAGMENT | PACKET.TRANSLATED | PACKET.ORIGINATED;
/** In place of where a packet's connection may be found. */
const UNSOUGHT = -1;

/** So long after a port has begun to ask, answers to what was sent before may come (ms). */
const OLD_ANSWERS = 10_000;

/** Of which the first segment of a connection has the one and not the other. */
const OPENING = tcp.FLAG.SYN | tcp.FLAG.ACK;

const DECIDED = DECISION.ADMIT | DECISION.REFUSE;
/** Fragments are only to be known again. */
const AS_IT_IS = new Rewritten();

export class Enforcer {
  /** Of the last refusal: a drop reason. */
  reason = 0;
  private readonly key: FlowKey;
  private readonly reply: FlowKey;
  private readonly ends: Ends;
  private readonly judge: Judge;
  private readonly quote: Quote;
  private readonly fragments: FragmentTable;
  /** Of the packet at hand: where it is bridged, else -1, and the zone of its tuple. */
  private domain = -1;
  private zone = 0;
  /** Until when datagrams of the port may be answers to what was sent before it has begun to ask (ms). */
  private readonly unsure = new Int32Array(MAX_PORTS);
  /** Of the last packet that may begin a connection: it is an answer, the other end has begun. */
  private isAnswer = false;

  /** @param admitted connections that pass, at hand; without it each packet asks the flow table. */
  constructor(
    private readonly context: Context,
    seed: number,
    private readonly admitted?: Admitted,
  ) {
    this.key = new FlowKey(context.flows.hash);
    this.reply = new FlowKey(context.flows.hash);
    this.ends = new Ends(context);
    this.judge = new Judge(context);
    this.quote = new Quote(context);
    this.fragments = new FragmentTable(seed);
  }

  /** What policy asks at both ends of a packet with `egress` set: bits of ASK. */
  asked(slot: number): number {
    const { pool, policies } = this.context;
    const to = pool.egress[slot];
    return policies.asks[pool.port[slot]] | (to < PEER_EGRESS ? policies.asks[to] : 0);
  }

  /** Begins to look for the packet's connection among those that pass. Answers what `admits` wants to know. */
  seek(slot: number): number {
    const { pool } = this.context;
    const protocol = pool.protocol[slot];
    if (pool.kind[slot] !== KIND.IPV4 || (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP))
      return UNSOUGHT;
    if (pool.l4[slot] === 0 || (pool.flags[slot] & SPECIAL) !== 0) return UNSOUGHT;
    return this.admitted === undefined ? UNSOUGHT : this.admitted.placeOf(pool.l3[slot], pool.l4[slot]);
  }

  /** @param asked not 0 */
  admits(slot: number, isBridged: boolean, asked: number, sought: number): boolean {
    const { context } = this;
    const { pool } = context;
    this.zone = isBridged ? zoneOf(context, slot) : ROUTED_ZONE;
    if (sought >= 0 && this.admitted!.admits(slot, pool.l3[slot], pool.l4[slot], this.zone, sought))
      return true;
    if (pool.port[slot] === pool.egress[slot] || this.isExempt(slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return this.refuse(DROP['policy-pending']);
    this.domain = isBridged ? pool.domain[slot] : -1;
    return this.decides(slot);
  }

  /** Whether a packet that is flooded may leave its port at all. */
  admitsFlood(slot: number): boolean {
    const { pool, policies } = this.context;
    const asked = policies.asks[pool.port[slot]];
    if (asked === 0 || this.isExempt(slot) || isMembership(pool, slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return this.refuse(DROP['policy-pending']);
    this.ends.readCopy(slot, PEER_EGRESS);
    return this.judge.maySend(this.ends, pool.domain[slot]) || this.refuseByRule(slot);
  }

  /** Tells of a packet for a network that its sender's is kept apart from: its route says so, whatever the rules. */
  refuseApart(slot: number, note: number): void {
    this.ends.readCopy(slot, PEER_EGRESS);
    this.tell(slot, ASK.EGRESS, note);
  }

  /** Whether a copy of it may go to this port. */
  admitsCopy(slot: number, port: number): boolean {
    const { pool, policies } = this.context;
    const asked = policies.asks[port];
    if (asked === 0 || this.isExempt(slot) || isMembership(pool, slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return this.refuse(DROP['policy-pending']);
    this.ends.readCopy(slot, port);
    return this.judge.mayBeSent(this.ends, pool.domain[slot]) || this.refuseByRule(slot);
  }

  private decides(slot: number): boolean {
    const { context } = this;
    const { pool } = context;
    const kind = pool.kind[slot];
    if (kind !== KIND.IPV4 && kind !== KIND.IPV6) return this.alone(slot);
    if (pool.l4[slot] === 0) return this.fragment(slot);
    const isTranslated = (pool.flags[slot] & PACKET.TRANSLATED) !== 0;
    if (isIcmpError(pool, slot)) return isTranslated || this.error(slot);
    if (!(isTranslated ? this.translated(slot) : this.connection(slot))) return false;
    if ((pool.flags[slot] & PACKET.FRAGMENT) !== 0) this.fragments.note(pool, slot, AS_IT_IS, 0, context.now);
    return true;
  }

  private isExempt(slot: number): boolean {
    const { pool } = this.context;
    const kind = pool.kind[slot];
    if ((pool.flags[slot] & PACKET.ORIGINATED) !== 0 || kind === KIND.ARP) return true;
    return kind === KIND.IPV6 && isDiscovery(pool, slot);
  }

  /** Of a connection that has no other addresses than the packet shows. */
  private connection(slot: number): boolean {
    const { pool, flows, millis } = this.context;
    const part = readKey(pool, slot, this.zone, this.key);
    if (part === PART.NONE) return this.alone(slot);
    for (let tries = 0; tries < TRIES; tries++) {
      const handle = flows.lookup(this.key, millis);
      if (handle === NOTHING && part === PART.ANSWER) return this.alone(slot);
      const step = handle === NOTHING ? this.begin(slot) : this.follow(slot, handle);
      if (step !== AGAIN) return step === ADMITTED;
    }
    return this.refuse(DROP['flow-invalid']);
  }

  private begin(slot: number): number {
    const { context, key, reply } = this;
    const { pool, flows, millis } = context;
    if (!this.mayBegin(slot)) return REFUSED;
    turn(key, reply, this.zone);
    const { isAnswer } = this;
    const opened = isAnswer ? reply : key;
    const answered = isAnswer ? key : reply;
    const handle = flows.open(opened, answered, pool.port[slot], flowFlags(pool, slot), millis);
    if (handle === OPEN.clash) return AGAIN;
    if (handle < 0) {
      this.refuse(handle === OPEN.invalid ? DROP['flow-invalid'] : DROP['flow-table-full']);
      return REFUSED;
    }
    this.note(handle, DECISION.ADMIT);
    return this.track(slot, isAnswer ? handle ^ 1 : handle);
  }

  private mayBegin(slot: number): boolean {
    const { ends, judge, domain } = this;
    ends.read(slot, false);
    this.isAnswer = this.mayBeAnswer(slot);
    if (!this.isAnswer) return judge.allows(ends, domain) || this.refuseByRule(slot);
    // A server that may not begin anything itself goes on to answer whom it may be asked by.
    const isServer = ends.protocol === PROTOCOL.TCP;
    if (!(isServer ? judge.mayBeSent(ends, domain) : judge.allows(ends, domain)))
      return this.refuseByRule(slot);
    ends.turn();
    return judge.allows(ends, domain) || this.refuseByRule(slot);
  }

  /** Of a connection that began before anybody asked. */
  private mayBeAnswer(slot: number): boolean {
    const { pool, policies } = this.context;
    const { protocol, fromPort, toPort } = this.ends;
    if (fromPort >= toPort) return false;
    if (protocol === PROTOCOL.TCP) return (tcp.flags(pool.view, pool.l4[slot]) & OPENING) !== tcp.FLAG.SYN;
    if (protocol !== PROTOCOL.UDP) return false;
    const isFromNew = this.isNew(pool.port[slot], policies.begun);
    return this.isNew(pool.egress[slot], policies.begun) || isFromNew;
  }

  private isNew(port: number, begun: Uint8Array): boolean {
    if (port >= MAX_PORTS) return false;
    const { millis } = this.context;
    if (begun[port] === 1) {
      begun[port] = 0;
      this.unsure[port] = millis + OLD_ANSWERS;
    }
    const left = (this.unsure[port] - millis) | 0;
    return left > 0 && left <= OLD_ANSWERS;
  }

  private follow(slot: number, handle: number): number {
    const { found } = this.context.flows;
    if (!found.isStale && (found.kind & DECISION.ADMIT) !== 0) return this.track(slot, handle);
    const isDue = found.isStale || (found.kind & DECIDED) === 0;
    // What was refused is asked about again, to say why.
    this.ends.read(slot, (handle & 1) === FLOW_WAY.REPLY);
    const isAllowed = this.judge.allows(this.ends, this.domain);
    if (isDue) this.note(handle, isAllowed ? DECISION.ADMIT : DECISION.REFUSE);
    if (isAllowed) return this.track(slot, handle);
    this.refuseByRule(slot);
    return REFUSED;
  }

  private note(handle: number, kind: number): void {
    const { flows, generation } = this.context;
    const { egressNote, ingressNote } = this.judge;
    flows.decide(handle, flows.found.state, kind, egressNote, ingressNote, generation);
  }

  private track(slot: number, handle: number): number {
    const { pool, flows, millis } = this.context;
    const { view } = pool;
    const l4 = pool.l4[slot];
    const isTcp = pool.protocol[slot] === PROTOCOL.TCP;
    const { state } = flows.found;
    const verdict = flows.track(
      handle,
      state,
      flowFlags(pool, slot),
      isTcp ? tcp.sequence(view, l4) | 0 : 0,
      isTcp ? tcp.acknowledgment(view, l4) | 0 : 0,
      wirePackets(pool, slot),
      pool.l3Length[slot],
      millis,
    );
    if (verdict <= TRACK.ignored) return ADMITTED;
    if (verdict === TRACK.invalid) {
      this.refuse(DROP['flow-invalid']);
      return REFUSED;
    }
    if (verdict === TRACK.reopened) flows.end(handle, state);
    return AGAIN;
  }

  /** Of a connection to a service: it is known, and was told of the packet where that was translated. */
  private translated(slot: number): boolean {
    const { context, key, reply } = this;
    const { pool, flows, millis, generation } = context;
    readTuple(pool, slot, key);
    reply.mirror(key, 0);
    const handle = flows.lookup(reply, millis);
    if (handle === NOTHING) return this.refuse(DROP['flow-invalid']);
    const { found } = flows;
    const { isStale, kind, state, target, argument } = found;
    if (!isStale && (kind & DECISION.ADMIT) !== 0) return true;
    const isAnswer = (handle & 1) === FLOW_WAY.ORIGINAL;
    this.ends.read(slot, isAnswer);
    if (isAnswer) this.readServer(handle ^ 1);
    const isAllowed = this.judge.allows(this.ends, this.domain);
    // Only what was decided about the backend in this generation may be marked as of it.
    if (!isStale && (kind & DECIDED) === 0) {
      const decided = kind | (isAllowed ? DECISION.ADMIT : DECISION.REFUSE);
      flows.decide(handle, state, decided, target, argument, generation);
    }
    return isAllowed || this.refuseByRule(slot);
  }

  /** The backend, which the answers come from before they are translated. */
  private readServer(replyHandle: number): void {
    const { flows } = this.context;
    const { ends } = this;
    ends.toPort = flows.tupleWord(replyHandle, 2) >>> 16;
    if (!ends.isIpv6) ends.server[3] = flows.tupleWord(replyHandle, 0);
    else for (let i = 0; i < 4; i++) ends.server[i] = flows.addressWord(replyHandle, i);
  }

  /** An ICMP error about a connection that is not translated. */
  private error(slot: number): boolean {
    const { flows, millis } = this.context;
    if (this.quote.read(slot, true)) {
      this.quote.fill(this.key, this.zone);
      const handle = flows.lookup(this.key, millis);
      if (handle !== NOTHING && (flows.found.kind & DECISION.REFUSE) === 0) return true;
    }
    return this.alone(slot);
  }

  private fragment(slot: number): boolean {
    const { pool, now } = this.context;
    return this.fragments.find(pool, slot, now) >= 0 || this.alone(slot);
  }

  /** A packet that belongs to nothing. */
  private alone(slot: number): boolean {
    this.ends.read(slot, false);
    return this.judge.allows(this.ends, this.domain) || this.refuseByRule(slot);
  }

  /** As the judge has said it of `ends` last. */
  private refuseByRule(slot: number): boolean {
    const { judge } = this;
    this.tell(slot, judge.way, judge.note);
    return this.refuse(judge.reason);
  }

  private tell(slot: number, way: number, note: number): void {
    const { ends } = this;
    const { pool, denials, millis } = this.context;
    denials.tell(
      millis,
      way,
      way === ASK.EGRESS ? ends.clientPort : ends.serverPort,
      note,
      ends.isIpv6,
      ends.client,
      ends.server,
      ends.protocol,
      ends.fromPort,
      ends.toPort,
      wirePackets(pool, slot),
    );
  }

  private refuse(reason: number): boolean {
    this.reason = reason;
    return false;
  }
}
