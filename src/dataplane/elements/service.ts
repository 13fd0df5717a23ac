/**
 * Service: what is sent to a service's address goes to one of its backends.
 *
 * Takes packets whose route says that they may be for a service; `info` is that route's next hop. A known connection is
 * translated as it was decided; one that was decided about in an earlier generation is looked at again, so that a backend that is
 * gone takes effect on the next packet: datagrams go to another one, a TCP connection is reset, or drained where its service asks
 * for that. Until services are known after a restart, connections of before go on as they were. A new connection is given a backend (translation/chooser.ts). What is for no service goes where the route leads.
 *
 * Outputs: `translated`, to be routed; those of RouteLookup; `refused`, for a port unreachable; `reset`, with the drop reason in
 * `info`. Drops: no-local-endpoint, flow-invalid, flow-table-full, fragment-orphan, l4-checksum.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { WAY } from '../flows/flow-memory.js';
import { NOTHING, OPEN, TRACK } from '../flows/flow-table.js';
import { NEXT_HOP } from '../tables/next-hops.js';
import { CHOICE, type Chooser } from '../translation/chooser.js';
import { flowFlags, NOT_FOLLOWED, OWN_TABLE, type Translator } from '../translation/translator.js';
import { isIcmpError, isWithPorts } from '../translation/tuple.js';

export interface ServiceOutputs {
  readonly translated: Batch;
  readonly forward: Batch;
  readonly local: Batch;
  readonly unreachable: Batch;
  readonly apart: Batch;
  readonly refused: Batch;
  readonly reset: Batch;
}

/** A flow may be opened by another engine, or end, while a packet is looked at; more often than this it never is. */
const TRIES = 4;

export class Service implements Element {
  readonly name = 'service';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly translator: Translator,
    private readonly chooser: Chooser,
    private readonly outputs: ServiceOutputs,
  ) {}

  process(batch: Batch): void {
    const { pool } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (pool.l4[slot] === 0) this.fragment(slot);
      else if (isWithPorts(pool, slot)) this.packet(slot);
      else if (isIcmpError(pool, slot)) this.error(slot);
      else this.pass(slot);
    }
  }

  private packet(slot: number): void {
    const { context, translator, chooser } = this;
    for (let tries = 0; tries < TRIES; tries++) {
      const handle = translator.find(slot);
      if (handle === NOTHING || (handle & 1) !== WAY.ORIGINAL) {
        if (this.begin(slot)) return;
      } else if (context.flows.found.isStale && context.services.isWhole && !chooser.keeps(slot, handle)) {
        if (this.leave(slot, handle)) return;
      } else if (this.follow(slot, handle)) return;
    }
    context.drop(slot, DROP['flow-invalid']);
  }

  /** A packet of a known connection. False: look again. */
  private follow(slot: number, handle: number): boolean {
    const { context, translator } = this;
    const { state } = context.flows.found;
    const verdict = translator.translate(slot, handle, OWN_TABLE);
    if (verdict <= TRACK.ignored) this.outputs.translated.push(slot);
    else if (verdict === TRACK.invalid) context.drop(slot, DROP['flow-invalid']);
    else {
      if (verdict === TRACK.reopened) context.flows.end(handle, state);
      return false;
    }
    return true;
  }

  /** A packet of a connection whose backend serves it no more. False: it may begin another. */
  private leave(slot: number, handle: number): boolean {
    const { pool, flows } = this.context;
    flows.end(handle, flows.found.state);
    if (pool.protocol[slot] !== PROTOCOL.TCP || this.chooser.isFirst(slot)) return false;
    pool.info[slot] = DROP['endpoint-removed'];
    this.outputs.reset.push(slot);
    return true;
  }

  /** A packet of no connection. False: another engine has just opened it. */
  private begin(slot: number): boolean {
    const { context, chooser, translator } = this;
    const choice = chooser.choose(slot);
    switch (choice) {
      case CHOICE.NO_SERVICE:
        this.pass(slot);
        return true;
      case CHOICE.NOBODY:
        this.refuse(slot);
        return true;
      case CHOICE.ELSEWHERE:
        context.drop(slot, DROP['no-local-endpoint']);
        return true;
      default:
    }
    const handle = chooser.open(slot, flowFlags(context.pool, slot));
    if (handle === OPEN.clash) return false;
    if (handle < 0) {
      context.drop(slot, handle === OPEN.invalid ? DROP['flow-invalid'] : DROP['flow-table-full']);
      return true;
    }
    const verdict = translator.translate(slot, handle, OWN_TABLE);
    if (verdict > TRACK.ignored) return false;
    this.outputs.translated.push(slot);
    return true;
  }

  private refuse(slot: number): void {
    const { pool } = this.context;
    if (pool.protocol[slot] !== PROTOCOL.TCP) {
      this.outputs.refused.push(slot);
      return;
    }
    pool.info[slot] = DROP['no-endpoint'];
    this.outputs.reset.push(slot);
  }

  /** Of a client, about an answer: the backend is to hear it. */
  private error(slot: number): void {
    const { context, translator } = this;
    const handle = translator.findQuoted(slot);
    if (handle === NOTHING || (handle & 1) !== WAY.ORIGINAL) this.pass(slot);
    else if (translator.translateQuoted(slot, handle)) this.outputs.translated.push(slot);
    else context.drop(slot, DROP['l4-checksum']);
  }

  private fragment(slot: number): void {
    if (this.translator.follow(slot) !== NOT_FOLLOWED) this.outputs.translated.push(slot);
    else if (this.hopKind(slot) === NEXT_HOP.UNREACHABLE) this.context.drop(slot, DROP['fragment-orphan']);
    else this.pass(slot);
  }

  private hopKind(slot: number): number {
    const { pool, tables } = this.context;
    return tables.nextHops.kind[pool.info[slot]];
  }

  /** Where the route leads that the packet was found to have. */
  private pass(slot: number): void {
    const { outputs } = this;
    const kind = this.hopKind(slot);
    if (kind < NEXT_HOP.LOCAL) outputs.forward.push(slot);
    else if (kind === NEXT_HOP.LOCAL) outputs.local.push(slot);
    else if (kind === NEXT_HOP.UNREACHABLE) outputs.unreachable.push(slot);
    else outputs.apart.push(slot);
  }
}
