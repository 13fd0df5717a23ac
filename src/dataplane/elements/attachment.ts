/**
 * Attachment: sends packets of a direct pair straight to the other end, as a veth pair does, and the rest to
 * their bridge domain.
 *
 * Outputs: `domain`; a direct packet leaves through `direct` with `egress` set. Drops: port-down, when the
 * pair's other end is not open; too-big, when it has the smaller MTU.
 */
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { segmentLength } from '../offload.js';
import { NONE } from '../tables/port-table.js';

export class Attachment implements Element {
  readonly name = 'attachment';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly domain: Batch; readonly direct: Batch },
  ) {}

  process(batch: Batch): void {
    const { context } = this;
    const { pool, tables } = context;
    const { open, peer, mtu } = tables.ports;
    const { domain, direct } = this.outputs;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const other = peer[pool.port[slot]];
      if (other === NONE) {
        domain.push(slot);
      } else if (open[other] !== 1) {
        context.drop(slot, DROP['port-down']);
      } else if (segmentLength(pool, slot) > mtu[other]) {
        context.drop(slot, DROP['too-big']);
      } else {
        pool.egress[slot] = other;
        direct.push(slot);
      }
    }
  }
}
