/**
 * TranslateBack: gives answers of a service's backends the service's address, before they are routed.
 *
 * Looks at packets from ports at which such answers come in (`context.tracked`), and at ICMP errors from anywhere, the
 * switch's own among them, since they may quote a packet that was translated here. An answer is routed by the table of the port
 * that the connection came in by, not of that which the answer came in by: a client from outside is nowhere but behind the
 * node's port, whatever the backend's network reaches.
 *
 * Outputs: `ok`, what is no answer; `returning`, with the route table in `info`. Drops: flow-invalid, l4-checksum.
 */
import * as ipv4 from '../../wire/ipv4.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { WAY } from '../flows/flow-memory.js';
import { NOTHING, TRACK } from '../flows/flow-table.js';
import { KIND, PACKET } from '../pool.js';
import { NOT_FOLLOWED, OWN_TABLE, type Translator } from '../translation/translator.js';
import { isIcmpError } from '../translation/tuple.js';

export class TranslateBack implements Element {
  readonly name = 'translate-back';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly translator: Translator,
    private readonly outputs: { readonly ok: Batch; readonly returning: Batch },
  ) {}

  process(batch: Batch): void {
    const { context, outputs } = this;
    const { pool, tracked } = context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (isIcmpError(pool, slot)) this.error(slot);
      else if (tracked[pool.port[slot]] === 0 || (pool.flags[slot] & PACKET.ORIGINATED) !== 0)
        outputs.ok.push(slot);
      else if (pool.l4[slot] === 0) this.fragment(slot);
      else this.answer(slot);
    }
  }

  private answer(slot: number): void {
    const { context, translator, outputs } = this;
    const handle = translator.find(slot);
    if (handle === NOTHING || (handle & 1) === WAY.ORIGINAL) {
      outputs.ok.push(slot);
      return;
    }
    const table = this.returnTable(handle);
    const { found } = context.flows;
    const isKnown = found.isStale || found.argument >= 0;
    const verdict = translator.translate(slot, handle, table);
    if (verdict <= TRACK.ignored) {
      if (!isKnown) this.noteHop(slot, handle, table);
      this.send(slot, table);
    } else if (verdict === TRACK.invalid) context.drop(slot, DROP['flow-invalid']);
    // The flow has ended meanwhile, or the backend begins a connection of its own with the same ports.
    else outputs.ok.push(slot);
  }

  private error(slot: number): void {
    const { context, translator, outputs } = this;
    const handle = translator.findQuoted(slot);
    // What a client says about an answer is for the service's address, and so the element's that knows services.
    if (handle === NOTHING || (handle & 1) === WAY.ORIGINAL) outputs.ok.push(slot);
    else if (translator.translateQuoted(slot, handle)) this.send(slot, this.returnTable(handle));
    else context.drop(slot, DROP['l4-checksum']);
  }

  private fragment(slot: number): void {
    const table = this.translator.follow(slot);
    if (table === NOT_FOLLOWED) this.outputs.ok.push(slot);
    else this.send(slot, table === OWN_TABLE ? this.ownTable(slot) : table);
  }

  /** The first fragment was for a service, and was found by the element that knows services. */
  private ownTable(slot: number): number {
    const { pool, tables } = this.context;
    return tables.ports.returnTable[pool.port[slot]];
  }

  /** Beside the decision, so that Express need not look for it. */
  private noteHop(slot: number, handle: number, table: number): void {
    const { pool, flows, tables, generation } = this.context;
    if (pool.kind[slot] !== KIND.IPV4) return;
    const hop = tables.fib4.lookup(table, pool.view.getInt32(pool.l3[slot] + ipv4.DST));
    if (hop < 0) return;
    const { state, kind, target } = flows.found;
    flows.decide(handle, state, kind, target, hop, generation);
  }

  private returnTable(handle: number): number {
    const { flows, tables } = this.context;
    return tables.ports.returnTable[flows.opener(handle)];
  }

  private send(slot: number, table: number): void {
    this.context.pool.info[slot] = table;
    this.outputs.returning.push(slot);
  }
}
