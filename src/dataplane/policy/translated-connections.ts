/**
 * Connections to services that policy is asked about: they have a flow, and the decision beside the other one in it. What is decided
 * on is the backend, and the client's own address.
 */
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { FlowKey } from '../flows/flow-key.js';
import { WAY as FLOW_WAY } from '../flows/flow-memory.js';
import { NOTHING } from '../flows/flow-table.js';
import { DECISION } from '../translation/chooser.js';
import { readTuple } from '../translation/tuple.js';
import type { Hearing } from './hearing.js';

const DECIDED = DECISION.ADMIT | DECISION.REFUSE;

export class TranslatedConnections {
  private readonly key: FlowKey;
  private readonly reply: FlowKey;

  constructor(
    private readonly context: Context,
    private readonly hearing: Hearing,
  ) {
    this.key = new FlowKey(context.flows.hash);
    this.reply = new FlowKey(context.flows.hash);
  }

  /** The flow was told of the packet where that was translated. */
  admits(slot: number): boolean {
    const { context, key, reply } = this;
    const { pool, flows, millis, generation } = context;
    readTuple(pool, slot, key);
    reply.mirror(key, 0);
    const handle = flows.lookup(reply, millis);
    if (handle === NOTHING) return this.hearing.refuse(DROP['flow-invalid']);
    const { found } = flows;
    const { isStale, kind, state, target, argument } = found;
    if (!isStale && (kind & DECISION.ADMIT) !== 0) return true;
    const isAnswer = (handle & 1) === FLOW_WAY.ORIGINAL;
    this.hearing.ends.read(slot, isAnswer);
    if (isAnswer) this.readServer(handle ^ 1);
    const { judge, ends, domain } = this.hearing;
    const isAllowed = judge.allows(ends, domain);
    // Only what was decided about the backend in this generation may be marked as of it.
    if (!isStale && (kind & DECIDED) === 0) {
      const decided = kind | (isAllowed ? DECISION.ADMIT : DECISION.REFUSE);
      flows.decide(handle, state, decided, target, argument, generation);
    }
    return isAllowed || this.hearing.refuseByRule(slot);
  }

  /** The backend, which the answers come from before they are translated. */
  private readServer(replyHandle: number): void {
    const { flows } = this.context;
    const { ends } = this.hearing;
    ends.toPort = flows.tupleWord(replyHandle, 2) >>> 16;
    if (!ends.isIpv6) ends.server[3] = flows.tupleWord(replyHandle, 0);
    else for (let i = 0; i < 4; i++) ends.server[i] = flows.addressWord(replyHandle, i);
  }
}
