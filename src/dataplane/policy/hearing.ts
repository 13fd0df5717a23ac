/**
 * A packet that policy is asked about: its ends, where it is, and what is said of it. A scratch object, which the parts of the
 * enforcer share; what it says holds until the next packet.
 */
import type { Context } from '../element.js';
import { wirePackets } from '../offload.js';
import { Ends } from './ends.js';
import { Judge } from './judge.js';
import { ASK } from './policy-table.js';

export class Hearing {
  /** Of the last refusal: a drop reason. */
  reason = 0;
  /** Where the packet is bridged, else -1, and the zone of its tuple. */
  domain = -1;
  zone = 0;
  readonly ends: Ends;
  readonly judge: Judge;

  constructor(private readonly context: Context) {
    this.ends = new Ends(context);
    this.judge = new Judge(context);
  }

  /** Whether the rules of both of `ends` let it pass; what refuses it is told. */
  passes(slot: number): boolean {
    return this.judge.allows(this.ends, this.domain) || this.refuseByRule(slot);
  }

  /** The same of a packet that belongs to no connection. */
  alone(slot: number): boolean {
    this.ends.read(slot, false);
    return this.passes(slot);
  }

  refuse(reason: number): false {
    this.reason = reason;
    return false;
  }

  /** As the judge has said it of `ends` last. */
  refuseByRule(slot: number): false {
    const { judge } = this;
    this.tell(slot, judge.way, judge.note);
    return this.refuse(judge.reason);
  }

  /** @param way ASK.INGRESS or ASK.EGRESS */
  tell(slot: number, way: number, note: number): void {
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
}
