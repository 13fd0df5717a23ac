/**
 * Connections that policy is asked about and that have no other addresses than their packets show: each has a flow for that alone.
 *
 * It is decided about once, by its first packet, for both ways; in a newer generation again, by its next packet. What was refused stays known
 * as refused, so that who has opened it is not forgotten. ICMP errors go with the connection that they are about. What has
 * neither ports nor queries that can be answered is decided about packet by packet.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { FlowKey } from '../flows/flow-key.js';
import { WAY as FLOW_WAY } from '../flows/flow-memory.js';
import { NOTHING, OPEN, TRACK } from '../flows/flow-table.js';
import { PART } from '../flows/icmp-queries.js';
import { wirePackets } from '../offload.js';
import { DECISION } from '../translation/chooser.js';
import { Quote } from '../translation/quote.js';
import { flowFlags } from '../translation/translator.js';
import { Beginnings } from './beginnings.js';
import { readKey, turn } from './connection-key.js';
import type { Hearing } from './hearing.js';

/** A flow may be opened by another engine, or end, while a packet is looked at; more often than this it never is. */
const TRIES = 4;
/** What a step answers. */
const REFUSED = 0;
const ADMITTED = 1;
const AGAIN = 2;

const DECIDED = DECISION.ADMIT | DECISION.REFUSE;

export class PlainConnections {
  private readonly key: FlowKey;
  private readonly reply: FlowKey;
  private readonly quote: Quote;
  private readonly beginnings: Beginnings;

  constructor(
    private readonly context: Context,
    private readonly hearing: Hearing,
  ) {
    this.key = new FlowKey(context.flows.hash);
    this.reply = new FlowKey(context.flows.hash);
    this.quote = new Quote(context);
    this.beginnings = new Beginnings(context, hearing);
  }

  /** For an IP packet with a transport header. */
  admits(slot: number): boolean {
    const { pool, flows, millis } = this.context;
    const part = readKey(pool, slot, this.hearing.zone, this.key);
    if (part === PART.NONE) return this.hearing.alone(slot);
    for (let tries = 0; tries < TRIES; tries++) {
      const handle = flows.lookup(this.key, millis);
      if (handle === NOTHING && part === PART.ANSWER) return this.hearing.alone(slot);
      const step = handle === NOTHING ? this.begin(slot) : this.follow(slot, handle);
      if (step !== AGAIN) return step === ADMITTED;
    }
    return this.hearing.refuse(DROP['flow-invalid']);
  }

  private begin(slot: number): number {
    const { context, key, reply } = this;
    const { pool, flows, millis } = context;
    if (!this.beginnings.may(slot)) return REFUSED;
    turn(key, reply, this.hearing.zone);
    const { isAnswer } = this.beginnings;
    const opened = isAnswer ? reply : key;
    const answered = isAnswer ? key : reply;
    const handle = flows.open(opened, answered, pool.port[slot], flowFlags(pool, slot), millis);
    if (handle === OPEN.clash) return AGAIN;
    if (handle < 0) {
      this.hearing.refuse(handle === OPEN.invalid ? DROP['flow-invalid'] : DROP['flow-table-full']);
      return REFUSED;
    }
    this.note(handle, DECISION.ADMIT);
    return this.track(slot, isAnswer ? handle ^ 1 : handle);
  }

  private follow(slot: number, handle: number): number {
    const { found } = this.context.flows;
    if (!found.isStale && (found.kind & DECISION.ADMIT) !== 0) return this.track(slot, handle);
    const isDue = found.isStale || (found.kind & DECIDED) === 0;
    // What was refused is asked about again, to say why.
    this.hearing.ends.read(slot, (handle & 1) === FLOW_WAY.REPLY);
    const isAllowed = this.hearing.judge.allows(this.hearing.ends, this.hearing.domain);
    if (isDue) this.note(handle, isAllowed ? DECISION.ADMIT : DECISION.REFUSE);
    if (isAllowed) return this.track(slot, handle);
    this.hearing.refuseByRule(slot);
    return REFUSED;
  }

  private note(handle: number, kind: number): void {
    const { flows, generation } = this.context;
    const { egressNote, ingressNote } = this.hearing.judge;
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
      this.hearing.refuse(DROP['flow-invalid']);
      return REFUSED;
    }
    if (verdict === TRACK.reopened) flows.end(handle, state);
    return AGAIN;
  }

  /** An ICMP error about a connection that is not translated. */
  admitsError(slot: number): boolean {
    const { flows, millis } = this.context;
    if (this.quote.read(slot, true)) {
      this.quote.fill(this.key, this.hearing.zone);
      const handle = flows.lookup(this.key, millis);
      if (handle !== NOTHING && (flows.found.kind & DECISION.REFUSE) === 0) return true;
    }
    return this.hearing.alone(slot);
  }
}
