/**
 * Whether a packet of no known connection may begin one, and whose it then is.
 *
 * A TCP packet within a connection that nobody has seen begin, as after a restart or where a policy is new, may go either way. It
 * counts as the opener's if its port is the higher one, as those are which kernels give out; else the connection is the other
 * end's, who must be allowed to begin it, and the packet one that may come in where it goes: what a closed pod is sent is no answer because its
 * sender says so. So does a datagram, as long as its connection may be older than the policy: an answer that
 * was on its way when a pod was first asked about must not make its server the opener, and keep open what is forbidden.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import { MAX_PORTS } from '../constants.js';
import type { Context } from '../element.js';
import type { Hearing } from './hearing.js';

/** So long after a port has begun to ask, answers to what was sent before may come (ms). */
const OLD_ANSWERS = 10_000;

/** Of which the first segment of a connection has the one and not the other. */
const OPENING = tcp.FLAG.SYN | tcp.FLAG.ACK;

export class Beginnings {
  /** Of the last packet that may begin a connection: it is an answer, the other end has begun. */
  isAnswer = false;
  /** Until when datagrams of the port may be answers to what was sent before it has begun to ask (ms). */
  private readonly unsure = new Int32Array(MAX_PORTS);

  constructor(
    private readonly context: Context,
    private readonly hearing: Hearing,
  ) {}

  may(slot: number): boolean {
    const { hearing } = this;
    const { ends, judge, domain } = hearing;
    ends.read(slot, false);
    this.isAnswer = this.mayBeAnswer(slot);
    if (!this.isAnswer) return hearing.passes(slot);
    // A server that may not begin anything itself goes on to answer whom it may be asked by.
    const isServer = ends.protocol === PROTOCOL.TCP;
    if (!(isServer ? judge.mayBeSent(ends, domain) : judge.allows(ends, domain)))
      return hearing.refuseByRule(slot);
    ends.turn();
    return hearing.passes(slot);
  }

  /** Of a connection that began before anybody asked. */
  private mayBeAnswer(slot: number): boolean {
    const { pool, policies } = this.context;
    const { protocol, fromPort, toPort } = this.hearing.ends;
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
}
