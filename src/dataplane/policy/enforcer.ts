/**
 * Whether a packet may leave by the port, or for the peer, that was chosen for it: what policy says about its connection.
 *
 * Only where the port that it came from or that it leaves by asks (`policies.asks`). Then the packet belongs to a connection, which
 * is decided about once, by its first packet, for both ways; in a newer generation it is decided about again, by its next packet. What was refused stays
 * known as refused, so that who has opened it is not forgotten. A connection that is translated has that decision beside the
 * other one in its flow; any other has a flow for this alone.
 *
 * What begins a connection says beginnings.ts.
 *
 * Never refused: what the switch itself says, ARP and neighbour discovery, membership in multicast groups, what a pod says to itself. ICMP errors go with the
 * connection that they are about, later fragments with their first one.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { isMembership } from '../group-membership.js';
import { isDiscovery } from '../neighbour-discovery.js';
import { KIND, PACKET } from '../pool.js';
import { FragmentTable } from '../translation/fragment-table.js';
import { Rewritten } from '../translation/rewrite.js';
import { isIcmpError } from '../translation/tuple.js';
import type { Admitted } from './admitted.js';
import { ROUTED_ZONE, zoneOf } from './connection-key.js';
import { Hearing } from './hearing.js';
import { PlainConnections } from './plain-connections.js';
import { ASK } from './policy-table.js';
import { TranslatedConnections } from './translated-connections.js';

/** Of packets that are looked for nowhere but in the flow table. */
const SPECIAL = PACKET.FRAGMENT | PACKET.TRANSLATED | PACKET.ORIGINATED;
/** In place of where a packet's connection may be found. */
const UNSOUGHT = -1;
/** Fragments are only to be known again. */
const AS_IT_IS = new Rewritten();

export class Enforcer {
  private readonly hearing: Hearing;
  private readonly plain: PlainConnections;
  private readonly translated: TranslatedConnections;
  private readonly fragments: FragmentTable;

  /** @param admitted connections that pass, at hand; without it each packet asks the flow table. */
  constructor(
    private readonly context: Context,
    seed: number,
    private readonly admitted?: Admitted,
  ) {
    this.hearing = new Hearing(context);
    this.plain = new PlainConnections(context, this.hearing);
    this.translated = new TranslatedConnections(context, this.hearing);
    this.fragments = new FragmentTable(seed);
  }

  /** Of the last refusal: a drop reason. */
  get reason(): number {
    return this.hearing.reason;
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
    const { context, hearing } = this;
    const { pool } = context;
    hearing.zone = isBridged ? zoneOf(context, slot) : ROUTED_ZONE;
    if (sought >= 0 && this.admitted!.admits(slot, pool.l3[slot], pool.l4[slot], hearing.zone, sought))
      return true;
    if (pool.port[slot] === pool.egress[slot] || this.isExempt(slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return hearing.refuse(DROP['policy-pending']);
    hearing.domain = isBridged ? pool.domain[slot] : -1;
    return this.decides(slot);
  }

  /** Whether a packet that is flooded may leave its port at all. */
  admitsFlood(slot: number): boolean {
    const { hearing } = this;
    const { pool, policies } = this.context;
    const asked = policies.asks[pool.port[slot]];
    if (asked === 0 || this.isExempt(slot) || isMembership(pool, slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return hearing.refuse(DROP['policy-pending']);
    hearing.ends.readCopy(slot, PEER_EGRESS);
    return hearing.judge.maySend(hearing.ends, pool.domain[slot]) || hearing.refuseByRule(slot);
  }

  /** Whether a copy of it may go to this port. */
  admitsCopy(slot: number, port: number): boolean {
    const { hearing } = this;
    const { pool, policies } = this.context;
    const asked = policies.asks[port];
    if (asked === 0 || this.isExempt(slot) || isMembership(pool, slot)) return true;
    if ((asked & ASK.PENDING) !== 0) return hearing.refuse(DROP['policy-pending']);
    hearing.ends.readCopy(slot, port);
    return hearing.judge.mayBeSent(hearing.ends, pool.domain[slot]) || hearing.refuseByRule(slot);
  }

  /** Tells of a packet for a network that its sender's is kept apart from: its route says so, whatever the rules. */
  refuseApart(slot: number, note: number): void {
    this.hearing.ends.readCopy(slot, PEER_EGRESS);
    this.hearing.tell(slot, ASK.EGRESS, note);
  }

  private decides(slot: number): boolean {
    const { hearing } = this;
    const { pool, now } = this.context;
    const kind = pool.kind[slot];
    if (kind !== KIND.IPV4 && kind !== KIND.IPV6) return hearing.alone(slot);
    if (pool.l4[slot] === 0) return this.fragment(slot);
    const isTranslated = (pool.flags[slot] & PACKET.TRANSLATED) !== 0;
    if (isIcmpError(pool, slot)) return isTranslated || this.plain.admitsError(slot);
    if (!(isTranslated ? this.translated.admits(slot) : this.plain.admits(slot))) return false;
    if ((pool.flags[slot] & PACKET.FRAGMENT) !== 0) this.fragments.note(pool, slot, AS_IT_IS, 0, now);
    return true;
  }

  private isExempt(slot: number): boolean {
    const { pool } = this.context;
    const kind = pool.kind[slot];
    if ((pool.flags[slot] & PACKET.ORIGINATED) !== 0 || kind === KIND.ARP) return true;
    return kind === KIND.IPV6 && isDiscovery(pool, slot);
  }

  private fragment(slot: number): boolean {
    const { pool, now } = this.context;
    return this.fragments.find(pool, slot, now) >= 0 || this.hearing.alone(slot);
  }
}
