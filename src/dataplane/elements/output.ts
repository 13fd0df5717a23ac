/**
 * Output: hands packets to the port that an element before chose (`egress`), and those for a peer to the tunnel.
 *
 * Output `tunnel`. Drops (in Egress): port-down, tx-queue-full, no-slot.
 */
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';

export class Output implements Element {
  readonly name = 'output';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
    private readonly tunnel: Batch,
  ) {}

  process(batch: Batch): void {
    const { pool } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const egress = pool.egress[slot];
      if (egress < PEER_EGRESS) this.egress.output(slot, egress);
      else this.tunnel.push(slot);
    }
  }
}
